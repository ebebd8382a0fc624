"""Frechet distance between Gaussians fitted to two sets of features, and the streaming statistics behind it.

The squared 2-Wasserstein distance of N(m1, S1) and N(m2, S2) (Dowson and Landau 1982; as FID: Heusel et al. 2017,
arXiv 1706.08500):

    F = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

With factors S1 = A^T A and S2 = B^T B the last trace is the nuclear norm of A B^T (the sum of its singular values), so it
needs no square root of a non-symmetric matrix, has no imaginary part and wants no epsilon on the diagonal. Covariances have
the divisor n - 1, as in the reference implementations. All arithmetic is float64.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch

from unipath_bench.metrics._arrays import Features, Float64Array, as_matrix, as_matrix_pair
from unipath_bench.metrics._linalg import (
    add_gram,
    cholesky_factor,
    eigenvalues,
    empty_gram,
    pivoted_factor,
    product,
    singular_values,
    symmetric_from_upper,
    triangular_factor,
)

BLOCK_ROWS = 1024
# The fast path is kept where the worst case of its rounding is below this part of the distance, or of the total variance; what
# rounding really does is two to eight orders below the worst case (tests/metrics/test_frechet.py measures it).
RELATIVE_TO_DISTANCE = 1e-6
RELATIVE_TO_VARIANCE = 1e-9


class FeatureStatistics:
    """Count, mean and covariance of a stream of feature batches, mergeable over shards, in float64.

    Rows are gathered in blocks of 1,024; each block is centred on its own mean, and the pairwise update of Chan, Golub and
    LeVeque (1979) joins it to what came before. The result therefore does not depend on how the stream was cut into batches,
    and loses nothing to a mean that is large beside the spread.

    The attributes are ``count`` (rows seen) and ``dimension`` (None before the first batch).
    """

    def __init__(self) -> None:
        self.count = 0
        self.dimension: int | None = None
        self._device = torch.device("cpu")
        self._settled = 0
        self._mean = torch.zeros(0, dtype=torch.float64)
        self._scatter = torch.zeros(0, 0, dtype=torch.float64)
        self._buffer = torch.zeros(0, 0, dtype=torch.float64)
        self._filled = 0

    @classmethod
    def from_features(cls, features: Features) -> Self:
        """Statistics of one (n, D) array."""
        statistics = cls()
        statistics.update(features)
        return statistics

    @classmethod
    def from_moments(cls, count: int, mean: Float64Array, covariance: Float64Array) -> Self:
        """Statistics with a given count, mean (D,) and covariance (D, D) of divisor count - 1."""
        centre, spread = np.array(mean, np.float64), np.array(covariance, np.float64)
        if centre.ndim != 1 or spread.shape != (len(centre), len(centre)):
            raise ValueError(f"mean {centre.shape} and covariance {spread.shape} do not fit together")
        if count < 2:
            raise ValueError(f"count: {count} is below 2")
        if not (np.isfinite(centre).all() and np.isfinite(spread).all()):
            raise ValueError("mean or covariance holds NaN or infinity")
        statistics = cls()
        statistics._start(len(centre), torch.device("cpu"))
        statistics.count = statistics._settled = int(count)
        statistics._mean = torch.from_numpy(centre)
        statistics._scatter = torch.from_numpy(np.asfortranarray((spread + spread.T) * (0.5 * (count - 1))))
        return statistics

    def _start(self, dimension: int, device: torch.device) -> None:
        self.dimension, self._device = dimension, device
        self._mean = torch.zeros(dimension, dtype=torch.float64, device=device)
        self._scatter = empty_gram(dimension, device)
        # One row more than a block: the update of the mean rides along as a last row of the rank-k update.
        self._buffer = torch.empty(BLOCK_ROWS + 1, dimension, dtype=torch.float64, device=device)

    def update(self, batch: Features) -> None:
        """Add the rows of ``batch``, (n, D) float32 or float64; n may be 0."""
        rows = as_matrix(batch, "batch", minimum_rows=0)
        if self.dimension is None:
            self._start(rows.shape[1], rows.device)
        if rows.shape[1] != self.dimension:
            raise ValueError(f"batch: {rows.shape[1]} dimensions, but {self.dimension} came before")
        if rows.device != self._device:
            raise ValueError(f"batch lies on {rows.device}, but {self._device} came before")
        start = 0
        while start < len(rows):
            taken = min(BLOCK_ROWS - self._filled, len(rows) - start)
            self._buffer[self._filled : self._filled + taken] = rows[start : start + taken]
            self._filled += taken
            start += taken
            if self._filled == BLOCK_ROWS:
                self._settle()
        self.count += len(rows)

    def _settle(self) -> None:
        """Fold the buffered rows into mean and scatter."""
        added = self._filled
        if not added:
            return
        block = self._buffer[: added + 1]
        centre = block[:added].mean(0)
        block[:added] -= centre
        # The mean of a block has its own rounding; a second pass takes it out.
        rest = block[:added].mean(0)
        block[:added] -= rest
        self._join(added, centre + rest, block)
        self._filled = 0

    def _join(self, added: int, mean: torch.Tensor, block: torch.Tensor) -> None:
        total = self._settled + added
        step = mean - self._mean
        block[added] = step * float(np.sqrt(self._settled * (added / total)))
        add_gram(self._scatter, block)
        self._mean += step * (added / total)
        self._settled = total

    def merge(self, other: FeatureStatistics) -> Self:
        """Add what ``other`` has seen, in place, and return self; ``other`` keeps its statistics."""
        if other.dimension is None:
            return self
        if self.dimension is None:
            self._start(other.dimension, other._device)
        if other.dimension != self.dimension:
            raise ValueError(f"statistics of {other.dimension} dimensions cannot join {self.dimension}")
        if other._device != self._device:
            raise ValueError(f"statistics on {other._device} cannot join {self._device}")
        self._settle()
        other._settle()
        if other._settled:
            total = self._settled + other._settled
            step = other._mean - self._mean
            self._scatter += other._scatter
            add_gram(self._scatter, (step * float(np.sqrt(self._settled * (other._settled / total))))[None])
            self._mean += step * (other._settled / total)
            self._settled = self.count = total
        return self

    def mean_tensor(self) -> torch.Tensor:
        """Mean (D,), float64, on the device of the batches."""
        if self.count < 1:
            raise ValueError("no rows were added yet: there is no mean")
        self._settle()
        return self._mean

    def covariance_tensor(self) -> torch.Tensor:
        """Covariance (D, D) of divisor n - 1, float64, on the device of the batches."""
        if self.count < 2:
            raise ValueError(f"a covariance needs 2 rows, {self.count} were added")
        self._settle()
        return symmetric_from_upper(self._scatter).div_(self.count - 1)

    @property
    def mean(self) -> Float64Array:
        """Mean (D,), float64."""
        return self.mean_tensor().cpu().numpy().copy()

    @property
    def covariance(self) -> Float64Array:
        """Covariance (D, D) of divisor n - 1, float64, exactly symmetric."""
        return self.covariance_tensor().cpu().numpy()


def fast_root_trace(first: torch.Tensor, second: torch.Tensor) -> tuple[float, float] | None:
    """tr (S1 S2)^(1/2) by one Cholesky factor and symmetric eigenvalues, and the worst case of its rounding error.

    None where ``first`` is not numerically positive definite. Each eigenvalue mu of L^T S2 L is known to about
    2^-52 |S1| |S2|, hence its root to 2^-53 |S1| |S2| / sqrt(mu), but never worse than the root of the former.
    """
    lower = cholesky_factor(first)
    if lower is None:
        return None
    values = eigenvalues(product(lower.T, product(second, lower)))
    error = 2.0**-52 * float(torch.linalg.matrix_norm(first) * torch.linalg.matrix_norm(second))
    roots = values.clamp(min=0).sqrt_()
    largest = error**0.5
    bound = torch.full_like(roots, largest)
    torch.div(0.5 * error, roots, out=bound)
    return float(roots.sum()), float(bound.clamp_(max=largest).sum())


def assemble(
    difference: torch.Tensor, trace_first: float, trace_second: float, root_trace: float
) -> float:
    """F from its parts; a negative value, possible by rounding alone, becomes 0."""
    return max(0.0, float(difference.square().sum()) + (trace_first + trace_second - 2.0 * root_trace))


def _fast(
    first: torch.Tensor, second: torch.Tensor, difference: torch.Tensor
) -> float | None:
    """F from two covariances, or None where its rounding error may matter."""
    traces = float(first.trace()), float(second.trace())
    result = fast_root_trace(first, second)
    if result is None:
        return None
    root_trace, bound = result
    value = assemble(difference, *traces, root_trace)
    if 2 * bound > max(RELATIVE_TO_DISTANCE * value, RELATIVE_TO_VARIANCE * sum(traces)):
        return None
    return value


def _from_factors(first: torch.Tensor, second: torch.Tensor, difference: torch.Tensor) -> float:
    """F from factors A (r1, D) and B (r2, D) with S1 = A^T A, S2 = B^T B: exact for any rank."""
    root_trace = float(singular_values(product(first, second.T)).sum())
    return assemble(difference, float(first.square().sum()), float(second.square().sum()), root_trace)


def frechet_distance_from_statistics(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """Frechet distance of two sets known by their statistics.

    Singular covariances (n <= D, constant or repeated columns) are taken through pivoted Cholesky factors, which drop directions
    of variance below D * 2^-53 of the largest. Where n < D and the features are at hand, :func:`frechet_distance` is faster and
    keeps every digit.
    """
    if a.dimension != b.dimension:
        raise ValueError(f"statistics of {a.dimension} and of {b.dimension} dimensions cannot be compared")
    difference = a.mean_tensor() - b.mean_tensor()
    first, second = a.covariance_tensor(), b.covariance_tensor()
    value = _fast(first, second, difference) if min(a.count, b.count) > first.shape[0] else None
    if value is not None:
        return value
    return _from_factors(pivoted_factor(first), pivoted_factor(second), difference)


def _centred(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(mean (D,), rows minus mean divided by sqrt(n - 1)), float64."""
    rows = features.double()
    mean = rows.mean(0)
    rows = rows - mean
    rest = rows.mean(0)
    rows -= rest
    rows /= float(np.sqrt(len(rows) - 1))
    return mean + rest, rows


def frechet_distance(x: Features, y: Features) -> float:
    """Frechet distance of two sets of features, (n, D) and (m, D), n, m >= 2; exact also where n or m is below D.

    float32 inputs are summed in float64. Raises ``ValueError`` for wrong shapes, NaN or infinity, and fewer than 2 rows.
    """
    a, b = as_matrix_pair(x, y, minimum_rows=2)
    dimension = a.shape[1]
    if min(len(a), len(b)) > dimension:
        first, second = FeatureStatistics.from_features(a), FeatureStatistics.from_features(b)
        difference = first.mean_tensor() - second.mean_tensor()
        value = _fast(first.covariance_tensor(), second.covariance_tensor(), difference)
        if value is not None:
            return value
    means, factors = [], []
    for features in (a, b):
        mean, factor = _centred(features)
        means.append(mean)
        factors.append(triangular_factor(factor) if len(factor) > dimension else factor)
    return _from_factors(factors[0], factors[1], means[0] - means[1])
