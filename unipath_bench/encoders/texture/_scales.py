"""Undecimated multi-scale smoothing, the same under flips and quarter turns of the image.

The "a trous" scheme: at level j the kernel (1, 2, 1)/4 has holes of 2^j pixels, so five levels cost ten
passes of slice arithmetic whatever the scale (Holschneider et al. 1989; Starck and Murtagh, "Astronomical
Image and Data Analysis", 2006). Edges are mirrored. After levels 0..J the Gaussian-equivalent sigma is
sqrt((4^(J+1) - 1) / 6): 0.7, 1.6, 3.2, 6.5, 13.1 pixels.
"""

from __future__ import annotations

import numpy as np

from unipath_bench.encoders.texture._optics import Plane

LEVELS = 5
"""Holes of up to 2^4 = 16 pixels, so a plane needs at least 16 pixels a side."""


def _smooth_rows(plane: Plane, hole: int) -> Plane:
    height = plane.shape[0]
    padded = np.empty((height + 2 * hole, plane.shape[1]), dtype=np.float32)
    padded[hole:-hole] = plane
    padded[:hole] = plane[:hole][::-1]
    padded[-hole:] = plane[-hole:][::-1]
    result = padded[: -2 * hole] + padded[2 * hole :]
    result *= np.float32(0.25)
    result += np.float32(0.5) * plane
    return result


def _smooth_columns(plane: Plane, hole: int) -> Plane:
    width = plane.shape[1]
    padded = np.empty((plane.shape[0], width + 2 * hole), dtype=np.float32)
    padded[:, hole:-hole] = plane
    padded[:, :hole] = plane[:, :hole][:, ::-1]
    padded[:, -hole:] = plane[:, -hole:][:, ::-1]
    result = padded[:, : -2 * hole] + padded[:, 2 * hole :]
    result *= np.float32(0.25)
    result += np.float32(0.5) * plane
    return result


def smooth(plane: Plane, hole: int) -> Plane:
    """Convolve float32 (H, W) with (1, 2, 1)/4 along both axes, with mirrored edges.

    ``hole`` is the distance between the taps in pixels.
    """
    return _smooth_columns(_smooth_rows(plane, hole), hole)


def lowpasses(plane: Plane, levels: int = LEVELS) -> list[Plane]:
    """``plane`` smoothed to levels 0 .. ``levels - 1``; float32 (H, W) each."""
    result: list[Plane] = []
    for level in range(levels):
        plane = smooth(plane, 1 << level)
        result.append(plane)
    return result
