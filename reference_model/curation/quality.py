"""Quality control of one tile: what is measured, and what is too little or too much.

Lengths are pixels: the bounds are set at about 0.5 microns a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.ndimage import laplace
from skimage.color import rgb2hsv

from unipath_bench.core.arrays import RGBImage
from unipath_bench.schema.base import Document

TISSUE_DENSITY = 0.08
"""Optical density of the green channel, which both stains absorb, from which a pixel is tissue (value 212 of 255)."""
DARK = 50
"""Luma below which a pixel is darker than stained tissue."""
PEN_HUES = (70.0, 225.0)
"""Degrees: green to blue ink. Hematoxylin lies above, eosin, blood and red ink at the other end of the circle."""
PEN_SATURATION = 0.35
_LUMA = np.array([0.299, 0.587, 0.114])
_NOISE = 1.0
"""Variance of rounding and compression, added below the fraction of :attr:`Measures.focus`."""

Reason = str


@dataclass(frozen=True, slots=True)
class Measures:
    """Numbers of one tile."""

    tissue: float
    """Share of pixels that are tissue, 0 to 1."""
    focus: float
    """log10 of the variance of the Laplacian of luma over the variance of luma: the share of detail as fine as a
    pixel, whatever the contrast (variance of the Laplacian: Pech-Pacheco et al., ICPR 2000)."""
    pen: float
    """Share of pixels with the hue of green or blue ink, 0 to 1."""
    dark: float
    """Share of pixels too dark for stained tissue (folds, debris, black ink), 0 to 1."""
    contrast: float
    """Standard deviation of luma, grey levels."""
    chroma: float
    """Mean over tissue pixels of the largest minus the smallest channel, grey levels; 0 without tissue."""
    clipped: float
    """Share of pixels with a channel at 0, or, in tissue, at 255."""


MEASURES = tuple(f.name for f in fields(Measures))


class Bounds(Document):
    """What a tile must keep within."""

    least_tissue: float = Field(default=0.25, ge=0, le=1, description="Share of tissue.")
    least_focus: float = Field(default=-1.0, description="See Measures.focus.")
    most_pen: float = Field(default=0.02, ge=0, le=1, description="Share of ink.")
    most_dark: float = Field(default=0.15, ge=0, le=1, description="Share of folds, debris and black ink.")
    least_contrast: float = Field(default=8.0, ge=0, description="Grey levels; below: near-uniform.")
    least_chroma: float = Field(default=15.0, ge=0, description="Grey levels; below: unstained or greyscale.")
    most_clipped: float = Field(default=0.05, ge=0, le=1, description="Share of over- and under-exposed pixels.")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a tile is dropped."""

    reason: Reason
    value: float
    bound: float


_RULES: tuple[tuple[Reason, str, str, bool], ...] = (
    ("little tissue", "tissue", "least_tissue", True),
    ("near-uniform", "contrast", "least_contrast", True),
    ("out of focus", "focus", "least_focus", True),
    ("pen", "pen", "most_pen", False),
    ("dark artefact", "dark", "most_dark", False),
    ("no stain", "chroma", "least_chroma", True),
    ("clipped", "clipped", "most_clipped", False),
)
REASONS = tuple(rule[0] for rule in _RULES)
"""In the order in which they are looked for: the first is the one that is counted."""


def measure(image: RGBImage) -> Measures:
    """Measure a tile, uint8 (H, W, 3) of at least 3 pixels a side."""
    pixels = image.astype(np.float64)
    luma = pixels @ _LUMA
    tissue = -np.log10((pixels[..., 1] + 1) / 256) >= TISSUE_DENSITY
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    variance = float(luma.var())
    detail = float(laplace(luma, mode="nearest").var())
    exposed = (image == 0).any(axis=2) | ((image == 255).any(axis=2) & tissue)
    return Measures(
        tissue=float(tissue.mean()),
        focus=float(np.log10((detail + 1e-6) / (variance + _NOISE))),
        pen=float(_ink(image).mean()),
        dark=float((luma < DARK).mean()),
        contrast=float(np.sqrt(variance)),
        chroma=float(spread[tissue].mean()) if tissue.any() else 0.0,
        clipped=float(exposed.mean()),
    )


def faults(measures: Measures, bounds: Bounds) -> list[Fault]:
    """Every bound that a tile breaks, in the order of :data:`REASONS`."""
    found = []
    for reason, measured, bound, is_least in _RULES:
        value, limit = float(getattr(measures, measured)), float(getattr(bounds, bound))
        if value < limit if is_least else value > limit:
            found.append(Fault(reason, value, limit))
    return found


def _ink(image: RGBImage) -> npt.NDArray[np.bool_]:
    hsv = rgb2hsv(image)
    hue = hsv[..., 0] * 360
    low, high = PEN_HUES
    ink: npt.NDArray[np.bool_] = (hue >= low) & (hue <= high) & (hsv[..., 1] >= PEN_SATURATION)
    return ink
