"""Contributions of set-level figures to paired differences: whole blocks of units are left out of both sets in turn.

Precision, recall, density, coverage and text-to-image recall are recomputed without each block; no interval has been
shown to cover them for one generator, but in the difference of two generators of one n what their bias has in common
cancels, and so does the noise of the shared real set and prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from unipath_bench.metrics._arrays import Features, Float64Array, FloatArray, Keys, as_codes, as_matrix_pair
from unipath_bench.metrics.frechet_uncertainty import BLOCKS, BlockedSet, block_design, replicate, too_few
from unipath_bench.metrics.paired import Contributions, contributions_of_replicates
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut
from unipath_bench.metrics.units import design_limit

_BLOCK_ROWS = 256
Codes = npt.NDArray[np.int64]


def frechet_contributions(
    real: Features, generated: Features, *, units_real: Keys, units_generated: Keys, blocks: int = BLOCKS, seed: int = 0
) -> Contributions | str:
    """Contributions to the Frechet distance, with its bias removed, of two matched sets, (n, D) and (m, D).

    Returns the reason instead where the sample is too small for them: above min(n / 4, units / 2) dimensions, or below
    8 units.

    Examples:
        Two dimensions of ten samples are all that a quarter of them allows; of three it is said why not.

        >>> import numpy as np
        >>> rows, units = np.random.default_rng(0).normal(size=(10, 3)), range(10)
        >>> frechet_contributions(rows, rows, units_real=units, units_generated=units)
        '3 dimensions are more than 10 samples in 10 units allow (2)'
        >>> found = frechet_contributions(rows[:, :2], rows[:, :2], units_real=units, units_generated=units)
        >>> round(abs(found.estimate), 9), len(found.parts)
        (0.0, 10)
    """
    a, b = as_matrix_pair(real, generated, ("real", "generated"), minimum_rows=2)
    design = block_design(len(a), len(b), units_real, units_generated, True, blocks, seed)
    dimension, samples, units = a.shape[1], min(len(a), len(b)), design.first.number
    reason = too_few(dimension, samples, units, design.blocks)
    if reason is None and dimension > design_limit(samples, units):
        reason = (
            f"{dimension} dimensions are more than {samples} samples in {units} units allow "
            f"({design_limit(samples, units)})"
        )
    if reason is not None:
        return reason
    first, second = (
        BlockedSet(rows, block, design.blocks) for rows, block in ((a, design.first_blocks), (b, design.second_blocks))
    )
    return contributions_of_replicates(replicate(first, second, seed))


def recall_without_blocks(
    queries: FloatArray, gallery: FloatArray, keys: Keys, blocks: Codes, ks: Sequence[int]
) -> dict[int, LeaveOneOut]:
    """Recall@k of queries (n, D) among a gallery (n, D), and the same without each block of rows of both.

    Both are of unit length, and row i of the gallery answers row i of the queries. Items of a query's key are relevant;
    ties count at their expected rank, as in :func:`unipath_bench.metrics.retrieval.recall_per_query`.

    Examples:
        The second query is nearer to the first one's answer than to its own; without that, both are right.

        >>> import numpy as np
        >>> queries = np.array([[1.0, 0.0], [0.8, 0.6]])
        >>> gallery = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> found = recall_without_blocks(queries, gallery, [0, 1], np.array([0, 1]), ks=[1])[1]
        >>> found.value, found.without.tolist()
        (0.5, [1.0, 1.0])
    """
    codes = as_codes(keys, "keys", len(queries))
    number = int(blocks.max()) + 1
    member = np.eye(number)[blocks]
    outside = (1 - member).astype(np.float32)
    relevant = np.bincount(codes)[codes]
    left = relevant[:, None] - (codes[:, None] == codes[None, :]).astype(np.float64) @ member
    hits = {k: np.zeros(number + 1) for k in ks}
    for start in range(0, len(queries), _BLOCK_ROWS):
        scores = queries[start : start + _BLOCK_ROWS] @ gallery.T
        query, item = np.nonzero(codes[start : start + _BLOCK_ROWS, None] == codes[None, :])
        own = scores[query, item][:, None]
        better, equal = scores[query] > own, scores[query] == own
        # In the last column all rows, in the others all but a block's.
        above = _counts(better, outside)
        ties = _counts(equal, outside)
        asked = start + query
        there = np.hstack([outside[asked] * outside[item], np.ones((len(asked), 1))])
        share = np.hstack([left[asked], relevant[asked, None]])
        for k in ks:
            found = np.clip((k - above) / np.maximum(ties, 1), 0, 1) * there
            hits[k] += (found / np.maximum(share, 1)).sum(0)
    rows = np.append(len(queries) - member.sum(0), len(queries))
    return {k: LeaveOneOut(float(found[-1] / rows[-1]), (found / rows)[:-1]) for k, found in hits.items()}


def _counts(flags: npt.NDArray[np.bool_], outside: npt.NDArray[np.float32]) -> Float64Array:
    """Number of flags (n, m) outside each block (m, blocks), and in all: (n, blocks + 1), exact below 2^24."""
    numbers = flags.astype(np.float32)
    return np.hstack([numbers @ outside, numbers.sum(1, keepdims=True)]).astype(np.float64)


def mean_figures(figures: Sequence[Mapping[int, LeaveOneOut]]) -> dict[int, LeaveOneOut]:
    """Mean over galleries of the same blocks.

    Examples:
        Means are taken entry by entry.

        >>> import numpy as np
        >>> low, high = LeaveOneOut(0.25, np.array([0.0, 0.5])), LeaveOneOut(0.75, np.array([1.0, 0.5]))
        >>> found = mean_figures([{1: low}, {1: high}])[1]
        >>> found.value, found.without.tolist()
        (0.5, [0.5, 0.5])
    """
    return {
        k: LeaveOneOut(
            float(np.mean([each[k].value for each in figures])), np.mean([each[k].without for each in figures], axis=0)
        )
        for k in figures[0]
    }
