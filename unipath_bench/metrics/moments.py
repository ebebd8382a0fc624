"""Streaming, mergeable count, mean and covariance of features."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch

from unipath_bench.metrics._arrays import Features, Float64Array, as_matrix
from unipath_bench.metrics._linalg import add_gram, empty_gram, symmetric_from_upper

BLOCK_ROWS = 512


class FeatureStatistics:
    """Count, mean and covariance of a stream of feature batches, mergeable over shards, in float64.

    Rows are gathered in blocks of 512, a fixed shift (the first row plus the mean of the first block's
    differences from it) is taken off, and sums and products of what is left are added up by a symmetric
    rank-k update. The result therefore does not depend on how the stream was cut into batches, and loses
    nothing to a mean that is large beside the spread; a constant column has variance 0 exactly.

    The attributes are ``count`` (rows seen) and ``dimension`` (None before the first row).

    Examples:
        0 and 2 have mean 1 and variance 1 + 1; with 4 the mean is 2 and the variance (4 + 0 + 4) / 2.

        >>> import numpy as np
        >>> statistics = FeatureStatistics()
        >>> statistics.update(np.array([[0.0], [2.0]]))
        >>> statistics.mean.tolist(), statistics.covariance.tolist()
        ([1.0], [[2.0]])
        >>> merged = statistics.merge(FeatureStatistics.from_features(np.array([[4.0]])))
        >>> merged.count, merged.mean.tolist(), merged.covariance.tolist()
        (3, [2.0], [[4.0]])
    """

    def __init__(self) -> None:
        self.count = 0
        self.dimension: int | None = None
        self._device = torch.device("cpu")
        self._settled = 0
        self._shift = torch.zeros(0, dtype=torch.float64)
        self._total = torch.zeros(0, dtype=torch.float64)
        self._products = torch.zeros(0, 0, dtype=torch.float64)
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
        statistics._start(torch.from_numpy(centre))
        statistics.count = statistics._settled = int(count)
        statistics._products = torch.from_numpy(np.asfortranarray((spread + spread.T) * (0.5 * (count - 1))))
        return statistics

    def _start(self, shift: torch.Tensor) -> None:
        self.dimension, self._device = len(shift), shift.device
        self._shift = shift.clone()
        self._total = torch.zeros_like(shift)
        self._products = empty_gram(len(shift), shift.device)
        self._buffer = torch.empty(BLOCK_ROWS, len(shift), dtype=torch.float64, device=shift.device)

    def update(self, batch: Features) -> None:
        """Add the rows of ``batch``, (n, D) float32 or float64; n may be 0."""
        rows = as_matrix(batch, "batch", minimum_rows=0)
        if not len(rows):
            return
        if self.dimension is None:
            self._start(rows[0].double())
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
        """Fold the buffered rows into the sums."""
        if not self._filled:
            return
        block = self._buffer[: self._filled]
        block -= self._shift
        if not self._settled:
            # From the first row, which may be an outlier, to the middle of the first block; what is taken off
            # the rows is what the rounded shift has moved by.
            moved = self._shift + block.mean(0)
            block -= moved - self._shift
            self._shift = moved
        self._total += block.sum(0)
        add_gram(self._products, block)
        self._settled += self._filled
        self._filled = 0

    def merge(self, other: FeatureStatistics) -> Self:
        """Add what ``other`` has seen, in place, and return self; ``other`` keeps its statistics."""
        if other.dimension is None:
            return self
        other._settle()
        if self.dimension is None:
            self._start(other._shift)
        if other.dimension != self.dimension:
            raise ValueError(f"statistics of {other.dimension} dimensions cannot join {self.dimension}")
        if other._device != self._device:
            raise ValueError(f"statistics on {other._device} cannot join {self._device}")
        self._settle()
        step = other._shift - self._shift
        # sum (r + d)(r + d)^T over the other's rows r about its own shift, d away from ours.
        cross = torch.outer(other._total + 0.5 * other._settled * step, step)
        self._products += other._products
        self._products += cross + cross.T
        self._total += other._total + other._settled * step
        self._settled += other._settled
        self.count = self._settled
        return self

    def mean_difference(self, other: FeatureStatistics) -> torch.Tensor:
        """Mean of this set minus mean of the other, (D,) float64, without the rounding of two large means."""
        first, second = self._offset(), other._offset()
        return (self._shift - other._shift) + (first - second)

    def _offset(self) -> torch.Tensor:
        """Mean minus shift."""
        if self.count < 1:
            raise ValueError("no rows were added yet: there is no mean")
        self._settle()
        return self._total / self._settled

    def mean_tensor(self) -> torch.Tensor:
        """Mean (D,), float64, on the device of the batches."""
        offset = self._offset()
        return self._shift + offset

    def upper_covariance(self) -> torch.Tensor:
        """Covariance (D, D) of divisor n - 1, float64, in the upper triangle.

        What is below the diagonal does not count.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs 2 rows, {self.count} were added")
        self._settle()
        upper = torch.addr(self._products, self._total, self._total, alpha=-1.0 / self._settled)
        return upper.div_(self._settled - 1)

    @property
    def mean(self) -> Float64Array:
        """Mean (D,), float64."""
        return self.mean_tensor().cpu().numpy()

    @property
    def covariance(self) -> Float64Array:
        """Covariance (D, D) of divisor n - 1, float64, exactly symmetric."""
        return symmetric_from_upper(self.upper_covariance()).cpu().numpy()
