"""The C_T test of data copying."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unipath_bench.metrics._arrays import Float64Array, FloatArray, Keys, as_codes, as_values

LEAST_GENERATED = 20


class CopyingTest(NamedTuple):
    """Result of the data-copying test.

    ``statistic``: C_T, below 0 where generated samples lie nearer to the training set than real held-out ones do, about
    standard normal in one cell where they lie alike; ``cells``: z-score of each cell that counted, by its code;
    ``left_out``: cells with too few samples to count.
    """

    statistic: float
    cells: dict[int, float]
    left_out: tuple[int, ...]


def copying_z_score(generated: FloatArray, held_out: FloatArray) -> float:
    """Mann-Whitney z-score of two samples of nearest-training distances; below 0 where the generated ones are smaller.

    With U the number of pairs in which the generated distance is larger, ties one half: z = (U - n m / 2) /
    sqrt(n m (n + m + 1) / 12), with the usual correction of the variance for ties; 0 where all are tied.
    """
    a, b = as_values(generated, "generated"), as_values(held_out, "held_out")
    n, m = len(a), len(b)
    both = np.concatenate([a, b])
    _, place, sizes = np.unique(both, return_inverse=True, return_counts=True)
    ranks: Float64Array = (np.cumsum(sizes) - (sizes - 1) / 2)[place]
    u = ranks[:n].sum() - n * (n + 1) / 2
    ties = float((sizes.astype(np.float64) ** 3 - sizes).sum())
    variance = n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1)))
    return 0.0 if variance <= 0 else float((u - n * m / 2) / math.sqrt(variance))


def copying_test(
    generated: FloatArray,
    held_out: FloatArray,
    *,
    generated_cells: Keys | None = None,
    held_out_cells: Keys | None = None,
    least: int = LEAST_GENERATED,
) -> CopyingTest:
    """C_T of Meehan, Chaudhuri and Dasgupta 2020, arXiv 2004.05675.

    ``generated`` (n,) and ``held_out`` (m,): distances to the nearest training sample. ``*_cells``: code of
    the cell of feature space that each sample lies in, from any partition fitted on the training set; None
    takes all samples as one cell. C_T is the mean of the cells' z-scores, weighted by their held-out counts,
    over the cells that hold at least ``least`` generated samples and one held-out sample. Raises
    ``ValueError`` where no cell does.
    """
    a, b = as_values(generated, "generated"), as_values(held_out, "held_out")
    if (generated_cells is None) != (held_out_cells is None):
        raise ValueError("cells are needed for both sets, or for neither")
    first = _cells(generated_cells, "generated_cells", len(a))
    second = _cells(held_out_cells, "held_out_cells", len(b))
    scores: dict[int, float] = {}
    weights = []
    left_out = []
    for cell in np.union1d(first, second).tolist():
        mine, real = a[first == cell], b[second == cell]
        if len(mine) < least or not len(real):
            left_out.append(int(cell))
            continue
        scores[int(cell)] = copying_z_score(mine, real)
        weights.append(len(real))
    if not scores:
        raise ValueError(f"no cell holds {least} generated samples and a held-out one")
    return CopyingTest(float(np.average(list(scores.values()), weights=weights)), scores, tuple(left_out))


def _cells(cells: Keys | None, name: str, length: int) -> npt.NDArray[np.int64]:
    return np.zeros(length, np.int64) if cells is None else as_codes(cells, name, length)
