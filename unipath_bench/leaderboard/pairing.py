"""Which of many entries are better than which, in one value: all pairs at once.

The same test as :func:`unipath_bench.views.comparison.pairs.find_pairs`, on arrays: a board of 200 entries has 19,900
pairs in each of its metrics.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.special import stdtr

from unipath_bench.metrics.estimate import holm
from unipath_bench.metrics.frechet_uncertainty import REFUSE_ABOVE, WIDEN_ABOVE, WIDEN_BY
from unipath_bench.metrics.paired import MINIMUM_BLOCKS
from unipath_bench.schema.record import Value
from unipath_bench.views.comparison.pairs import LEVEL, contributions

Better = npt.NDArray[np.bool_]
"""(E, E): whether the entry of the row is significantly better than that of the column."""


def find_better(values: Sequence[Value], names: Sequence[str], direction: str) -> Better:
    """Paired t tests of every two values that have contributions of the same blocks, at 5% after Holm (1979).

    Two values whose blocks differ, that have fewer than 8, or whose residual bias exceeds three standard errors are
    not told apart. Raises :class:`~unipath_bench.DataError` naming the entry whose contributions are damaged.
    """
    count = len(values)
    differences = np.zeros((count, count))
    p_values = np.full((count, count), np.nan)
    for rows in _alike(values):
        found = [contributions(values[row], names[row]) for row in rows]
        lengths = {len(each.parts) for each in found}
        if len(rows) < 2 or len(lengths) > 1 or min(lengths) < MINIMUM_BLOCKS:
            continue
        place = np.ix_(rows, rows)
        differences[place], p_values[place] = _test(
            np.asarray([each.estimate for each in found]),
            np.asarray([each.residual_bias for each in found]),
            np.stack([each.parts for each in found]),
        )
    first, second = np.triu_indices(count, 1)
    tested = np.isfinite(p_values[first, second])
    first, second = first[tested], second[tested]
    adjusted = np.asarray(holm(p_values[first, second].tolist()))
    significant = (adjusted < 1 - LEVEL) & (differences[first, second] != 0)
    first, second = first[significant], second[significant]
    first_is_better = (differences[first, second] < 0) == (direction == "lower")
    better = np.zeros((count, count), np.bool_)
    better[np.where(first_is_better, first, second), np.where(first_is_better, second, first)] = True
    return better


def _alike(values: Sequence[Value]) -> list[list[int]]:
    """Rows of the values whose blocks and method are the same."""
    groups: dict[tuple[str, str], list[int]] = {}
    for row, value in enumerate(values):
        if value.contributions is not None:
            groups.setdefault((value.contributions.blocks, value.contributions.method), []).append(row)
    return list(groups.values())


def _test(
    estimates: npt.NDArray[np.float64], residual_bias: npt.NDArray[np.float64], parts: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Differences (E, E) and their two-sided p-values, NaN where refused; see ``metrics.paired.judge_difference``."""
    blocks = parts.shape[1]
    value = estimates[:, None] - estimates[None, :]
    error = np.sqrt(blocks / (blocks - 1)) * cdist(parts, parts)
    bias = residual_bias[:, None] - residual_bias[None, :]
    stretch = np.where(np.abs(bias) > WIDEN_ABOVE * error, WIDEN_BY * bias, 0.0)
    doubt = np.maximum(0.0, np.where(value > 0, stretch, -stretch))
    distance = np.maximum(0.0, np.abs(value) - doubt)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_values = 2 * stdtr(blocks - 1, -np.where(error > 0, distance / error, np.where(distance > 0, np.inf, 0.0)))
    return value, np.where(np.abs(bias) > REFUSE_ABOVE * error, np.nan, p_values)
