"""Images inside the page, as lossless data addresses."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from unipath_bench.core.arrays import RGBImage

LARGEST = 384
"""Pixels; a larger image is reduced to this edge for the page, and the page says so."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the page."""

    address: str
    """``data:image/png;base64,...``"""
    width: int
    height: int
    alt: str
    reduced: bool


def picture(image: RGBImage, alt: str) -> Picture:
    """Encode a uint8 (H, W, 3) image as PNG, reduced to :data:`LARGEST` pixels where it is larger."""
    drawn = Image.fromarray(image)
    reduced = max(drawn.size) > LARGEST
    if reduced:
        drawn.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    drawn.save(stream, format="PNG", compress_level=9)
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(f"data:image/png;base64,{text}", drawn.width, drawn.height, alt, reduced)
