"""What the nuclei of a tile are like.

Averages carry one pseudo-nucleus of stated value, so that they are defined on a tile without nuclei, and pass
there without a jump.
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import numpy.typing as npt

from unipath_bench.encoders.texture import _regions
from unipath_bench.encoders.texture._optics import Plane, Planes, average
from unipath_bench.encoders.texture._regions import FloatArray
from unipath_bench.encoders.texture._scales import lowpasses, smooth

NO_NUCLEI = {
    "nuclear_area": log(60.0),
    "nuclear_area_spread": 0.7,
    "nuclear_eccentricity": 0.77,
    "nuclear_fill": 0.89,
    "nuclear_density": 0.29,
    "nuclear_density_spread": 0.035,
    "chromatin": 0.05,
    "nuclear_edge": 0.08,
    "nuclear_spacing": log(14.0),
    "nuclear_regularity": 1.2,
    "nuclear_alignment": 0.0,
    "nuclear_hue": 0.05,
}
"""Value of the pseudo-nucleus: what each statistic is where a tile has no nucleus, and drawn to where it has
few. Rounded typical values of real H&E, but no direction for the alignment."""

NUCLEUS_PIXELS = 64.0
"""Size of the pseudo-nucleus where pixels (hue), or pairs of pixels across the edge (gradient), are
averaged."""


def _shrunk(name: str, values: FloatArray, weights: FloatArray) -> float:
    return float(((weights * values).sum() + NO_NUCLEI[name]) / (weights.sum() + 1.0))


def _shrunk_spread(name: str, values: FloatArray, weights: FloatArray) -> float:
    count = float(weights.sum())
    prior = NO_NUCLEI[name]
    if count == 0.0:
        return prior
    centred = values - (weights * values).sum() / count
    return float(np.sqrt(((weights * centred**2).sum() + prior**2) / (count + 1.0)))


def _edge_gradient(mask: npt.NDArray[np.bool_], red: Plane) -> float:
    steps, pairs = 0.0, 0
    for axis in (0, 1):
        crossing = np.flatnonzero(np.diff(mask, axis=axis))
        steps += float(np.abs(np.diff(red, axis=axis).ravel()[crossing]).sum(dtype=np.float64))
        pairs += crossing.size
    return (steps + NUCLEUS_PIXELS * NO_NUCLEI["nuclear_edge"]) / (pairs + NUCLEUS_PIXELS)


def _nuclear_hue(mask: npt.NDArray[np.bool_], density: Planes, tissue: Plane) -> float:
    inside, outside = mask.astype(np.float32), np.where(mask, np.float32(0.0), tissue)

    def red_share(weight: Plane) -> tuple[float, float]:
        red, green, blue = (float((weight * channel).sum(dtype=np.float64)) for channel in density)
        total = red + green + blue
        return (red / total if total else 1.0 / 3.0), float(weight.sum(dtype=np.float64))

    (nuclear, nuclear_pixels), (other, other_pixels) = red_share(inside), red_share(outside)
    pixels = min(nuclear_pixels, other_pixels)
    prior = NO_NUCLEI["nuclear_hue"]
    return (pixels * (nuclear - other) + NUCLEUS_PIXELS * prior) / (pixels + NUCLEUS_PIXELS)


def nuclear_statistics(density: Planes, tissue: Plane) -> dict[str, float]:
    """Number, size, shape, darkness and arrangement of nuclei.

    Takes the optical density (3, H, W) and the tissue weight (H, W). Nuclei are found and measured in the red
    channel.

    A nucleus cut by the edge of the tile counts half (so counts are unbiased in the size of the tile, as by a
    counting frame) and is left out of size and shape.
    """
    red = density[0]
    lows = lowpasses(red)
    smoothed = smooth(lows[0], 1)
    labels, count = _regions.label_nuclei(_regions.nuclear_mask(red, lows[4], smoothed))
    regions = _regions.measure(labels, count, red)
    mask = labels > 0
    pixels = red.size
    number = float(np.where(regions.interior, 1.0, 0.5).sum())
    whole = regions.interior.astype(np.float64)
    every = np.ones(count)
    log_area = np.log(regions.area)

    distances = _regions.nearest_distances(regions.centroid)
    paired = np.ones(len(distances))
    expected = 0.5 * sqrt(pixels / max(len(distances), 1))
    direction = regions.elongation / (regions.major + regions.minor)[:, None]
    pull = direction.sum(axis=0)
    length = float(np.hypot(direction[:, 0], direction[:, 1]).sum())

    return {
        "nuclear_fraction": sqrt(average(mask)),
        "nuclear_count": sqrt(number * 1e4 / pixels),
        "blob_count": sqrt(_regions.count_blobs(smooth(lows[1], 2), lows[4]) * 1e4 / pixels),
        "nuclear_area": _shrunk("nuclear_area", log_area, whole),
        "nuclear_area_spread": _shrunk_spread("nuclear_area_spread", log_area, whole),
        "nuclear_eccentricity": _shrunk("nuclear_eccentricity", regions.eccentricity, whole),
        "nuclear_fill": _shrunk("nuclear_fill", regions.fill, whole),
        "nuclear_density": _shrunk("nuclear_density", regions.mean, every),
        "nuclear_density_spread": _shrunk_spread("nuclear_density_spread", regions.mean, every),
        "chromatin": _shrunk("chromatin", regions.deviation, every),
        "nuclear_edge": _edge_gradient(mask, red),
        "nuclear_spacing": _shrunk("nuclear_spacing", np.log(distances), paired),
        "nuclear_regularity": _shrunk("nuclear_regularity", distances / expected, paired),
        "nuclear_alignment": float(np.hypot(*pull)) / (length + 1.0),
        "nuclear_hue": _nuclear_hue(mask, density, tissue),
    }
