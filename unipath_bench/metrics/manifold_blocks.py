"""Precision, recall, density and coverage, and the same without each of some blocks of both sets.

One pass over all pairs serves every block. With the radii of the whole sets a pair inside a ball is inside it without
any block that holds neither of the two, so that those counts are differences of sums. Without a block some radii grow,
those of rows that have a near neighbour in it: only pairs between the radius of the whole set and the largest one are
looked at block by block.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from unipath_bench.metrics._arrays import BoolArray, Float64Array, FloatArray, as_matrix_pair, check_count
from unipath_bench.metrics._neighbours import (
    CROWD,
    Frame,
    Prepared,
    exact_squared,
    lower_bounds,
    nearest,
    tiles,
    true_pairs,
)
from unipath_bench.metrics.manifold import RADIUS_SLACK, ManifoldScores
from unipath_bench.metrics.threads import one_torch_thread
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut

TILE_ROWS, TILE_COLUMNS = 1024, 2048
"""Where every pair of a tile is inside a ball, some 200 bytes are taken for each."""
MANIFOLD_FIGURES = ManifoldScores._fields
FEW = 16
"""Neighbours beyond the k-th that are looked at first for the radii without each block."""
Codes = npt.NDArray[np.int64]


class _Set(NamedTuple):
    """Rows (n, D), the block of each from 0, and squared radii (blocks + 1, n) without each block and with all."""

    rows: torch.Tensor
    blocks: Codes
    radii: Float64Array

    @property
    def kept(self) -> BoolArray:
        """Which rows are left without each block, and in the last line all: (blocks + 1, n)."""
        number = len(self.radii) - 1
        return np.vstack([self.blocks != np.arange(number)[:, None], np.ones((1, len(self.blocks)), np.bool_)])


class _Tally:
    """How many rows of the other set each row of one set is matched with, by block.

    Matches by the radii of the whole sets are counted for each block of the other set, and those that the absence of a
    block adds are counted for that block.
    """

    def __init__(self, rows: int, blocks: int) -> None:
        self._by_block, self._added = np.zeros((2, rows, blocks), np.int64)

    def add(self, mine: Codes, block_of_other: Codes) -> None:
        np.add.at(self._by_block, (mine, block_of_other), 1)

    def add_without(self, block: int, mine: Codes) -> None:
        np.add.at(self._added[:, block], mine, 1)

    def counts(self) -> npt.NDArray[np.int64]:
        """Without each block and, last, with all (rows, blocks + 1); those of a block's own rows mean nothing in it."""
        total = self._by_block.sum(1, keepdims=True)
        return np.hstack([total - self._by_block + self._added, total])


class _Filter(NamedTuple):
    """Both sets, and the squared radii of both on the scale of their bounds.

    A pair is surely inside the whole set's ball below ``inner``, and inside no ball above ``outer``.
    """

    sets: tuple[Prepared, Prepared]
    inner: tuple[torch.Tensor, torch.Tensor]
    outer: tuple[torch.Tensor, torch.Tensor]


@one_torch_thread()
def manifold_without_blocks(
    real: FloatArray, generated: FloatArray, blocks_real: Codes, blocks_generated: Codes, *, k: int = 5
) -> dict[str, LeaveOneOut]:
    """Precision, recall, density and coverage of (n, D) and (m, D), and the same without each block of both sets.

    ``blocks_*`` number each row's block from 0. Radii are those of what is left. Exact, as
    :func:`~unipath_bench.metrics.manifold.precision_recall_density_coverage` is. Raises ``ValueError`` where a block
    leaves ``k`` rows or fewer.

    Examples:
        Of two equal sets everything is covered, whichever block is left out of both.

        >>> import numpy as np
        >>> rows, blocks = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
        >>> recall = manifold_without_blocks(rows, rows, blocks, blocks, k=1)["recall"]
        >>> recall.value, recall.without.tolist()
        (1.0, [1.0, 1.0])
    """
    check_count(k, "k")
    number = int(max(blocks_real.max(), blocks_generated.max())) + 1
    pair = as_matrix_pair(real, generated, ("real", "generated"))
    first, second = (
        _Set(rows, blocks, _radii(rows, blocks, number, k))
        for rows, blocks in zip(pair, (blocks_real, blocks_generated), strict=True)
    )
    # Generated rows in each real ball, real balls around each generated row; the same the other way round.
    tallies = [[_Tally(len(s.blocks), number) for s in sets] for sets in ((first, second), (second, first))]
    quick = _filter(first, second, torch.float32)
    precise: _Filter | None = None
    for rows, columns in tiles(len(first.rows), len(second.rows), TILE_ROWS, TILE_COLUMNS):
        found = _candidates(quick, rows, columns)
        if sum(int((~sure).sum()) for _, _, sure in found) > CROWD * (rows.stop - rows.start) * k:
            precise = precise or _filter(first, second, torch.float64)
            found = _candidates(precise, rows, columns)
        for centre, (i, j, sure) in enumerate(found):
            squared = _squared(first.rows, i, second.rows, j, sure)
            pairs = i.numpy(force=True), j.numpy(force=True)
            if centre == 0:
                _count(tallies[0], (first, second), pairs, squared)
            else:
                _count(tallies[1], (second, first), pairs[::-1], squared)
    in_ball, around, recalled = tallies[0][0].counts(), tallies[0][1].counts(), tallies[1][1].counts()
    kept_real, kept_generated = first.kept.T, second.kept.T
    n, m = kept_real.sum(0), kept_generated.sum(0)
    figures = {
        "precision": ((around > 0) & kept_generated).sum(0) / m,
        "recall": ((recalled > 0) & kept_real).sum(0) / n,
        "density": (in_ball * kept_real).sum(0) / (k * m),
        "coverage": ((in_ball > 0) & kept_real).sum(0) / n,
    }
    return {name: LeaveOneOut(float(values[-1]), values[:-1]) for name, values in figures.items()}


