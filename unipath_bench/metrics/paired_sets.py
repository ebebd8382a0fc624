"""Contributions of set-level figures to paired differences: whole blocks of units are left out of both sets in turn.

Precision, recall, density, coverage and text-to-image recall are recomputed without each block; no interval has been
shown to cover them for one generator, but in the difference of two generators of one n what their bias has in common
cancels, and so does the noise of the shared real set and prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from unipath_bench.metrics._arrays import Features, Float64Array, FloatArray, Keys, as_codes, as_matrix_pair
from unipath_bench.metrics.frechet_uncertainty import BLOCKS, BlockedSet, block_design, replicate, too_few
from unipath_bench.metrics.paired import Contributions, contributions_of_replicates
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut
from unipath_bench.metrics.units import design_limit

MANIFOLD_FIGURES = ("precision", "recall", "density", "coverage")
_BLOCK_ROWS = 256
_FEW = 32
"""Neighbours beyond the k-th that are looked at first."""
Codes = npt.NDArray[np.int64]


def frechet_contributions(
    real: Features, generated: Features, *, units_real: Keys, units_generated: Keys, blocks: int = BLOCKS, seed: int = 0
) -> Contributions | str:
    """Of the bias-freed Frechet distance of two matched sets, (n, D) and (m, D); the reason where the sample cannot
    carry one: above min(n / 4, units / 2) dimensions, or below 8 units."""
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


def manifold_without_blocks(
    real: FloatArray, generated: FloatArray, blocks_real: Codes, blocks_generated: Codes, *, k: int = 5
) -> dict[str, LeaveOneOut]:
    """Precision, recall, density and coverage of (n, D) and (m, D), and the same without each block of both sets.

    ``blocks_*`` number each row's block from 0. Radii are those of what is left. Raises ``ValueError`` where a block
    leaves ``k`` rows or fewer.
    """
    number = int(max(blocks_real.max(), blocks_generated.max())) + 1
    kept_real, kept_generated = (_kept(blocks, number) for blocks in (blocks_real, blocks_generated))
    real_radii = _radii(real, blocks_real, number, k)
    generated_radii = _radii(generated, blocks_generated, number, k)
    rows_grown, columns_grown = (
        (radii > radii[-1]) & kept for radii, kept in ((real_radii, kept_real), (generated_radii, kept_generated))
    )
    outside_real, outside_generated = (kept[:-1].T.astype(np.float32) for kept in (kept_real, kept_generated))
    inside, covered, recalled = np.zeros((3, number + 1))
    hits = np.zeros((number + 1, len(generated)))
    for start in range(0, len(real), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        distances = cdist(real[rows], generated, "sqeuclidean")
        # With the radii of all rows: counts outside a block are sums. A radius without a block is larger for the few
        # rows that have a near neighbour in it, and only there can something be added.
        within = distances < real_radii[-1, rows, None]
        reached = distances < generated_radii[-1]
        balls, reaches = _counts(within, outside_generated), _counts(reached, outside_generated)
        hits += _counts(within.T, outside_real[rows]).T
        for block in range(number):
            grown = np.flatnonzero(rows_grown[block, rows])
            more = distances[grown] < real_radii[block, rows][grown, None]
            more &= ~within[grown]
            hits[block] += more.sum(0)
            balls[grown, block] += (more & kept_generated[block]).sum(1)
            columns = np.flatnonzero(columns_grown[block])
            further = distances[:, columns] < generated_radii[block, columns]
            further &= ~reached[:, columns]
            reaches[:, block] += further.sum(1)
        mine = kept_real[:, rows].T
        inside += (balls * mine).sum(0)
        covered += ((balls > 0) & mine).sum(0)
        recalled += ((reaches > 0) & mine).sum(0)
    precise = (hits > 0) & kept_generated
    n, m = kept_real.sum(1), kept_generated.sum(1)
    figures = {"precision": precise.sum(1) / m, "recall": recalled / n, "density": inside / (k * m)}
    figures["coverage"] = covered / n
    return {name: LeaveOneOut(float(values[-1]), values[:-1]) for name, values in figures.items()}


def _kept(blocks: Codes, number: int) -> npt.NDArray[np.bool_]:
    """Which rows are left without each block, and in the last line all: (blocks + 1, n)."""
    return np.vstack([blocks != np.arange(number)[:, None], np.ones((1, len(blocks)), np.bool_)])


def _radii(rows: FloatArray, blocks: Codes, number: int, k: int) -> Float64Array:
    """Squared distance of each row to its k-th nearest neighbour without each block, and with all: (blocks + 1, n)."""
    sizes = np.bincount(blocks, minlength=number)
    if len(rows) - sizes.max() <= k:
        raise ValueError(f"{len(rows) - sizes.max()} rows are left without some block, and more than {k} are needed")
    radii = np.empty((number + 1, len(rows)))
    for start in range(0, len(rows), _BLOCK_ROWS):
        distances = cdist(rows[start : start + _BLOCK_ROWS], rows, "sqeuclidean")
        own = np.arange(len(distances))
        distances[own, start + own] = np.inf
        width = k + _FEW
        while own.size:
            # Of most rows a few nearest neighbours are enough: k of them are outside each block.
            found = _nearest_outside(distances[own], blocks, number, k, min(width, len(rows)))
            known = np.isfinite(found).all(0)
            radii[:, start + own[known]] = found[:, known]
            own, width = own[~known], 4 * width
    return radii


def _nearest_outside(distances: Float64Array, blocks: Codes, number: int, k: int, width: int) -> Float64Array:
    """Of each row's ``width`` smallest distances, the k-th that is outside each block, and of all: (blocks + 1, n);
    infinite where fewer than ``k`` are."""
    chosen = np.argpartition(distances, width - 1, axis=1)[:, :width]
    near = np.take_along_axis(distances, chosen, 1)
    order = np.argsort(near, axis=1)
    near = np.take_along_axis(near, order, 1)
    block_of = np.take_along_axis(blocks[chosen], order, 1)
    found = np.empty((number + 1, len(distances)))
    rows = np.arange(len(distances))
    for block in range(number + 1):
        left = np.cumsum(block_of != block, axis=1)
        found[block] = np.where(left[:, -1] >= k, near[rows, (left >= k).argmax(1)], np.inf)
    return found


def recall_without_blocks(
    queries: FloatArray, gallery: FloatArray, keys: Keys, blocks: Codes, ks: Sequence[int]
) -> dict[int, LeaveOneOut]:
    """Recall@k of queries (n, D) among a gallery (n, D) that answers them row by row, both of unit length, and the same
    without each block of rows of both.

    Items of a query's key are relevant; ties count at their expected rank, as in
    :func:`unipath_bench.metrics.retrieval.recall_per_query`.
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
    """Mean over galleries of the same blocks."""
    return {
        k: LeaveOneOut(
            float(np.mean([each[k].value for each in figures])), np.mean([each[k].without for each in figures], axis=0)
        )
        for k in figures[0]
    }
