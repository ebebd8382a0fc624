"""From images at native size to a network's input: resize, central crop, normalise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unipath_bench.images import ResizeFilter, resize
from unipath_bench.schema.cards import EncoderCard
from unipath_bench.types import RGBBatch


def resize_and_crop(images: RGBBatch, size: int, resample: ResizeFilter) -> RGBBatch:
    """Shorter side to ``size`` by Pillow's filter on uint8, longer side in proportion, then the central square.

    Images of that size already are returned as they are. uint8 (B, H, W, 3) to uint8 (B, size, size, 3).
    """
    height, width = images.shape[1:3]
    if (height, width) == (size, size):
        return images
    short = min(height, width)
    resized = resize(images, (height * size // short, width * size // short), resample)
    top, left = (resized.shape[1] - size) // 2, (resized.shape[2] - size) // 2
    return resized[:, top : top + size, left : left + size]


def network_input(images: RGBBatch, card: EncoderCard) -> npt.NDArray[np.float32]:
    """Resize and crop by the card, then (pixel / 255 - mean) / std: uint8 (B, H, W, 3) to float32
    (B, 3, S, S).

    Raises ``ValueError`` for a card without input size, resize filter, mean or std.
    """
    if card.input_size is None or card.resize == "none" or card.mean is None or card.std is None:
        raise ValueError(f"the card of {card.name!r} lacks input_size, resize, mean or std")
    size, resample = card.input_size, card.resize
    pixels = resize_and_crop(images, size, resample).astype(np.float32) / np.float32(255)
    scaled = (pixels - np.asarray(card.mean, np.float32)) / np.asarray(card.std, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
