"""KEEP: a timm vision tower with a projection and a BERT text tower, put together here from their published sizes.

Its repository brings code of its own for this; none of it is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unipath_bench.encoders.loading import Found, read_state
from unipath_bench.encoders.pretrained import EncoderLoader, PretrainedJoint
from unipath_bench.encoders.spec import EncoderSpec

if TYPE_CHECKING:
    import torch

_COUNTER = "text.embeddings.position_ids"


class KeepEncoder(PretrainedJoint):
    """Image features: class token, then two linear layers with a GELU between. Text features: BERT's pooler."""

    def _load(self, found: Found) -> None:
        from transformers import BertTokenizer

        state = {_renamed(key): value for key, value in read_state(found.weights).items()}
        self.model = self._ready(self._fill(build_network(self.spec), state, {_COUNTER}))
        self.tokenizer: Any = BertTokenizer.from_pretrained(found.folder, local_files_only=True)  # nosec B615
        self.context_length = int(self.spec.options["context_length"])

    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.model["visual_head"](self.model["visual"](pixels))
        return projected

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self.tokenizer(list(texts))["input_ids"]]

    def _texts(self, texts: Sequence[str]) -> torch.Tensor:
        tokens = self.tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=self.context_length, return_tensors="pt"
        ).to(self.device)
        pooled: torch.Tensor = self.model["text"](
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
        return pooled


def build_network(spec: EncoderSpec) -> torch.nn.Module:
    """KEEP's network with random weights: ``visual``, ``visual_head``, ``text`` and the contrastive scale."""
    import timm
    import torch
    from transformers import BertConfig, BertModel

    visual: Any = timm.create_model(spec.architecture, pretrained=False, num_classes=0, **spec.options["vision"])
    width, size = int(visual.num_features), spec.dimension
    network = torch.nn.ModuleDict(
        {
            "visual": visual,
            "visual_head": torch.nn.Sequential(
                torch.nn.Linear(width, size), torch.nn.GELU(), torch.nn.Linear(size, size)
            ),
            "text": BertModel(BertConfig(**spec.options["text"])),
        }
    )
    network.register_parameter("logit_scale", torch.nn.Parameter(torch.ones([])))
    return network


def _renamed(key: str) -> str:
    """LayerScale's factors are called ``weight`` in the published file and ``gamma`` in timm."""
    return key.replace(".ls1.weight", ".ls1.gamma").replace(".ls2.weight", ".ls2.gamma")


LOADER = EncoderLoader(KeepEncoder, poolings=("projected",), joint=("projected",))
