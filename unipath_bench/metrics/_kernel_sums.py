"""Kernels, and sums of kernel matrices taken by tiles, so that no n x n matrix is ever held.

On the CPU each stripe of rows has a thread of its own, and tiles are so small that they stay in its cache: the
arithmetic of a kernel goes over them several times. What a stripe gives does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch

from unipath_bench.metrics._arrays import Float64Array, check_count
from unipath_bench.metrics._linalg import product, squared_lengths
from unipath_bench.metrics.threads import thread_pools

TILE_ROWS, TILE_COLUMNS = 256, 512
THREADED = 1 << 18
"""Pairs from which on threads are worth their start."""
_Found = TypeVar("_Found")


class Kernel(Protocol):
    """Kernel values of all pairs of rows."""

    def __call__(self, a: torch.Tensor, b: torch.Tensor, memory: torch.Tensor | None = None) -> torch.Tensor:
        """(len(a), len(b)) float64 values, in ``memory`` (one-dimensional, large enough) where given."""
        ...


def _products(a: torch.Tensor, b: torch.Tensor, memory: torch.Tensor | None) -> torch.Tensor:
    out = None if memory is None else memory[: len(a) * len(b)].view(len(a), len(b))
    return product(a, b.T, out=out)


def _in_place(values: torch.Tensor) -> tuple[Any, Any]:
    """Return what changes ``values`` in place, and its module.

    On the CPU this is numpy's array and numpy, since torch's own threads would get in the way of those of the products.
    """
    return (values.numpy(), np) if values.device.type == "cpu" else (values, torch)


@dataclass(frozen=True)
class PolynomialKernel:
    """k(a, b) = (gamma a.b + coef0)^degree; ``gamma`` None means 1 / D."""

    degree: int = 3
    gamma: float | None = None
    coef0: float = 1.0

    def __post_init__(self) -> None:
        check_count(self.degree, "degree")
        if self.gamma is not None and not (np.isfinite(self.gamma) and self.gamma > 0):
            raise ValueError(f"gamma: {self.gamma} is not a positive number")
        if not np.isfinite(self.coef0):
            raise ValueError(f"coef0: {self.coef0} is not finite")

    def __call__(self, a: torch.Tensor, b: torch.Tensor, memory: torch.Tensor | None = None) -> torch.Tensor:
        gamma = 1.0 / a.shape[1] if self.gamma is None else self.gamma
        values = _products(a, b, memory)
        powers, _ = _in_place(values)
        powers *= gamma
        powers += self.coef0
        once = powers + 0.0
        for _ in range(1, self.degree):
            powers *= once
        return values


@dataclass(frozen=True)
class GaussianKernelMinusOne:
    """k(a, b) - 1 = expm1(-|a - b|^2 / (2 sigma^2)).

    A constant cancels out of a maximum mean discrepancy; without it, small differences from 1 keep their
    digits.
    """

    sigma: float = 10.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sigma) and self.sigma > 0):
            raise ValueError(f"sigma: {self.sigma} is not a positive number")

    def __call__(self, a: torch.Tensor, b: torch.Tensor, memory: torch.Tensor | None = None) -> torch.Tensor:
        values = _products(a, b, memory)
        lengths = squared_lengths(a)[:, None], squared_lengths(b)[None, :]
        squared, module = _in_place(values)
        squared *= -2.0
        for part in lengths:
            squared += part if module is torch else part.numpy()
        module.clip(squared, 0, None, out=squared)
        squared *= -0.5 / self.sigma**2
        module.expm1(squared, out=squared)
        return values


class RowSums(NamedTuple):
    """Sums of one kernel matrix along its rows, over the pairs that count, and how many pairs each row has."""

    sums: Float64Array
    counts: Float64Array


def _codes(values: Float64Array | np.ndarray | None, device: torch.device) -> torch.Tensor | None:
    return None if values is None else torch.from_numpy(np.ascontiguousarray(values)).to(device)


def _by_stripes(work: Callable[[int], _Found], rows: int, pairs: int, device: torch.device) -> Iterator[_Found]:
    """``work`` of the first row of each stripe, in their order."""
    starts = range(0, rows, TILE_ROWS)
    threads = torch.get_num_threads() if device.type == "cpu" and pairs >= THREADED else 1
    if threads == 1:
        yield from map(work, starts)
        return
    with thread_pools().limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, starts)


def within_row_sums(x: torch.Tensor, kernel: Kernel, units: np.ndarray | None = None) -> RowSums:
    """For each row i of ``x``: sum of k(x_i, x_j) over all j of another unit (all j != i without units).

    Upper tiles only: each kernel value is computed once and counted for both of its rows.
    """
    rows = x.double()
    n = len(rows)
    codes = torch.arange(n, device=rows.device) if units is None else _codes(units, rows.device)
    assert codes is not None  # nosec B101  # tells the type checker what holds

    def stripe(start: int) -> tuple[slice, torch.Tensor, torch.Tensor]:
        """Of a stripe with itself and all rows after it: its rows, their sums, and those of the rows after it."""
        stop = min(start + TILE_ROWS, n)
        block = rows[start:stop]
        # A product of a block with its own transpose costs half as much as one of two different blocks.
        values = kernel(block, block)
        if units is None:
            values.fill_diagonal_(0)
        else:
            _blank(values, codes[start:stop], codes[start:stop])
        own, later = _sum(values, 1), torch.empty(n - stop, dtype=torch.float64, device=rows.device)
        for begin in range(stop, n, TILE_COLUMNS):
            columns = slice(begin, min(begin + TILE_COLUMNS, n))
            values = kernel(block, rows[columns])
            if units is not None:
                _blank(values, codes[start:stop], codes[columns])
            own += _sum(values, 1)
            later[begin - stop : columns.stop - stop] = _sum(values, 0)
        return slice(start, stop), own, later

    sums = torch.zeros(n, dtype=torch.float64, device=rows.device)
    for part, own, later in _by_stripes(stripe, n, n * n // 2, rows.device):
        sums[part] += own
        sums[part.stop :] += later
    sizes = torch.bincount(torch.unique(codes, return_inverse=True)[1])
    own = sizes[torch.unique(codes, return_inverse=True)[1]]
    return RowSums(sums.cpu().numpy(), (n - own).double().cpu().numpy())


def between_row_sums(
    x: torch.Tensor,
    y: torch.Tensor,
    kernel: Kernel,
    units: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[RowSums, RowSums]:
    """Return the sums of k(x_i, y_j) over the rows of ``x`` and over the rows of ``y``.

    Where ``units`` are given, pairs of the same unit are left out.
    """
    a, b = x.double(), y.double()
    first, second = (None, None) if units is None else (_codes(units[0], a.device), _codes(units[1], a.device))

    def stripe(start: int) -> tuple[slice, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of a stripe of ``a`` with all of ``b``: its rows, their sums, the columns' sums, and the pairs left out."""
        stop = min(start + TILE_ROWS, len(a))
        own, each = (torch.zeros(size, dtype=torch.float64, device=a.device) for size in (stop - start, len(b)))
        left_out, left_out_each = torch.zeros_like(own), torch.zeros_like(each)
        for begin in range(0, len(b), TILE_COLUMNS):
            columns = slice(begin, min(begin + TILE_COLUMNS, len(b)))
            values = kernel(a[start:stop], b[columns])
            if first is not None and second is not None:
                same = _blank(values, first[start:stop], second[columns])
                if same is not None:
                    left_out += _sum(same, 1)
                    left_out_each[columns] = _sum(same, 0).double()
            own += _sum(values, 1)
            each[columns] = _sum(values, 0)
        return slice(start, stop), own, each, left_out, left_out_each

    row_sums = torch.zeros(len(a), dtype=torch.float64, device=a.device)
    column_sums = torch.zeros(len(b), dtype=torch.float64, device=a.device)
    row_counts = torch.full((len(a),), float(len(b)), dtype=torch.float64, device=a.device)
    column_counts = torch.full((len(b),), float(len(a)), dtype=torch.float64, device=a.device)
    for part, own, each, left_out, left_out_each in _by_stripes(stripe, len(a), len(a) * len(b), a.device):
        row_sums[part] = own
        column_sums += each
        row_counts[part] -= left_out
        column_counts -= left_out_each
    return (
        RowSums(row_sums.cpu().numpy(), row_counts.cpu().numpy()),
        RowSums(column_sums.cpu().numpy(), column_counts.cpu().numpy()),
    )


def _blank(values: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor | None:
    """Set the values of pairs of equal codes to zero. Where they are, as ``values``; None: there are none."""
    if values.device.type != "cpu":
        same = first[:, None] == second[None, :]
        values.masked_fill_(same, 0)
        return same
    where = first.numpy()[:, None] == second.numpy()[None, :]
    if not where.any():
        return None
    np.putmask(values.numpy(), where, 0)
    return torch.from_numpy(where)


def _sum(values: torch.Tensor, axis: int) -> torch.Tensor:
    if values.device.type != "cpu":
        return values.sum(axis)
    return torch.from_numpy(values.numpy().sum(axis))
