"""Resizing for encoders, exact to Pillow's antialiased filters, and scaling to a network's input."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from unipath_bench.schema.cards import EncoderCard
from unipath_bench.types import RGBBatch, RGBImage

Filter = Literal["bilinear-antialias", "bicubic-antialias", "lanczos"]

FILTERS: dict[str, Image.Resampling] = {
    "bilinear-antialias": Image.Resampling.BILINEAR,
    "bicubic-antialias": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize_and_crop(image: RGBImage, size: int, resize: Filter) -> RGBImage:
    """Shorter side to ``size`` by Pillow's filter on uint8, longer side in proportion, then the central
    square.

    An image of that size already is returned as it is. uint8 (H, W, 3) to uint8 (size, size, 3).
    """
    height, width, _ = image.shape
    if (height, width) == (size, size):
        return image
    short = min(height, width)
    new_height, new_width = height * size // short, width * size // short
    resized = Image.fromarray(image).resize((new_width, new_height), FILTERS[resize])
    top, left = (new_height - size) // 2, (new_width - size) // 2
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def resize_unrounded(image: RGBImage, size: int, resize: Filter) -> npt.NDArray[np.float32]:
    """The whole image to ``size`` x ``size`` by Pillow's filter in floating point, clipped to 0..255, not
    rounded.

    uint8 (H, W, 3) to float32 (size, size, 3). This is the resize of clean-FID: Parmar, Zhang and Zhu, "On
    Aliased Resizing and Surprising Subtleties in GAN Evaluation", CVPR 2022.
    """
    channels = [
        np.asarray(Image.fromarray(image[:, :, c].astype(np.float32)).resize((size, size), FILTERS[resize]))
        for c in range(3)
    ]
    return np.stack(channels, axis=2).clip(0, 255)


def network_input(images: RGBBatch, card: EncoderCard) -> npt.NDArray[np.float32]:
    """Resize and crop by the card, then (pixel / 255 - mean) / std: uint8 (B, H, W, 3) to float32 (B, 3, S,
    S).

    Raises ``ValueError`` for a card without input size, resize filter, mean or std.
    """
    if card.input_size is None or card.resize == "none" or card.mean is None or card.std is None:
        raise ValueError(f"the card of {card.name!r} lacks input_size, resize, mean or std")
    size, resize = card.input_size, card.resize
    resized = np.stack([resize_and_crop(image, size, resize) for image in images])
    pixels = resized.astype(np.float32) / np.float32(255)
    scaled = (pixels - np.asarray(card.mean, np.float32)) / np.asarray(card.std, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
