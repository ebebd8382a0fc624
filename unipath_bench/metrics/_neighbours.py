"""Exact nearest neighbours at the price of single-precision products.

A float32 product gives every squared distance with a proven bound on its error; pairs that the bound leaves
undecided are settled by direct differences in float64. Answers therefore do not depend on blocking, threads
or device, and identical vectors are at distance 0 exactly. Where too many pairs stay undecided (tight
clusters far apart) a float64 product takes the filter's place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product as product_of
from typing import NamedTuple

import numpy as np
import torch

from unipath_bench.metrics._arrays import row_blocks
from unipath_bench.metrics._linalg import column_sums, product, squared_lengths
from unipath_bench.metrics.threads import one_torch_thread

TILE_ROWS, TILE_COLUMNS = 2048, 4096
SHIFT_ROWS = 1024
# Largest coordinates with which float32 neither overflows nor loses digits in the shift.
SINGLE_RANGE = (1e-25, 1e25)
EXACT_ELEMENTS = 1 << 17
SPARE = 4
MANY = 64
CROWD = 64
CROWD_ROWS = 128
UNIT_ROUNDOFF = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}


class Prepared(NamedTuple):
    """Rows shifted and scaled alike for all sets, for products that give lower bounds of squared distances.

    ``rows`` (n, D + 2): the coordinates, 1, and the squared norm less ``slack`` (n,). The exact squared
    distance of two rows lies between the bound of :func:`lower_bounds` and the same plus twice both slacks.
    """

    rows: torch.Tensor
    slack: torch.Tensor


class Frame:
    """The shift and the scale that some sets share, and the precision of their filter.

    The centre is the first set's mean, and ``scale``, a power of two, brings the largest coordinate to 1 at
    most, so that nothing overflows.
    """

    def __init__(self, sets: list[torch.Tensor], dtype: torch.dtype) -> None:
        centre = column_sums(sets[0]) / len(sets[0])
        largest = max(float((extreme - centre).abs().max()) for rows in sets for extreme in _extremes(rows))
        self.dtype = dtype
        self.scale = 2.0 ** -max(math.frexp(largest)[1], -1000)
        single = dtype == torch.float32 and all(rows.dtype == dtype for rows in sets)
        # The shift in float32 rounds each coordinate once, as bringing a float64 one to float32 would.
        self.shifting = torch.float32 if single and SINGLE_RANGE[0] < largest < SINGLE_RANGE[1] else torch.float64
        self.centre = centre.to(self.shifting)
        # The product of D + 2 terms errs by at most (D + 2) u sum |terms| <= 2 (D + 2) u (|a|^2 + |b|^2);
        # rounding rows, norms and bounds to the filter's precision by at most 8 u (|a| + |b|)^2 <= 16 u
        # (|a|^2 + |b|^2): one share for each row.
        self.share = 2 * (len(centre) + 10) * 1.01 * UNIT_ROUNDOFF[dtype]

    def prepare(self, rows: torch.Tensor, memory: torch.Tensor | None = None) -> Prepared:
        """``rows`` (n, D) of one of the sets, written to ``memory`` (at least n, D + 2) where given."""
        n, width = rows.shape
        result = torch.empty(n, width + 2, dtype=self.dtype, device=rows.device) if memory is None else memory[:n]
        slack = torch.empty(n, dtype=torch.float64, device=rows.device)
        result[:, width] = 1
        for start, block in row_blocks(rows, SHIFT_ROWS):
            part = slice(start, start + len(block))
            target = result[part, :width]
            shifted = target if self.shifting == self.dtype else torch.empty_like(block, dtype=self.shifting)
            torch.sub(block.to(self.shifting), self.centre, out=shifted).mul_(self.scale)
            if self.shifting != self.dtype:
                target.copy_(shifted)
            squares = squared_lengths(shifted)
            slack[part] = squares * self.share
            result[part, width + 1] = squares - slack[part]
        return Prepared(result, slack.to(self.dtype))


def _extremes(rows: torch.Tensor) -> list[torch.Tensor]:
    """Smallest and largest entry of each column, float64."""
    if rows.device.type == "cpu":
        return [torch.from_numpy(side(rows.numpy(), 0)).double() for side in (np.amin, np.amax)]
    return [side(rows, 0).double() for side in (torch.amin, torch.amax)]


def lower_bounds(
    a: Prepared, rows: slice, b: Prepared, columns: slice, memory: torch.Tensor | None = None
) -> torch.Tensor:
    """Return lower bounds of |a_i - b_j|^2 for a block of pairs.

    They are written to ``memory`` (one-dimensional, large enough) where given: fresh memory costs a tenth of the
    product.
    """
    left, right = a.rows[rows], b.rows[columns]
    # |a|^2 meets b's 1, and a's 1 meets |b|^2: either side may be the one that is turned round.
    if len(left) < len(right):
        left = _turned_round(left)
    else:
        right = _turned_round(right)
    out = None if memory is None else memory[: len(left) * len(right)].view(len(left), len(right))
    return product(left, right.T, out=out)


def _turned_round(rows: torch.Tensor) -> torch.Tensor:
    result = rows * -2
    result[:, -2:] = rows[:, -2:].flip(1)
    return result


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
        result[part] = squared_lengths(x[i[part]].double() - y[j[part]].double())
    return result


class _Shortlist:
    """The ``width`` smallest lower bounds of each query seen so far, ascending, and their columns."""

    def __init__(self, queries: int, width: int, like: torch.Tensor) -> None:
        self.width = width
        self.lower = torch.full((queries, width), torch.inf, dtype=like.dtype, device=like.device)
        self.columns = torch.zeros(queries, width, dtype=torch.int64, device=like.device)

    def add(self, rows: slice, values: torch.Tensor, first_column: int, *, turned: bool = False) -> None:
        """Take in a block of bounds (rows, columns) that begins at ``first_column``.

        With ``turned``, the block is (columns, rows).
        """
        worst = self.lower[rows, -1]
        listed = None if bool(torch.isinf(worst).any()) else self._listed(values, worst, turned)
        if listed is None:
            values = values.T.contiguous() if turned else values
            listed = torch.topk(values, min(self.width, values.shape[1]), dim=1, largest=False)
        both = torch.cat([self.lower[rows], listed[0]], 1)
        columns = torch.cat([self.columns[rows], listed[1] + first_column], 1)
        self.lower[rows], kept = torch.topk(both, self.width, dim=1, largest=False)
        self.columns[rows] = columns.gather(1, kept)

    @staticmethod
    def _listed(values: torch.Tensor, worst: torch.Tensor, turned: bool) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Bounds below each query's ``worst`` and their columns, padded with infinity; None where some query has many.

        Once the lists are full, few bounds of a block still belong on them: finding those is much cheaper
        than partial sorting.
        """
        mask = values < (worst if turned else worst[:, None])
        total = np.count_nonzero(mask.numpy()) if mask.device.type == "cpu" else torch.count_nonzero(mask)
        if int(total) > MANY * len(worst):
            return None
        first, second = true_pairs(mask)
        query, column = (second, first) if turned else (first, second)
        counts = torch.bincount(query, minlength=len(worst))
        most = int(counts.max())
        if most > MANY:
            return None
        bounds = torch.full((len(worst), most), torch.inf, dtype=values.dtype, device=values.device)
        columns = torch.zeros(len(worst), most, dtype=torch.int64, device=values.device)
        query, order = torch.sort(query, stable=True)
        place = torch.arange(len(query), device=values.device) - (counts.cumsum(0) - counts)[query]
        bounds[query, place] = values[first, second][order]
        columns[query, place] = column[order]
        return bounds, columns


