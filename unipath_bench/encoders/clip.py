"""CLIP-style joint encoders in Hugging Face transformers' format."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unipath_bench.contracts import Context, ImageEncoder, TextEncoder
from unipath_bench.encoders.loading import (
    HubFiles,
    check_digest,
    exact_inference,
    find_hub_files,
    hub_remedy,
    read_state,
    torch_device,
)
from unipath_bench.encoders.resizing import network_input
from unipath_bench.errors import MissingError
from unipath_bench.schema.cards import EncoderCard
from unipath_bench.types import Features, RGBBatch

if TYPE_CHECKING:
    import torch

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ClipSpec:
    """A joint encoder whose repository holds a ``CLIPModel`` and its tokenizer."""

    card: EncoderCard
    files: HubFiles


class ClipEncoder(ImageEncoder, TextEncoder):
    """Projected features of a ``CLIPModel``, not normalised, in float32.

    Texts longer than the model's context are cut there, as CLIP itself does, with a warning that counts them.
    """

    def __init__(self, spec: ClipSpec) -> None:
        self.spec = spec
        self.card = spec.card

    def missing(self, context: Context) -> str | None:
        found = find_hub_files(self.spec.files, self.card.name, context.cache_dir)
        return None if found is not None else hub_remedy(self.spec.files, self.card.name)

    def setup(self, context: Context) -> None:
        """Load model and tokenizer from local files.

        Raises :class:`MissingError` where they are not there, ``DataError`` where the weights are not the
        pinned ones."""
        import torch
        from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

        files = self.spec.files
        folder = find_hub_files(files, self.card.name, context.cache_dir)
        if folder is None:
            raise MissingError(f"{files.hub_id} is not on this machine.", hub_remedy(files, self.card.name))
        check_digest(folder / files.weights, files.sha256)
        model: Any = CLIPModel(CLIPConfig.from_pretrained(folder, local_files_only=True))
        result = model.load_state_dict(read_state(folder / files.weights), strict=False)
        _check_keys(result.missing_keys, result.unexpected_keys, files.hub_id)
        self.device = torch_device(context)
        self.model = model.to(self.device, torch.float32).eval()
        self.tokenizer: Any = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        self.context_length = int(model.config.text_config.max_position_embeddings)

    def embed_images(self, images: RGBBatch) -> Features:
        import torch

        with exact_inference():
            pixels = torch.from_numpy(network_input(images, self.card)).to(self.device)
            pooled = self.model.vision_model(pixel_values=pixels).pooler_output
            return _numpy(self.model.visual_projection(pooled))

    def embed_texts(self, texts: Sequence[str]) -> Features:
        lengths = [len(ids) for ids in self.tokenizer(list(texts))["input_ids"]]
        cut = sum(length > self.context_length for length in lengths)
        if cut:
            warnings.warn(
                f"{self.card.name}: {cut} of {len(texts)} texts are longer than {self.context_length} tokens "
                f"and are cut there; the longest has {max(lengths)}.",
                stacklevel=2,
            )
        tokens = self.tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self.context_length,
            return_tensors="pt",
        ).to(self.device)
        with exact_inference():
            pooled = self.model.text_model(
                input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
            ).pooler_output
            return _numpy(self.model.text_projection(pooled))


PLIP = ClipSpec(
    card=EncoderCard(
        name="plip",
        title="PLIP",
        revision="67ade53ddd32195868f422585f72698ef5d15094",
        dimension=512,
        modalities=("image", "text"),
        input_size=224,
        resize="bicubic",
        mean=OPENAI_MEAN,
        std=OPENAI_STD,
        micro_batch=16,
        hub_id="vinid/plip",
        licence="not stated by the repository",
        source="Huang et al., Nature Medicine 2023, doi:10.1038/s41591-023-02504-3",
        notes="CLIP ViT-B/32 fine-tuned on pathology image-text pairs. Texts are cut at 77 tokens.",
    ),
    files=HubFiles(
        hub_id="vinid/plip",
        revision="67ade53ddd32195868f422585f72698ef5d15094",
        weights="pytorch_model.bin",
        sha256="98a7f8d2a1f4a8fc8f6dedb3a16ff7efbe02a7ef67c93904c80bca9767c69630",
        others=("config.json", "vocab.json", "merges.txt"),
    ),
)


def plip() -> ClipEncoder:
    """PLIP, a joint image-text encoder for pathology."""
    return ClipEncoder(PLIP)


_BUFFERS = {"text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"}
"""Counting vectors that older checkpoints carry and newer models make themselves."""


def _check_keys(missing: Sequence[str], unexpected: Sequence[str], hub_id: str) -> None:
    wrong = [*missing, *(key for key in unexpected if key not in _BUFFERS)]
    if wrong:
        raise ValueError(f"the weights of {hub_id} do not fit its configuration: {', '.join(wrong[:5])}")


def _numpy(features: torch.Tensor) -> Features:
    result: Features = features.float().cpu().numpy()
    return result
