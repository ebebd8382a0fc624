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

    Examples:
        1.25 lies 0.25 from row 1 and 1.25 from row 0.

        >>> import numpy as np
        >>> distances, rows = nearest_neighbours(np.array([[1.25]]), np.array([[0.0], [1.0], [3.0]]), k=2)
        >>> distances.tolist(), rows.tolist()
        ([[0.25, 1.25]], [[1, 0]])
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

    Examples:
        Of the distances 1 to 100, one per cent is at or below 1.

        >>> import numpy as np
        >>> copy_threshold(np.arange(1.0, 101.0), quantile=0.01)
        1.0
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
    """Exact one-sided lower confidence bound of a binomial probability (Clopper and Pearson 1934).

    Examples:
        Two of two happen with probability p^2, which is 1 - 0.75 at p = 0.5.

        >>> round(clopper_pearson_lower(2, 2, confidence=0.75), 12)
        0.5
        >>> clopper_pearson_lower(0, 2, confidence=0.75)
        0.0
    """
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

    Examples:
        One of four is nearer than 0.5. One copy or more of four happens with probability 1 - (1 - p)^4, which is
        0.05 at p = 1 - 0.95^(1 / 4).

        >>> import math
        >>> import numpy as np
        >>> found = copied_fraction(np.array([0.25, 1.0, 2.0, 3.0]), threshold=0.5)
        >>> found.copies, found.fraction, math.isclose(found.lower, 1 - 0.95**0.25)
        (1, 0.25, True)
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

    Examples:
        The training samples lie 1 apart: a copy of the first is nearer to it than that, a sample 9 away is not.

        >>> import numpy as np
        >>> authenticity(np.array([[0.0], [10.0]]), training=np.array([[0.0], [1.0]]))
        0.5
    """
    a, b = as_matrix_pair(generated, training, ("generated", "training"))
    as_matrix(b, "training", minimum_rows=2)
    to_training, rows = nearest(a, b, 1)
    among = nearest(b, b, 1, exclude_self=True)[0]
    return float((to_training[:, 0] > among[rows[:, 0], 0]).to(torch.float64).mean())