def tiles(rows: int, columns: int, rows_at_once: int, columns_at_once: int) -> Iterator[tuple[slice, slice]]:
    """Slices of rows and of columns that cover every pair once."""
    return product_of(_tiles(rows, rows_at_once), _tiles(columns, columns_at_once))


def _tiles(n: int, size: int, first: int = 0) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(first, n, size)]


def _memory(like: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    return torch.empty(rows * columns, dtype=like.dtype, device=like.device)


def _shortlist(frame: Frame, asking: Prepared, bank: torch.Tensor, width: int) -> tuple[_Shortlist, torch.Tensor]:
    """The list of each query, and the slack (n,) of the bank, of which one tile at a time is held ready."""
    n, m = len(asking.slack), len(bank)
    result = _Shortlist(n, width, asking.slack)
    slack = torch.empty(m, dtype=frame.dtype, device=bank.device)
    ready = torch.empty(min(m, TILE_COLUMNS), bank.shape[1] + 2, dtype=frame.dtype, device=bank.device)
    memory = _memory(asking.slack, min(n, TILE_ROWS), min(m, TILE_COLUMNS))
    # The first tile fills the lists, which takes partial sorting: it is a narrow one.
    head = max(1, TILE_COLUMNS // 4)
    for columns in [slice(0, min(head, m)), *_tiles(m, TILE_COLUMNS, head)]:
        reference = frame.prepare(bank[columns], ready)
        slack[columns] = reference.slack
        for rows in _tiles(n, TILE_ROWS):
            # With the longer side first, the product is faster by a sixteenth.
            bounds = lower_bounds(reference, slice(None), asking, rows, memory)
            result.add(rows, bounds, columns.start, turned=True)
    return result, slack


def _shortlist_in_itself(rows_of: Prepared, width: int) -> _Shortlist:
    """As :func:`_shortlist` of a set in itself, without each row's own column.

    Each pair of tiles is computed once.
    """
    n = len(rows_of.slack)
    result = _Shortlist(n, width, rows_of.slack)
    tiles = _tiles(n, TILE_ROWS)
    memory = _memory(rows_of.slack, min(n, TILE_ROWS), min(n, TILE_ROWS))
    # Diagonal tiles first: they fill the lists of all rows.
    for step in range(len(tiles)):
        for rows, columns in zip(tiles, tiles[step:], strict=False):
            values = lower_bounds(rows_of, rows, rows_of, columns, memory)
            if step == 0:
                values.fill_diagonal_(torch.inf)
            else:
                result.add(columns, values, rows.start, turned=True)
            result.add(rows, values, columns.start)
    return result


@one_torch_thread()
def nearest(
    queries: torch.Tensor, bank: torch.Tensor, k: int, *, exclude_self: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the k nearest rows of ``bank`` to each of ``queries``, as squared distances and row numbers.

    Squared distances are (n, k) float64, ascending, row numbers (n, k) int64; equal distances are ordered by row
    number. ``exclude_self``: row i of ``queries`` is row i of ``bank`` and does not count as its own neighbour.
    """
    width = min(len(bank) - exclude_self, k + SPARE)
    frame = Frame([bank] if exclude_self else [bank, queries], torch.float32)
    asking = frame.prepare(queries)
    if exclude_self:
        found, slack = _shortlist_in_itself(asking, width), asking.slack
    else:
        found, slack = _shortlist(frame, asking, bank, width)
    # The k rows with the smallest lower bounds have upper bounds at most this: so has the k-th neighbour.
    reach = (found.lower[:, :k] + 2 * slack[found.columns[:, :k]]).amax(1) + 2 * asking.slack
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
    frame = Frame([bank, queries[rows]], torch.float64)
    reference, asking = frame.prepare(bank), frame.prepare(queries[rows])
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
