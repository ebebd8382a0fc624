"""CLIP-style joint encoders in open_clip's format.

The network is built from the specification alone, so nothing but the weights (and, for a text tower of transformers,
its tokenizer) is read.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unipath_bench.core.errors import UsageError
from unipath_bench.encoders.loading import Found, read_state
from unipath_bench.encoders.pretrained import EncoderLoader, PretrainedJoint
from unipath_bench.encoders.spec import EncoderSpec

if TYPE_CHECKING:
    import torch

_COUNTERS = {"text.transformer.embeddings.position_ids"}
"""A counting vector that older checkpoints carry and newer models make themselves."""


class OpenClipEncoder(PretrainedJoint):
    """Projected features of open_clip's ``CLIP`` or, with a text tower of transformers, ``CustomTextCLIP``."""

    def _load(self, found: Found) -> None:
        model = build_network(self.spec)
        ignored = _COUNTERS - set(model.state_dict())
        self.model = self._ready(self._fill(model, read_state(found.weights), ignored))
        self.context_length = int(model_config(self.spec)["text_cfg"]["context_length"])
        self.tokenizer = self._open_tokenizer(found)

    def _open_tokenizer(self, found: Found) -> Any:
        if _foreign_text(self.spec) is None:
            from open_clip import SimpleTokenizer

            return SimpleTokenizer(context_length=self.context_length)
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(found.folder, local_files_only=True, trust_remote_code=False)  # nosec B615

    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_image(pixels, normalize=False)
        return features

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        if _foreign_text(self.spec) is None:
            return [len(self.tokenizer.encode(text)) + 2 for text in texts]
        return [len(ids) for ids in self.tokenizer(list(texts))["input_ids"]]

    def _texts(self, texts: Sequence[str]) -> torch.Tensor:
        if _foreign_text(self.spec) is None:
            tokens = self.tokenizer(list(texts))
        else:
            tokens = self.tokenizer(
                list(texts), padding="max_length", truncation=True, max_length=self.context_length, return_tensors="pt"
            )["input_ids"]
        features: torch.Tensor = self.model.encode_text(tokens.to(self.device), normalize=False)
        return features


def model_config(spec: EncoderSpec) -> dict[str, Any]:
    """open_clip's ``model_cfg``: that of the named architecture, with the specification's options merged in."""
    import open_clip

    base: Mapping[str, Any] = {}
    if spec.architecture:
        known = open_clip.get_model_config(spec.architecture)
        if known is None:
            raise UsageError(
                f"{spec.name}: open_clip {open_clip.__version__} has no architecture {spec.architecture!r}.",
                '`python -c "import open_clip; print(open_clip.list_models())"` lists them.',
            )
        base = known
    return _merged(base, spec.options)


def build_network(spec: EncoderSpec) -> torch.nn.Module:
    """The network of a specification with random weights; reaches for no network and reads no file.

    A text tower of transformers is stated as ``text_cfg.hf_config``, its configuration.
    """
    from open_clip.model import CLIP, CustomTextCLIP

    config = model_config(spec)
    foreign = config["text_cfg"].pop("hf_config", None)
    if foreign is None:
        model: torch.nn.Module = CLIP(**config)
        return model
    with tempfile.TemporaryDirectory() as folder:
        # open_clip takes a text tower's configuration by name only; a folder with config.json is such a name.
        (Path(folder) / "config.json").write_text(json.dumps(foreign), encoding="utf-8")
        config["text_cfg"] |= {"hf_model_name": folder, "hf_model_pretrained": False}
        joint: torch.nn.Module = CustomTextCLIP(**config)
    return joint


def _foreign_text(spec: EncoderSpec) -> Mapping[str, Any] | None:
    foreign: Mapping[str, Any] | None = model_config(spec)["text_cfg"].get("hf_config")
    return foreign


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in result.items()}


LOADER = EncoderLoader(OpenClipEncoder, poolings=("projected",), joint=("projected",))
