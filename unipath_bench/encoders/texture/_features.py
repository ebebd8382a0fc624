"""A tile's statistics, and its feature vector."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unipath_bench.core.arrays import RGBImage
from unipath_bench.encoders.texture._colour import colour_statistics
from unipath_bench.encoders.texture._dimensions import DIMENSIONS
from unipath_bench.encoders.texture._nuclear import nuclear_statistics
from unipath_bench.encoders.texture._optics import optical_density, separate_stains, tissue_weight
from unipath_bench.encoders.texture._texture import texture_statistics

SMALLEST_TILE = 32
"""Pixels a side."""


def texture_statistics_of(image: RGBImage) -> dict[str, float]:
    """Every statistic of one tile after its transform and before its unit, by the name of its dimension.

    Takes uint8 (H, W, 3) of at least :data:`SMALLEST_TILE` pixels a side; raises :class:`ValueError`
    otherwise.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a tile is uint8 of shape (H, W, 3), not {image.dtype} of shape {image.shape}")
    if min(image.shape[:2]) < SMALLEST_TILE:
        height, width = image.shape[:2]
        raise ValueError(f"a tile has at least {SMALLEST_TILE} pixels a side, not {height} x {width}")
    density = optical_density(image)
    stains = separate_stains(density)
    tissue = tissue_weight(density)
    return {
        **colour_statistics(density, stains, tissue),
        **nuclear_statistics(density, tissue),
        **texture_statistics(image, stains),
    }


def texture_features(image: RGBImage) -> npt.NDArray[np.float32]:
    """The feature vector of one tile: float32 (D,), ``D = len(DIMENSIONS)``, finite for every image.

    Takes uint8 (H, W, 3) of at least 32 pixels a side, H&E, at native resolution (nothing is resized; lengths
    are pixels). Raises :class:`ValueError` on any other dtype or shape. A pure function of the pixels: the
    same bits whatever else is embedded, and the same up to rounding for a mirrored or turned tile.
    """
    statistics = texture_statistics_of(image)
    return np.array([(statistics[d.name] - d.location) / d.scale for d in DIMENSIONS], dtype=np.float32)
