"""Uncertainty of a difference of two levels, for any metric: balanced half-samples of whole patients.

Patients are cut into 2 H blocks, the blocks paired, and one of each pair taken into the first half, the other into the
second, H times, as the columns of a Hadamard matrix say. With theta(1) and theta(2) a figure on the two halves, the
mean of (theta(1) - theta(2))^2 / 4 over the H cuts estimates the variance of the figure on all patients with H degrees
of freedom (McCarthy, "Pseudo-replication: half samples", Review of the International Statistical Institute 1969;
37:239; Wolter, "Introduction to Variance Estimation", chapter 3). Both halves are of one size, so a bias that depends
on n, as that of a Frechet distance, cancels; and a metric need not be differentiable, nor a mean over images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.linalg import hadamard

from unipath_bench.metrics.units import assign_blocks, units_of

Rows = npt.NDArray[np.int64]

MOST_PAIRS = 8
FEWEST_PAIRS = 4


def pairs_of_blocks(units: int) -> int:
    """H for so many patients: 8, or 4 where there are fewer than 16; 0 where there are fewer than 8."""
    return next((h for h in (MOST_PAIRS, FEWEST_PAIRS) if units >= 2 * h), 0)


def balanced_halves(units: Sequence[str], seed: int = 0) -> list[tuple[Rows, Rows]]:
    """H cuts of the rows into two halves, each patient whole in one; empty with fewer than 8 patients.

    ``units`` names the patient of each row.
    """
    _, codes = np.unique(np.asarray(units, dtype=np.str_), return_inverse=True)
    known = units_of(codes, len(codes))
    pairs = pairs_of_blocks(known.number)
    if not pairs:
        return []
    block = assign_blocks(known.sizes, 2 * pairs, seed)[known.codes]
    signs = hadamard(pairs)
    cuts = []
    for row in signs:
        first = (block % 2 == 0) == (row[block // 2] > 0)
        cuts.append((np.flatnonzero(first), np.flatnonzero(~first)))
    return cuts


def standard_error(first: Sequence[float], second: Sequence[float]) -> float:
    """Of a figure on all patients, from its values on the first and on the second halves of each cut."""
    gaps = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return math.sqrt(float(np.mean(gaps**2)) / 4)
