"""Memorisation: how near generated samples lie to the training set, beside how near real ones do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import betaincinv

from unipath_bench.metrics._arrays import (
    Features,
    Float64Array,
    FloatArray,
    as_matrix,
    as_matrix_pair,
    as_values,
    check_count,
)
from unipath_bench.metrics._neighbours import nearest


def nearest_neighbours(
    query: Features, bank: Features, k: int = 1, *, exclude_self: bool = False
) -> tuple[Float64Array, npt.NDArray[np.int64]]:
    """Return the distances and the rows of each query's k nearest neighbours in ``bank``.

    Euclidean distances are (n, k) float64, ascending, rows of ``bank`` (n, k) int64. Exact: the candidates that a
    bounded float32 filter leaves are compared by direct differences in float64, so an identical vector is at distance
    0.0. Equal distances are ordered by row number. ``exclude_self`` asks for the neighbours of a set in itself: row i
    of ``query`` is row i of ``bank`` and is left out. Raises ``ValueError`` for wrong shapes, NaN or infinity, and a
    bank of fewer than k rows.
    """
    check_count(k, "k")
    a, b = as_matrix_pair(query, bank, ("query", "bank"))
    if exclude_self and len(a) != len(b):
        raise ValueError(f"exclude_self: query has {len(a)} rows, bank has {len(b)}")
    if len(b) - exclude_self < k:
        raise ValueError(f"bank: {len(b)} rows are too few for {k} neighbours")
    squared, indices = nearest(a, b, k, exclude_self=exclude_self)
    return squared.sqrt_().cpu().numpy(), indices.cpu().numpy()


def copy_threshold(real_distances: FloatArray, quantile: float) -> float:
    """Return the distance below which a sample counts as a copy.

    It is the lower empirical quantile of ``real_distances`` (n,), the nearest-training distance of each real held-out
    sample; ``quantile`` in 0 to 1, as 0.01 for the nearest 1% of real samples. The inverted distribution function (no
    interpolation): at least that share of the real distances is at or below the threshold.
    """
    distances = _distances(real_distances, "real_distances")
    if not 0 < quantile < 1:
        raise ValueError(f"quantile: {quantile} is not between 0 and 1")
    return float(np.quantile(distances, quantile, method="inverted_cdf"))


def _distances(values: FloatArray, name: str) -> Float64Array:
    distances = as_values(values, name)
    if (distances < 0).any():
        raise ValueError(f"{name}: distances below 0")
    return distances


class CopiedFraction(NamedTuple):
    """Share of samples that are copies, with a one-sided bound.

    ``fraction`` of the samples below the threshold, 0 to 1; ``copies`` of ``n``; ``lower``: the one-sided
    Clopper-Pearson bound.
    """

    fraction: float
    lower: float
    copies: int
    n: int
    confidence: float


def clopper_pearson_lower(count: int, n: int, confidence: float) -> float:
    """Exact one-sided lower confidence bound of a binomial probability (Clopper and Pearson 1934)."""
    if not 0 <= count <= n or n < 1:
        raise ValueError(f"count: {count} of {n} is not a share")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: {confidence} is not between 0 and 1")
    return 0.0 if count == 0 else float(betaincinv(count, n - count + 1, 1 - confidence))


def copied_fraction(distances: FloatArray, threshold: float, *, confidence: float = 0.95) -> CopiedFraction:
    """Share of samples nearer to the training set than ``threshold``, with a lower confidence bound.

    ``distances`` (n,): nearest-training distance of each generated sample. A sample is a copy where its
    distance is strictly below the threshold, or 0. The bound takes samples as independent; the share is
    copying only as far as it exceeds the quantile that the threshold was calibrated to.
    """
    values = _distances(distances, "distances")
    if not (np.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"threshold: {threshold} is not a finite distance")
    count = int(((values < threshold) | (values == 0)).sum())
    return CopiedFraction(
        fraction=count / len(values),
        lower=clopper_pearson_lower(count, len(values), confidence),
        copies=count,
        n=len(values),
        confidence=confidence,
    )


def authenticity(generated: Features, training: Features) -> float:
    """Share of generated samples that are authentic, 0 to 1 (Alaa et al. 2022, arXiv 2102.08921).

    A generated sample is authentic where its distance to its nearest training sample t is above the distance
    of t to the nearest other training sample. ``generated`` (n, D), ``training`` (m, D), m >= 2.
    """
    a, b = as_matrix_pair(generated, training, ("generated", "training"))
    as_matrix(b, "training", minimum_rows=2)
    to_training, rows = nearest(a, b, 1)
    among = nearest(b, b, 1, exclude_self=True)[0]
    return float((to_training[:, 0] > among[rows[:, 0], 0]).to(torch.float64).mean())
