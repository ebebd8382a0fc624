"""Kernels, and sums of kernel matrices taken by blocks, so that no n x n matrix is ever held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch

from unipath_bench.metrics._arrays import Float64Array, check_count
from unipath_bench.metrics._linalg import product, squared_lengths

BLOCK_ROWS = 1024


class Kernel(Protocol):
    """Kernel values of all pairs of rows."""

    def __call__(self, a: torch.Tensor, b: torch.Tensor, memory: torch.Tensor | None = None) -> torch.Tensor:
        """(len(a), len(b)) float64 values, in ``memory`` (one-dimensional, large enough) where given."""
        ...


def _products(a: torch.Tensor, b: torch.Tensor, memory: torch.Tensor | None) -> torch.Tensor:
    out = None if memory is None else memory[: len(a) * len(b)].view(len(a), len(b))
    return product(a, b.T, out=out)


def block_memory(columns: torch.Tensor) -> torch.Tensor:
    """Memory for the kernel values of one block of rows with all of ``columns``, to be used for every block."""
    return torch.empty(BLOCK_ROWS * len(columns), dtype=torch.float64, device=columns.device)


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
        return _products(a, b, memory).mul_(gamma).add_(self.coef0).pow_(self.degree)


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
        squared = _products(a, b, memory).mul_(-2.0)
        squared += squared_lengths(a)[:, None]
        squared += squared_lengths(b)[None, :]
        return squared.clamp_(min=0).mul_(-0.5 / self.sigma**2).expm1_()


class RowSums(NamedTuple):
    """Sums of one kernel matrix along its rows, over the pairs that count, and how many pairs each row has."""

    sums: Float64Array
    counts: Float64Array


def _codes(values: Float64Array | np.ndarray | None, device: torch.device) -> torch.Tensor | None:
    return None if values is None else torch.from_numpy(np.ascontiguousarray(values)).to(device)


def within_row_sums(x: torch.Tensor, kernel: Kernel, units: np.ndarray | None = None) -> RowSums:
    """For each row i of ``x``: sum of k(x_i, x_j) over all j of another unit (all j != i without units).

    Upper blocks only: each kernel value is computed once and counted for both of its rows.
    """
    rows = x.double()
    n = len(rows)
    codes = torch.arange(n, device=rows.device) if units is None else _codes(units, rows.device)
    assert codes is not None  # nosec B101  # tells the type checker what holds
    sums = torch.zeros(n, dtype=torch.float64, device=rows.device)
    memory = block_memory(rows)
    for start in range(0, n, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n)
        block = rows[start:stop]
        # A product of a block with its own transpose costs half as much as one of two different blocks.
        values = kernel(block, block, memory)
        if units is None:
            values.fill_diagonal_(0)
        else:
            values.masked_fill_(codes[start:stop, None] == codes[None, start:stop], 0)
        sums[start:stop] += values.sum(1)
        values = kernel(block, rows[stop:], memory)
        if units is not None:
            values.masked_fill_(codes[start:stop, None] == codes[None, stop:], 0)
        sums[start:stop] += values.sum(1)
        sums[stop:] += values.sum(0)
    sizes = torch.bincount(torch.unique(codes, return_inverse=True)[1])
    own = sizes[torch.unique(codes, return_inverse=True)[1]]
    return RowSums(sums.cpu().numpy(), (n - own).double().cpu().numpy())


def between_row_sums(
    x: torch.Tensor,
    y: torch.Tensor,
    kernel: Kernel,
    units: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[RowSums, RowSums]:
    """Sums of k(x_i, y_j) over the rows of ``x`` and over the rows of ``y``; pairs of one unit are left out
    where given.
    """
    a, b = x.double(), y.double()
    first, second = (None, None) if units is None else (_codes(units[0], a.device), _codes(units[1], a.device))
    row_sums = torch.zeros(len(a), dtype=torch.float64, device=a.device)
    column_sums = torch.zeros(len(b), dtype=torch.float64, device=a.device)
    row_counts = torch.full((len(a),), float(len(b)), dtype=torch.float64, device=a.device)
    column_counts = torch.full((len(b),), float(len(a)), dtype=torch.float64, device=a.device)
    memory = block_memory(b)
    for start in range(0, len(a), BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, len(a))
        values = kernel(a[start:stop], b, memory)
        if first is not None and second is not None:
            same = first[start:stop, None] == second[None, :]
            values.masked_fill_(same, 0)
            row_counts[start:stop] -= same.sum(1)
            column_counts -= same.sum(0)
        row_sums[start:stop] = values.sum(1)
        column_sums += values.sum(0)
    return (
        RowSums(row_sums.cpu().numpy(), row_counts.cpu().numpy()),
        RowSums(column_sums.cpu().numpy(), column_counts.cpu().numpy()),
    )
