"""The four encoders behind the contracts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import Context, ImageEncoder, TextEncoder
from unipath_bench.core.arrays import Features, RGBBatch
from unipath_bench.core.errors import DataError
from unipath_bench.encoders.loading import exact_inference, read_state, torch_device
from unipath_bench.encoders.resizing import network_input
from unipath_bench.phantom.encoders.cards import WEIGHTS, TrainingCard, checked_weights, lacking, read_card
from unipath_bench.schema.cards import EncoderCard

if TYPE_CHECKING:
    import torch

SIDE = 64
CHANNEL_MEAN = (0.7, 0.7, 0.7)
CHANNEL_STD = (0.2, 0.2, 0.2)
MICRO_BATCH = 32

_NOTE = (
    "A phantom encoder: trained on procedural tiles alone, for suites of the phantom alone; it knows no tissue. Its "
    "scale is 1 micrometre a pixel at 64 px; tiles of another size are resized to 64 px. "
)


class _PhantomEncoder(ImageEncoder):
    """A trained image tower.

    Args:
        folder: where the weights and the card lie; by default those that are shipped.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    notes: ClassVar[str]
    modalities: ClassVar[tuple[Literal["image", "text"], ...]] = ("image",)

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = WEIGHTS if folder is None else folder

    @cached_property
    def training(self) -> TrainingCard:
        """How it was made; raises ``MissingError`` where its file is not there, as :attr:`card` does."""
        return read_card(self.folder, self.name)

    @cached_property
    def card(self) -> EncoderCard:  # type: ignore[override]  # read when it is first asked for
        """Facts that decide the features; the revision is the SHA-256 of the weights."""
        return EncoderCard(
            name=self.name,
            title=self.title,
            revision=self.training.sha256,
            dimension=self.training.dimension,
            modalities=self.modalities,
            input_size=SIDE,
            resize="bicubic",
            mean=CHANNEL_MEAN,
            std=CHANNEL_STD,
            micro_batch=MICRO_BATCH,
            microns_per_pixel=1.0,
            licence="Apache-2.0",
            pathology=False,
            source="docs/phantom-encoders.md",
            notes=_NOTE + self.notes,
        )

    def missing(self, context: Context) -> str | None:
        return lacking(self.folder, self.name)

    def setup(self, context: Context) -> None:
        """Load the weights in float32.

        Raises ``MissingError`` where they are not there, ``DataError`` where they are not the card's.
        """
        import torch

        from unipath_bench.phantom.encoders.models import ImageTower

        state = read_state(checked_weights(self.folder, self.name))
        self.device = torch_device(context)
        tower = ImageTower(self.card.dimension)
        _fill(tower, state, "image.")
        self.image_tower: Any = tower.to(self.device).to(memory_format=torch.channels_last).eval()
        self._state = state

    def embed_images(self, images: RGBBatch) -> Features:
        """uint8 (B, H, W, 3) to float32 (B, D); an image's vector does not depend on B.

        Raises ``DataError`` for any other dtype or shape.
        """
        return self._embed(images, self.image_tower, (self.card.dimension,))

    def embed_patches(self, images: RGBBatch) -> npt.NDArray[np.float32]:
        """The trunk's last map, uint8 (B, H, W, 3) to float32 (B, 8, 8, D): what is at each place of the field.

        Raises as :meth:`embed_images`.
        """
        trunk = self.image_tower.trunk
        return self._embed(images, lambda pixels: trunk.stages(pixels)[1].permute(0, 2, 3, 1), (8, 8, trunk.third))

    def _embed(
        self, images: RGBBatch, network: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...]
    ) -> npt.NDArray[np.float32]:
        import torch

        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise DataError(
                f"{self.name} got {images.dtype} of shape {images.shape}.",
                "Give 8-bit RGB images as one array of shape (B, H, W, 3).",
            )
        result = np.empty((len(images), *shape), np.float32)
        for start in range(0, len(images), MICRO_BATCH):
            part = images[start : start + MICRO_BATCH]
            padded = np.concatenate([part, np.repeat(part[-1:], MICRO_BATCH - len(part), axis=0)])
            with exact_inference():
                pixels = torch.from_numpy(network_input(padded, self.card)).to(self.device)
                features = network(pixels.contiguous(memory_format=torch.channels_last))
                result[start : start + len(part)] = features.cpu().numpy()[: len(part)]
        return result


class _PhantomPair(_PhantomEncoder, TextEncoder):
    """A trained image tower and a text tower in one space; features are not normalised, cosines compare them."""

    modalities: ClassVar[tuple[Literal["image", "text"], ...]] = ("image", "text")

    def setup(self, context: Context) -> None:
        """As for images; the text tower too."""
        from unipath_bench.phantom.encoders.text import TextTower

        super().setup(context)
        tower = TextTower(self.card.dimension)
        _fill(tower, self._state, "text.")
        self.text_tower: Any = tower.to(self.device).eval()

    def embed_texts(self, texts: Sequence[str]) -> Features:
        """B strings to float32 (B, D); a text's vector does not depend on B.

        Texts of more than ``LONGEST`` words and punctuation marks are cut there, with a warning that counts them.
        """
        import torch

        from unipath_bench.phantom.encoders.text import LONGEST, tokenise, words

        cut = sum(len(words(text)) > LONGEST for text in texts)
        if cut:
            warnings.warn(
                f"{self.name}: {cut} of {len(texts)} texts are longer than {LONGEST} tokens and are cut there.",
                stacklevel=2,
            )
        result = np.empty((len(texts), self.card.dimension), np.float32)
        for start in range(0, len(texts), MICRO_BATCH):
            part = list(texts[start : start + MICRO_BATCH])
            ids = tokenise(part + [""] * (MICRO_BATCH - len(part)))
            with exact_inference():
                features = self.text_tower(torch.from_numpy(ids).to(self.device))
                result[start : start + len(part)] = features.cpu().numpy()[: len(part)]
        return result


class PhantomImage(_PhantomEncoder):
    """Tier 1 on the phantom: 32 whitened numbers that tell tissue, stain and image quality."""

    name = "phantom-image"
    title = "Phantom image encoder"
    notes = "Trained to tell attributes, stain and degradations apart; its output is white on training tiles."


class PhantomJudge(_PhantomEncoder):
    """Tiers 3 and 4 on the phantom: features from which a linear probe reads every attribute."""

    name = "phantom-judge"
    title = "Phantom attribute judge"
    notes = "Trained on the ten attributes, through mild blur, recompression, noise and stain shift."


class PhantomClip(_PhantomPair):
    """Tier 2 on the phantom: images and captions in one space, every register and wording."""

    name = "phantom-clip"
    title = "Phantom image-text pair"
    notes = "Its text tower was trained on the seen and on the held-out phrasings: it is the judge of both."


class PhantomBank(_PhantomPair):
    """The prototype bank of the reference model: a pair of its own, in which nothing is scored."""

    name = "phantom-bank"
    title = "Phantom image-text pair of the prototype bank"
    notes = "For retrieval inside a generator, never for a score. Its text tower knows the seen phrasings only."


def _fill(module: torch.nn.Module, state: dict[str, torch.Tensor], prefix: str) -> None:
    """Load the tensors of ``state`` whose names start with ``prefix``, floating-point ones as float32."""
    own = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    module.load_state_dict({k: t.float() if t.is_floating_point() else t for k, t in own.items()}, strict=True)
