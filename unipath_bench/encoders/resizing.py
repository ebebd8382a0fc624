"""From images at native size to a network's input: resize, central crop, normalise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unipath_bench.core.arrays import RGBBatch
from unipath_bench.core.images import ResizeFilter, resize
from unipath_bench.schema.cards import EncoderCard


def resize_and_crop(
    images: RGBBatch, size: int, resample: ResizeFilter, shorter_side: int | None = None, *, rounded: bool = False
) -> RGBBatch:
    """Resize the shorter side to ``shorter_side`` (default: ``size``) and cut out the central square of ``size``.

    Resizing is Pillow's, on uint8, with the longer side in proportion. Where an odd number of pixels is cut, the crop
    begins at half of it rounded down as transformers has it, or, with ``rounded``, rounded to the nearest even number
    as torchvision has it. An image whose shorter side has the length asked for is not resized. uint8 (B, H, W, 3) to
    uint8 (B, size, size, 3).
    """
    height, width = images.shape[1:3]
    side, short = shorter_side or size, min(height, width)
    if short != side:
        images = resize(images, (height * side // short, width * side // short), resample)
    top, left = (_offset(length - size, rounded) for length in images.shape[1:3])
    return images[:, top : top + size, left : left + size]


def network_input(
    images: RGBBatch, card: EncoderCard, shorter_side: int | None = None, *, rounded: bool = False
) -> npt.NDArray[np.float32]:
    """Resize and crop by the card, then normalise: uint8 (B, H, W, 3) to float32 (B, 3, S, S).

    The steps are :func:`resize_and_crop` and (pixel / 255 - mean) / std. Raises ``ValueError`` for a card without input
    size, resize filter, mean or std.
    """
    if card.input_size is None or card.resize == "none" or card.mean is None or card.std is None:
        raise ValueError(f"the card of {card.name!r} lacks input_size, resize, mean or std")
    cropped = resize_and_crop(images, card.input_size, card.resize, shorter_side, rounded=rounded)
    pixels = cropped.astype(np.float32) / np.float32(255)
    scaled = (pixels - np.asarray(card.mean, np.float32)) / np.asarray(card.std, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def _offset(surplus: int, rounded: bool) -> int:
    return round(surplus / 2) if rounded else surplus // 2
