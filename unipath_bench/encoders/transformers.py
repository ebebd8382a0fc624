"""Networks in Hugging Face transformers' format: vision transformers, and CLIP-style joint encoders.

The network is that of the folder's ``config.json``; where the specification states options, they must agree with it.
Code in a repository is never run here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unipath_bench.core.errors import DataError, UsageError, listed
from unipath_bench.encoders.loading import Found, read_state
from unipath_bench.encoders.pretrained import EncoderLoader, Pretrained, PretrainedJoint, pool_tokens
from unipath_bench.encoders.spec import EncoderSpec

if TYPE_CHECKING:
    import torch

_COUNTERS = {"text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"}
"""Counting vectors that older checkpoints carry and newer models make themselves."""


class VisionEncoder(Pretrained):
    """Tokens of the last hidden state, pooled as specified."""

    rounded = False

    def _load(self, found: Found) -> None:
        self.model = self._ready(load_network(self.spec, found))
        self.prefix = 1 + int(getattr(self.model.config, "num_register_tokens", 0))

    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        tokens = self.model(pixel_values=pixels).last_hidden_state
        return pool_tokens(tokens, self.prefix, self.spec.pooling)


class ClipEncoder(PretrainedJoint):
    """Projected features of a ``CLIPModel``."""

    rounded = False

    def _load(self, found: Found) -> None:
        from transformers import CLIPTokenizer

        self.model = self._ready(load_network(self.spec, found))
        self.tokenizer: Any = CLIPTokenizer.from_pretrained(found.folder, local_files_only=True)  # nosec B615
        self.context_length = int(self.model.config.text_config.max_position_embeddings)

    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.model.visual_projection(
            self.model.vision_model(pixel_values=pixels).pooler_output
        )
        return projected

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self.tokenizer(list(texts))["input_ids"]]

    def _texts(self, texts: Sequence[str]) -> torch.Tensor:
        tokens = self.tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self.context_length,
            return_tensors="pt",
        ).to(self.device)
        pooled = self.model.text_model(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
        projected: torch.Tensor = self.model.text_projection(pooled)
        return projected


def build_network(spec: EncoderSpec) -> torch.nn.Module:
    """The network of a specification's architecture and options with random weights, without reading any file."""
    kind = _model_class(spec)
    network: torch.nn.Module = kind(kind.config_class(**spec.options))
    return network


def load_network(spec: EncoderSpec, found: Found) -> torch.nn.Module:
    """The network of the folder's configuration, filled with the weights that were found.

    Raises :class:`DataError` where the configuration is not the specification's, or the weights do not fit it.
    """
    kind = _model_class(spec)
    config = kind.config_class.from_pretrained(found.folder, local_files_only=True)
    differing = _differences(spec.options, config.to_dict())
    if differing:
        raise DataError(
            f"{found.folder / 'config.json'} is not the configuration of {spec.name}:\n{listed(differing)}",
            "Fetch the files again, or correct the options of the specification.",
        )
    state = {key: value for key, value in read_state(found.weights).items() if key not in _COUNTERS}
    network, report = kind.from_pretrained(
        None, config=config, state_dict=state, output_loading_info=True, local_files_only=True
    )
    wrong = sorted({*report["missing_keys"], *report["unexpected_keys"], *map(str, report["mismatched_keys"])})
    if wrong:
        raise DataError(
            f"The weights of {spec.name} do not fit its configuration:\n{listed(wrong, 5)}",
            "The weights and config.json must come from the same commit.",
        )
    filled: torch.nn.Module = network
    return filled


def _model_class(spec: EncoderSpec) -> Any:
    import transformers

    kind = getattr(transformers, spec.architecture, None)
    if kind is None or not hasattr(kind, "config_class"):
        raise UsageError(
            f"{spec.name}: transformers {transformers.__version__} has no model class {spec.architecture!r}.",
            "Name the class, e.g. Dinov2Model, ViTModel or CLIPModel.",
        )
    return kind


def _differences(stated: Mapping[str, Any], actual: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in stated.items():
        at_hand = actual.get(key)
        if isinstance(value, Mapping) and isinstance(at_hand, Mapping):
            found += _differences(value, at_hand, f"{prefix}{key}.")
        elif value != at_hand:
            found.append(f"{prefix}{key}: {at_hand!r} instead of {value!r}")
    return found


def _open(spec: EncoderSpec) -> Pretrained:
    return ClipEncoder(spec) if spec.pooling == "projected" else VisionEncoder(spec)


LOADER = EncoderLoader(_open, poolings=("class", "class+patch-mean", "projected"), joint=("projected",))
