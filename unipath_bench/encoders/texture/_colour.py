"""Colour and stain: how much of a tile is tissue, and how much of which stain it holds."""

from __future__ import annotations

from math import sqrt

import numpy as np

from unipath_bench.encoders.texture._optics import Plane, Planes, average, ramp

GLASS_PIXELS = 16.0
"""Weight, in pixels, of the pseudo-observation of bare glass (density 0) in averages over tissue: an average
over no tissue is 0, and passes there without a jump."""
RED_BLUE_RAMP = (0.06, 0.16)
"""Excess of blue over red optical density that begins, and fully is, erythrocyte-like."""


def colour_statistics(density: Planes, stains: Planes, tissue: Plane) -> dict[str, float]:
    """Amount, spread and hue of stain over the tissue of a tile, and how much is not tissue."""
    pixels = tissue.size
    covered = average(tissue)
    weight = covered + GLASS_PIXELS / pixels

    def over_tissue(plane: Plane) -> float:
        return average(tissue * plane) / weight

    result: dict[str, float] = {
        "background": sqrt(max(1.0 - covered, 0.0)),
        "boundary": sqrt(
            (
                float(np.abs(np.diff(tissue, axis=0)).sum(dtype=np.float64))
                + float(np.abs(np.diff(tissue, axis=1)).sum(dtype=np.float64))
            )
            / (2 * pixels)
        ),
    }
    for name, plane in zip(("hematoxylin", "eosin", "residual"), stains, strict=True):
        mean = over_tissue(plane)
        result[f"{name}_mean"] = mean
        result[f"{name}_sd"] = sqrt(max(over_tissue(plane * plane) - mean * mean, 0.0))

    ranks = [int(share * (pixels - 1)) for share in (0.1, 0.5, 0.9)]
    low, median, high = (float(q) for q in np.partition(stains[0].ravel(), ranks)[ranks])
    result["hematoxylin_skew"] = (high + low - 2.0 * median) / (high - low + 0.05)

    red, green, blue = (over_tissue(channel) for channel in density)
    total = red + green + blue + 0.01
    result["red_share"] = (red + 0.01 / 3.0) / total
    result["blue_share"] = (blue + 0.01 / 3.0) / total
    result["erythrocytes"] = sqrt(average(ramp(density[2] - density[0], *RED_BLUE_RAMP)))
    return result
