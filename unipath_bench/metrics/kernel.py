"""Kernel distances between two sets of features: KID and CMMD, both unbiased.

With a kernel k the squared maximum mean discrepancy has the unbiased estimate (Gretton et al. 2012, JMLR 13,
eq. 3)

    MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)

It may be negative where the two sets are alike. All arithmetic is float64; kernel matrices are taken by
blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from unipath_bench.metrics._arrays import Features, Float64Array, as_matrix_pair, check_count, row_blocks, unit_rows
from unipath_bench.metrics._kernel_sums import (
    GaussianKernelMinusOne,
    Kernel,
    PolynomialKernel,
    between_row_sums,
    within_row_sums,
)
from unipath_bench.metrics._linalg import product

Indices = npt.NDArray[np.int64]
CMMD_SCALE = 1000.0
BLOCK_ROWS = 1024


class KernelDistance(NamedTuple):
    """KID and what it was taken over.

    ``mean`` is the mean of MMD^2 over the subsets; ``std_over_subsets`` the standard deviation of these
    values (divisor: the number of subsets), which is **not** a standard error of the mean, since the subsets
    overlap.
    """

    mean: float
    std_over_subsets: float
    subset_size: int
    subsets: int
    seed: int


def draw_subsets(n: int, m: int, subset_size: int, subsets: int, seed: int) -> tuple[Indices, Indices]:
    """Row indices (subsets, subset_size) into both sets, without replacement inside a subset.

    The stream of the legacy generator is the one of torch-fidelity 0.4: for one seed both draw the same
    subsets.

    Examples:
        Three rows drawn of three without replacement are all of them, in some order.

        >>> import numpy as np
        >>> first, second = draw_subsets(3, 5, subset_size=3, subsets=2, seed=0)
        >>> np.sort(first).tolist(), second.shape
        ([[0, 1, 2], [0, 1, 2]], (2, 3))
    """
    generator = np.random.RandomState(seed)
    first = np.empty((subsets, subset_size), np.int64)
    second = np.empty((subsets, subset_size), np.int64)
    for row in range(subsets):
        first[row] = generator.choice(n, subset_size, replace=False)
        second[row] = generator.choice(m, subset_size, replace=False)
    return first, second


def kernel_distance(
    x: Features,
    y: Features,
    *,
    subset_size: int = 1000,
    subsets: int = 100,
    seed: int = 0,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
) -> KernelDistance:
    """Kernel (Inception) distance: unbiased MMD^2 of a polynomial kernel, averaged over random subsets.

    Binkowski et al. 2018, arXiv 1801.01401. ``x`` (n, D) and ``y`` (m, D); ``gamma`` None means 1 / D.
    ``subset_size`` must be below n and m: at n, all subsets are the same set and their spread says nothing.
    Raises ``ValueError`` for that, for wrong shapes, NaN or infinity.

    Examples:
        In one dimension the kernel is (x y + 1)^3: 1 among zeros, 2^3 among ones, 1 between them. So each subset gives
        1 + 8 - 2 * 1.

        >>> import numpy as np
        >>> found = kernel_distance(np.zeros((4, 1)), np.ones((4, 1)), subset_size=2, subsets=10)
        >>> found.mean, found.std_over_subsets
        (7.0, 0.0)
    """
    kernel = PolynomialKernel(degree, gamma, coef0)
    check_count(subset_size, "subset_size", minimum=2)
    check_count(subsets, "subsets")
    a, b = as_matrix_pair(x, y, minimum_rows=3)
    smaller = min(len(a), len(b))
    if subset_size >= smaller:
        raise ValueError(f"subset_size: {subset_size} is not below the {smaller} rows of the smaller set")
    first, second = draw_subsets(len(a), len(b), subset_size, subsets, seed)
    if max(len(a), len(b)) ** 2 <= subsets * subset_size**2:
        values = _from_one_gram(a, b, first, second, kernel)
    else:
        values = _subset_by_subset(a, b, first, second, kernel)
    return KernelDistance(float(values.mean()), float(values.std()), subset_size, subsets, seed)


def _indicator(indices: Indices, n: int, device: torch.device) -> torch.Tensor:
    """(n, subsets) float64: 1 where the row is in the subset."""
    indicator = torch.zeros(n, len(indices), dtype=torch.float64, device=device)
    return indicator.scatter_(0, torch.from_numpy(indices.T.copy()).to(device), 1.0)


def _from_one_gram(a: torch.Tensor, b: torch.Tensor, first: Indices, second: Indices, kernel: Kernel) -> Float64Array:
    """All subsets from one pass over the kernel matrices: with indicator columns s, each sum is s^T K s."""
    a, b = a.double(), b.double()
    in_a, in_b = _indicator(first, len(a), a.device), _indicator(second, len(b), b.device)
    size = first.shape[1]
    within = torch.zeros(len(first), dtype=torch.float64, device=a.device)
    between = torch.zeros_like(within)
    memory = torch.empty(BLOCK_ROWS * max(len(a), len(b)), dtype=torch.float64, device=a.device)
    for rows, members in ((a, in_a), (b, in_b)):
        for start, block in row_blocks(rows, BLOCK_ROWS):
            stop = start + len(block)
            mine = members[start:stop]
            # A product of a block with its own transpose costs half as much as one of two different blocks.
            values = kernel(block, block, memory).fill_diagonal_(0)
            within += (mine * product(values, mine)).sum(0)
            values = kernel(block, rows[stop:], memory)
            within += 2 * (mine * product(values, members[stop:])).sum(0)
    for start, block in row_blocks(a, BLOCK_ROWS):
        values = kernel(block, b, memory)
        between += (in_a[start : start + len(block)] * product(values, in_b)).sum(0)
    result: Float64Array = (within / (size * (size - 1)) - 2 * between / size**2).cpu().numpy()
    return result


def _subset_by_subset(
    a: torch.Tensor, b: torch.Tensor, first: Indices, second: Indices, kernel: Kernel
) -> Float64Array:
    values = np.empty(len(first))
    for row in range(len(first)):
        part_a = a[torch.from_numpy(first[row]).to(a.device)]
        part_b = b[torch.from_numpy(second[row]).to(b.device)]
        values[row] = _unbiased_mmd(part_a, part_b, kernel)
    return values


def _unbiased_mmd(a: torch.Tensor, b: torch.Tensor, kernel: Kernel) -> float:
    n, m = len(a), len(b)
    xx = float(within_row_sums(a, kernel).sums.sum()) / (n * (n - 1))
    yy = float(within_row_sums(b, kernel).sums.sum()) / (m * (m - 1))
    xy = float(between_row_sums(a, b, kernel)[0].sums.sum()) / (n * m)
    return xx + yy - 2 * xy


def unbiased_mmd_polynomial(
    x: Features, y: Features, *, degree: int = 3, gamma: float | None = None, coef0: float = 1.0
) -> float:
    """Unbiased MMD^2 of the polynomial kernel over all n and m rows: KID without subsets.

    Examples:
        With the kernel x y the pair 0, 2 gives 0, the pair 1, 3 gives 3, and between them the mean of 0, 0, 2 and 6
        is 2: 0 + 3 - 2 * 2. Being unbiased, it may be negative.

        >>> import numpy as np
        >>> x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]])
        >>> unbiased_mmd_polynomial(x, y, degree=1, gamma=1.0, coef0=0.0)
        -1.0
        >>> unbiased_mmd_polynomial(np.ones((4, 1)), np.ones((4, 1)))
        0.0
    """
    kernel = PolynomialKernel(degree, gamma, coef0)
    return _unbiased_mmd(*as_matrix_pair(x, y, minimum_rows=2), kernel)


def cmmd(x: Features, y: Features, sigma: float = 10.0, *, scale: float = CMMD_SCALE, normalise: bool = True) -> float:
    """CMMD: unbiased MMD^2 of a Gaussian kernel of width ``sigma`` on unit vectors, times ``scale``.

    Jayasumana et al. 2024, arXiv 2401.09603, which uses CLIP embeddings of unit length, sigma 10 and the
    scale 1,000. The reference implementation prints the biased V-statistic; this is the U-statistic.
    ``normalise`` brings rows to unit length first.

    Examples:
        Unit vectors at right angles have the squared distance 2, so for sigma 1 the kernel between the sets is exp(-1):
        1000 * (1 + 1 - 2 exp(-1)).

        >>> import math
        >>> import numpy as np
        >>> found = cmmd(np.array([[1.0, 0.0]] * 2), np.array([[0.0, 5.0]] * 2), sigma=1.0)
        >>> math.isclose(found, 2000 * (1 - math.exp(-1)))
        True
    """
    kernel = GaussianKernelMinusOne(sigma)
    a, b = as_matrix_pair(x, y, minimum_rows=2)
    if normalise:
        a, b = unit_rows(a, "x"), unit_rows(b, "y")
    return scale * _unbiased_mmd(a, b, kernel)
