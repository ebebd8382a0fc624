"""Exact nearest neighbours at the price of single-precision products.

A float32 product gives every squared distance with a proven bound on its error; pairs that the bound leaves
undecided are settled by direct differences in float64. Answers therefore do not depend on blocking, threads
or device, and identical vectors are at distance 0 exactly. Where too many pairs stay undecided (tight
clusters far apart) a float64 product takes the filter's place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from unipath_bench.metrics._arrays import row_blocks
from unipath_bench.metrics._linalg import product

TILE_ROWS = 2048
SHIFT_ROWS = 256
EXACT_ELEMENTS = 1 << 20
SPARE = 4
CROWD = 64
CROWD_ROWS = 128
UNIT_ROUNDOFF = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}


class Prepared(NamedTuple):
    """Rows shifted and scaled alike for all sets, ready for products that give lower bounds of squared
    distances.

    ``rows`` (n, D + 2): the coordinates, 1, and the squared norm less ``slack`` (n,). The exact squared
    distance of two rows lies between the bound of :func:`lower_bounds` and the same plus twice both slacks.
    """

    rows: torch.Tensor
    slack: torch.Tensor


def prepare(sets: list[torch.Tensor], dtype: torch.dtype) -> tuple[list[Prepared], float]:
    """The sets ready for :func:`lower_bounds`, and the factor that brings true squared distances to their
    scale.

    The centre is the first set's mean, and the scale brings the largest coordinate to 1, so that nothing
    overflows.
    """
    first = sets[0]
    width = first.shape[1]
    centre = first.sum(0, dtype=torch.float64) / len(first)
    extremes = [side(rows, 0).double() for rows in sets for side in (torch.amin, torch.amax)]
    largest = max(float((extreme - centre).abs().max()) for extreme in extremes)
    scale = 1.0 / largest if largest > 0 else 1.0
    # The product of D + 2 terms errs by at most (D + 2) u sum |terms| <= 2 (D + 2) u (|a|^2 + |b|^2);
    # rounding rows, norms and bounds to the filter's precision by at most 8 u (|a| + |b|)^2 <= 16 u (|a|^2 +
    # |b|^2): one share for each row.
    share = 2 * (width + 10) * 1.01 * UNIT_ROUNDOFF[dtype]
    prepared = []
    for rows in sets:
        result = torch.empty(len(rows), width + 2, dtype=dtype, device=rows.device)
        slack = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
        result[:, width] = 1
        for start, block in row_blocks(rows, SHIFT_ROWS):
            part = slice(start, start + len(block))
            shifted = (block.double() - centre).mul_(scale)
            squares = torch.linalg.vector_norm(shifted, dim=1).square_()
            slack[part] = squares * share
            result[part, :width] = shifted
            result[part, width + 1] = squares - slack[part]
        prepared.append(Prepared(result, slack.to(dtype)))
    return prepared, scale * scale


def lower_bounds(a: Prepared, rows: slice, b: Prepared, columns: slice) -> torch.Tensor:
    """Lower bounds of |a_i - b_j|^2 for a block of pairs, in memory of their own."""
    left = a.rows[rows].clone()
    left[:, :-2] *= -2
    # |a|^2 meets b's 1, and a's 1 meets |b|^2.
    left[:, -2:] = left[:, -2:].flip(1)
    return product(left, b.rows[columns].T)


def true_pairs(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns where a boolean matrix is true, row by row."""
    if mask.device.type != "cpu":
        rows, columns = torch.nonzero(mask, as_tuple=True)
        return rows, columns
    # numpy finds the true entries several times faster than torch.
    places = np.flatnonzero(mask.numpy())
    return torch.from_numpy(places // mask.shape[1]), torch.from_numpy(places % mask.shape[1])


def exact_squared(x: torch.Tensor, i: torch.Tensor, y: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
    """|x_i - y_j|^2 of listed pairs by direct differences, float64."""
    result = torch.empty(len(i), dtype=torch.float64, device=x.device)
    step = max(1, EXACT_ELEMENTS // x.shape[1])
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        result[part] = (x[i[part]].double() - y[j[part]].double()).square_().sum(1)
    return result


class _Shortlist:
    """The ``width`` smallest lower bounds of each query seen so far, ascending, and their columns."""

    def __init__(self, queries: int, width: int, like: torch.Tensor) -> None:
        self.width = width
        self.lower = torch.full((queries, width), torch.inf, dtype=like.dtype, device=like.device)
        self.columns = torch.zeros(queries, width, dtype=torch.int64, device=like.device)

    def add(self, rows: slice, values: torch.Tensor, first_column: int) -> None:
        """Take in a block of bounds (rows, columns) that begins at ``first_column``."""
        best, places = torch.topk(values, min(self.width, values.shape[1]), dim=1, largest=False)
        both = torch.cat([self.lower[rows], best], 1)
        columns = torch.cat([self.columns[rows], places + first_column], 1)
        self.lower[rows], kept = torch.topk(both, self.width, dim=1, largest=False)
        self.columns[rows] = columns.gather(1, kept)


def _tiles(n: int) -> list[slice]:
    return [slice(start, min(start + TILE_ROWS, n)) for start in range(0, n, TILE_ROWS)]


def _shortlist(asking: Prepared, reference: Prepared, width: int) -> _Shortlist:
    result = _Shortlist(len(asking.slack), width, asking.slack)
    for rows in _tiles(len(asking.slack)):
        for columns in _tiles(len(reference.slack)):
            result.add(rows, lower_bounds(asking, rows, reference, columns), columns.start)
    return result


def _shortlist_in_itself(rows_of: Prepared, width: int) -> _Shortlist:
    """As :func:`_shortlist` of a set in itself, without each row's own column; each pair of tiles is computed
    once.
    """
    result = _Shortlist(len(rows_of.slack), width, rows_of.slack)
    tiles = _tiles(len(rows_of.slack))
    for index, rows in enumerate(tiles):
        for columns in tiles[index:]:
            values = lower_bounds(rows_of, rows, rows_of, columns)
            if columns.start == rows.start:
                values.fill_diagonal_(torch.inf)
            else:
                result.add(columns, values.T.contiguous(), rows.start)
            result.add(rows, values, columns.start)
    return result


def nearest(
    queries: torch.Tensor, bank: torch.Tensor, k: int, *, exclude_self: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared distances (n, k) float64, ascending, and rows of ``bank`` (n, k) int64; equal distances by row
    number.

    ``exclude_self``: row i of ``queries`` is row i of ``bank`` and does not count as its own neighbour.
    """
    width = min(len(bank) - exclude_self, k + SPARE)
    if exclude_self:
        (reference,), _ = prepare([bank], torch.float32)
        asking, found = reference, _shortlist_in_itself(reference, width)
    else:
        (reference, asking), _ = prepare([bank, queries], torch.float32)
        found = _shortlist(asking, reference, width)
    # The k rows with the smallest lower bounds have upper bounds at most this: so has the k-th neighbour.
    reach = (found.lower[:, :k] + 2 * reference.slack[found.columns[:, :k]]).amax(1) + 2 * asking.slack
    close = found.lower <= reach[:, None]
    row, _ = true_pairs(close)
    exact = torch.full(close.shape, torch.inf, dtype=torch.float64, device=close.device)
    exact[close] = exact_squared(queries, row, bank, found.columns[close])
    squared, indices = _best(exact, found.columns, k)
    if width < len(bank) - exclude_self:
        # Where the whole list is within reach, candidates may have been left off it.
        crowded = torch.nonzero(close[:, -1])[:, 0]
        if len(crowded):
            squared[crowded], indices[crowded] = _in_a_crowd(queries, crowded, bank, k, exclude_self)
    return squared, indices


def _best(exact: torch.Tensor, columns: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best of each row's candidates: by distance, then by row number."""
    columns, by_number = torch.sort(columns, dim=1)
    exact, by_distance = torch.sort(exact.gather(1, by_number), dim=1, stable=True)
    return exact[:, :k], columns.gather(1, by_distance)[:, :k]


def _in_a_crowd(
    queries: torch.Tensor, rows: torch.Tensor, bank: torch.Tensor, k: int, exclude_self: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Neighbours of the listed queries by a float64 filter over the whole bank."""
    squared = torch.empty(len(rows), k, dtype=torch.float64, device=bank.device)
    indices = torch.empty(len(rows), k, dtype=torch.int64, device=bank.device)
    (reference, asking), _ = prepare([bank, queries[rows]], torch.float64)
    for start in range(0, len(rows), CROWD_ROWS):
        part = slice(start, min(start + CROWD_ROWS, len(rows)))
        lower = lower_bounds(asking, part, reference, slice(None))
        if exclude_self:
            lower[torch.arange(len(lower), device=lower.device), rows[part]] = torch.inf
        best, places = torch.topk(lower, k, dim=1, largest=False)
        reach = (best + 2 * reference.slack[places]).amax(1) + 2 * asking.slack[part]
        for offset, query in enumerate(rows[part].tolist()):
            columns = torch.nonzero(lower[offset] <= reach[offset])[:, 0]
            squared[start + offset], indices[start + offset] = _settle(queries, query, bank, columns, k)
    return squared, indices


def _settle(
    queries: torch.Tensor, query: int, bank: torch.Tensor, columns: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k nearest among ``columns``, ascending row numbers of the bank."""
    head = columns[: CROWD * k]
    exact = exact_squared(queries, torch.full_like(head, query), bank, head)
    copies = torch.nonzero(exact == 0)[:k, 0]
    if len(copies) == k:
        # Nothing is nearer than a copy, and these have the lowest row numbers: the rest need not be looked
        # at.
        return exact[copies], head[copies]
    exact = exact_squared(queries, torch.full_like(columns, query), bank, columns)
    squared, indices = _best(exact[None], columns[None], k)
    return squared[0], indices[0]
