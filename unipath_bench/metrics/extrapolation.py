"""Frechet distance extrapolated to infinitely many generated samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from unipath_bench.metrics._arrays import Features, Float64Array, as_matrix_pair, check_count
from unipath_bench.metrics.frechet import frechet_distance

SMALLEST_SHARE = 0.5


class Extrapolation(NamedTuple):
    """A line through Frechet distances F of subsets of n samples, against 1 / n.

    ``value``: the intercept at 1 / n = 0; ``slope``: of F against 1 / n; ``sizes`` and ``distances``: the points of the
    line.
    """

    value: float
    slope: float
    sizes: tuple[int, ...]
    distances: Float64Array


def frechet_infinity(
    real: Features, generated: Features, *, points: int = 15, smallest: int | None = None, seed: int = 0
) -> Extrapolation:
    """FID-infinity (Chong and Forsyth 2020, arXiv 1911.07023): F on random subsets, extrapolated over 1 / n.

    ``real`` (n, D) and ``generated`` (m, D). The paper draws subsets of the generated set alone against a
    large reference; here both sets shrink alike, so that the bias of either goes. ``points`` sizes lie evenly
    in the number of samples from ``smallest`` (default: half of the smaller set) to the whole. It has no
    interval that holds what it says: for a figure with an interval use
    :func:`~unipath_bench.metrics.frechet_uncertainty.frechet_estimate`; this one is for comparison with
    papers.
    Raises ``ValueError`` for subsets of D samples or fewer, on which the line is not straight.

    Examples:
        Sets without spread, 3 apart, have the distance 3^2 whatever the number of samples: the line is flat.

        >>> import numpy as np
        >>> line = frechet_infinity(np.zeros((8, 1)), np.full((8, 1), 3.0))
        >>> round(line.value, 9), round(abs(line.slope), 9)
        (9.0, 0.0)
    """
    check_count(points, "points", minimum=2)
    a, b = as_matrix_pair(real, generated, ("real", "generated"), minimum_rows=4)
    n = min(len(a), len(b))
    least = int(SMALLEST_SHARE * n) if smallest is None else check_count(smallest, "smallest", minimum=2)
    if least >= n:
        raise ValueError(f"smallest: {least} is not below the {n} samples of the smaller set")
    if least <= a.shape[1]:
        raise ValueError(f"smallest: subsets of {least} samples are too small for {a.shape[1]} dimensions")
    sizes = np.unique(np.linspace(least, n, points).round().astype(np.int64))
    rng = np.random.default_rng(seed)
    distances = np.array([frechet_distance(_subset(a, size, rng), _subset(b, size, rng)) for size in sizes])
    slope, value = np.polyfit(1.0 / sizes, distances, 1)
    return Extrapolation(float(value), float(slope), tuple(int(size) for size in sizes), distances)


def _subset(rows: torch.Tensor, size: int, rng: np.random.Generator) -> torch.Tensor:
    return rows[torch.from_numpy(rng.permutation(len(rows))[:size]).to(rows.device)]
