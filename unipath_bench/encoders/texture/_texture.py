"""Texture: energy of detail by stain and scale, its sparsity, direction and regularity."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import numpy.typing as npt

from unipath_bench.core.arrays import RGBImage
from unipath_bench.encoders.texture._optics import Plane, Planes, average
from unipath_bench.encoders.texture._scales import lowpasses, smooth

DENSITY_FLOOR = 0.003
"""Optical density below which detail is lost in 8-bit rounding: added in quadrature before logarithms."""


def _log_rms(mean_square: float) -> float:
    return 0.5 * log(mean_square + DENSITY_FLOOR**2)


def _nonuniform_patterns(grey: npt.NDArray[np.int32]) -> float:
    """Share of pixels whose local binary pattern (8 neighbours, radius 1) has more than two transitions.

    Ojala, Pietikainen and Maenpaa, IEEE Trans. PAMI 24 (2002) 971-987: "uniform" patterns are edges, corners,
    spots and flat areas; the others are mostly noise. The ring is the square of neighbours, without
    interpolation.
    """
    height, width = grey.shape
    centre = grey[1:-1, 1:-1]
    ring = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    bits = [grey[dy : dy + height - 2, dx : dx + width - 2] >= centre for dy, dx in ring]
    transitions = np.zeros(centre.shape, dtype=np.uint8)
    for k in range(8):
        transitions += bits[k] ^ bits[k - 1]
    return average(transitions > 2)


def _orientation(plane: Plane) -> tuple[float, float]:
    """Coherence of gradient directions within about 3 pixels, and over the whole tile; both 0 (none) to 1 (parallel).

    From the structure tensor J (Bigun and Granlund 1987): |eigenvalue gap| / trace, each summed over the tile.
    """
    dy = plane[2:, 1:-1] - plane[:-2, 1:-1]
    dx = plane[1:-1, 2:] - plane[1:-1, :-2]
    gap, mixed, trace = dy * dy - dx * dx, np.float32(2.0) * (dx * dy), dy * dy + dx * dx
    energy = average(trace) + DENSITY_FLOOR**2
    overall = sqrt(average(gap) ** 2 + average(mixed) ** 2) / energy
    for hole in (1, 2, 4):
        gap, mixed = smooth(gap, hole), smooth(mixed, hole)
    return average(np.sqrt(gap * gap + mixed * mixed)) / energy, overall


def texture_statistics(image: RGBImage, stains: Planes) -> dict[str, float]:
    """Energy of detail by stain and scale, its sparsity, direction and regularity."""
    result: dict[str, float] = {}
    hematoxylin, eosin, residual = stains
    lows = lowpasses(hematoxylin, 4)
    for level, (finer, coarser) in enumerate(zip([hematoxylin, *lows], lows, strict=False)):
        detail = finer - coarser
        power = detail * detail
        energy = average(power)
        result[f"hematoxylin_band{level + 1}"] = _log_rms(energy)
        if level == 1:
            floor = DENSITY_FLOOR**2
            result["sparsity"] = log((average(power * power) + 3.0 * floor**2) / (energy + floor) ** 2)
    # The finest eosin band is left out: a difference of channels from pixel to pixel is what JPEG's chroma
    # subsampling removes, so it would tell codecs apart rather than tissues.
    previous = eosin
    for level, low in enumerate(lowpasses(eosin, 4)):
        if level > 0:
            result[f"eosin_band{level + 1}"] = _log_rms(average((previous - low) ** 2))
        previous = low
    result["residual_band1"] = _log_rms(average((residual - smooth(residual, 1)) ** 2))

    grey = image[..., 0].astype(np.int32) + image[..., 1] + image[..., 2]
    result["nonuniform_patterns"] = _nonuniform_patterns(grey)
    result["coherence"], result["anisotropy"] = _orientation(lows[1])
    return result
