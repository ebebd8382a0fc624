"""A public set of test images, defined by a formula: what `unipath-bench encoders verify` embeds.

Whoever has an encoder's weights can compute its features of these images and compare them with those of somebody else,
without exchanging an image. The images hold slopes and rings whose frequency grows to the finest, so a wrong resize
filter, crop, channel order or normalisation shows.
"""

from __future__ import annotations

import numpy as np

from unipath_bench.core.arrays import RGBBatch
from unipath_bench.core.digest import digest_strings, pixel_digest

COUNT, SIZE = 4, 256


def pattern_images() -> RGBBatch:
    """Return the four test images, uint8 (4, 256, 256, 3).

    In integers, for image k, row y, column x and channel c (0 red, 1 green, 2 blue), a pixel is
    ``((k + 1) x + (c + 1) y + ((x - 30 k)^2 + (y - 50 c)^2) // (64 (k + 1))) mod 256``.
    """
    k, y, x, c = np.ogrid[:COUNT, :SIZE, :SIZE, :3]
    rings = ((x - 30 * k) ** 2 + (y - 50 * c) ** 2) // (64 * (k + 1))
    images: RGBBatch = (((k + 1) * x + (c + 1) * y + rings) % 256).astype(np.uint8)
    return images


def pattern_digest() -> str:
    """SHA-256 over the pixel digests of the images, in order."""
    return digest_strings(pixel_digest(image) for image in pattern_images())