def _filter(first: _Set, second: _Set, dtype: torch.dtype) -> _Filter:
    frame = Frame([first.rows, second.rows], dtype)
    room = RADIUS_SLACK[dtype]

    def scaled(of: _Set, radii: Float64Array, factor: float) -> torch.Tensor:
        return torch.from_numpy(radii * (frame.scale**2 * factor)).to(of.rows.device, dtype)

    return _Filter(
        (frame.prepare(first.rows), frame.prepare(second.rows)),
        (scaled(first, first.radii[-1], 1 - room), scaled(second, second.radii[-1], 1 - room)),
        (scaled(first, first.radii.max(0), 1 + room), scaled(second, second.radii.max(0), 1 + room)),
    )


def _candidates(
    filtered: _Filter, rows: slice, columns: slice
) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Return the pairs of a tile that may be inside a ball around the first set's row, and the same for the second's.

    With each pair comes whether it surely is inside the ball of the whole set.
    """
    a, b = filtered.sets
    lower = lower_bounds(a, rows, b, columns)
    found = []
    for centre, outer in enumerate((filtered.outer[0][rows, None], filtered.outer[1][columns])):
        i, j = true_pairs(lower <= outer)
        bound = lower[i, j] + 2 * (a.slack[rows][i] + b.slack[columns][j])
        inner = (filtered.inner[0][rows][i], filtered.inner[1][columns][j])[centre]
        found.append((i + rows.start, j + columns.start, bound < inner))
    return found


def _squared(a: torch.Tensor, i: torch.Tensor, b: torch.Tensor, j: torch.Tensor, sure: torch.Tensor) -> Float64Array:
    """Squared distances of the pairs; of those surely inside, minus infinity."""
    squared = torch.full((len(i),), -torch.inf, dtype=torch.float64, device=a.device)
    unsure = torch.nonzero(~sure)[:, 0]
    squared[unsure] = exact_squared(a, i[unsure], b, j[unsure])
    result: Float64Array = squared.numpy(force=True)
    return result


def _count(tallies: list[_Tally], sets: tuple[_Set, _Set], pairs: tuple[Codes, Codes], squared: Float64Array) -> None:
    """Add pairs, each of a ball's centre and a point, to the tallies of both sets.

    The centres are of the first set and the points of the second; ``squared`` are the squared distances of the pairs.
    """
    balls, points = sets
    centre, point = pairs
    inside = squared < balls.radii[-1, centre]
    tallies[0].add(centre[inside], points.blocks[point[inside]])
    tallies[1].add(point[inside], balls.blocks[centre[inside]])
    centre, point, squared = centre[~inside], point[~inside], squared[~inside]
    for block in range(len(balls.radii) - 1):
        left = (balls.blocks[centre] != block) & (points.blocks[point] != block)
        grown = left & (squared < balls.radii[block, centre])
        tallies[0].add_without(block, centre[grown])
        tallies[1].add_without(block, point[grown])


def _radii(rows: torch.Tensor, blocks: Codes, number: int, k: int) -> Float64Array:
    """Squared distance of each row to its k-th nearest neighbour without each block, and with all: (blocks + 1, n)."""
    left = len(rows) - int(np.bincount(blocks, minlength=number).max())
    if left <= k:
        raise ValueError(f"{left} rows are left without some block, and more than {k} are needed")
    width = min(k + FEW, len(rows) - 1)
    squared, columns = nearest(rows, rows, width, exclude_self=True)
    radii = _outside(squared.numpy(force=True), blocks[columns.numpy(force=True)], number, k)
    while width < len(rows) - 1 and (wanting := np.flatnonzero(~np.isfinite(radii).all(0))).size:
        # Of most rows a few nearest neighbours are enough: k of them are outside each block.
        width = min(4 * width, len(rows) - 1)
        own = torch.from_numpy(wanting).to(rows.device)
        squared, columns = nearest(rows[own], rows, width + 1)
        # Each row is among its own neighbours, unless as many copies of it have lower numbers.
        itself = columns == own[:, None]
        itself[~itself.any(1), -1] = True
        shape = (len(wanting), width)
        squared, columns = squared[~itself].view(shape), columns[~itself].view(shape)
        radii[:, wanting] = _outside(squared.numpy(force=True), blocks[columns.numpy(force=True)], number, k)
    return radii


def _outside(squared: Float64Array, block_of: Codes, number: int, k: int) -> Float64Array:
    """Return the k-th of each row's neighbours that is outside each block, and the k-th of all: (blocks + 1, n).

    The neighbours' squared distances (n, width) ascend. The result is infinite where fewer than ``k`` are outside.
    """
    found = np.empty((number + 1, len(squared)))
    rows = np.arange(len(squared))
    for block in range(number + 1):
        left = np.cumsum(block_of != block, axis=1)
        found[block] = np.where(left[:, -1] >= k, squared[rows, (left >= k).argmax(1)], np.inf)
    return found
