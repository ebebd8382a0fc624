"""Exact nearest neighbours at the price of single-precision products.

A float32 product gives every squared distance with a proven bound on its error; pairs that the bound leaves undecided are settled by
direct differences in float64. Answers therefore do not depend on blocking, threads or device, and identical vectors are at
distance 0 exactly. Where too many pairs stay undecided (tight clusters far apart) a float64 product takes the filter's place.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from unipath_bench.metrics._arrays import row_blocks
from unipath_bench.metrics._linalg import product

BLOCK_ROWS = 512
EXACT_ELEMENTS = 1 << 20
CROWD = 64
SPARE = 8
UNIT_ROUNDOFF = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}


class Prepared(NamedTuple):
    """Rows shifted and scaled alike for all sets, in the filter's precision, with their squared norms and error shares.

    The computed |a - b|^2 of two rows is off by at most ``slack(a) + slack(b)``.
    """

    rows: torch.Tensor
    squares: torch.Tensor
    slack: torch.Tensor


def prepare(sets: list[torch.Tensor], dtype: torch.dtype) -> tuple[list[Prepared], float]:
    """The sets ready for :func:`squared_distances`, and the factor that brings true squared distances to their scale."""
    first = sets[0]
    centre = sum(block.double().sum(0) for _, block in row_blocks(first, BLOCK_ROWS)) / len(first)
    largest = max(float((block.double() - centre).abs().max()) for rows in sets for _, block in row_blocks(rows, BLOCK_ROWS))
    scale = 1.0 / largest if largest > 0 else 1.0
    # |error| <= 2 (D + 2) u |a| |b| from the product and 6 u (|a| + |b|)^2 from rounding rows, norms and sums; with
    # (|a| + |b|)^2 <= 2 |a|^2 + 2 |b|^2 it splits into one share for each row.
    share = (first.shape[1] + 14) * 1.01 * UNIT_ROUNDOFF[dtype]
    prepared = []
    for rows in sets:
        scaled = torch.empty(rows.shape, dtype=dtype, device=rows.device)
        squares = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
        for start, block in row_blocks(rows, BLOCK_ROWS):
            shifted = (block.double() - centre).mul_(scale)
            scaled[start : start + len(block)] = shifted
            squares[start : start + len(block)] = shifted.square_().sum(1)
        prepared.append(Prepared(scaled, squares.to(dtype), (squares * share).to(dtype)))
    return prepared, scale * scale


def squared_distances(a: Prepared, start: int, stop: int, b: Prepared) -> torch.Tensor:
    """Approximate |a_i - b_j|^2 for rows ``start`` to ``stop`` of ``a`` and all rows of ``b``."""
    values = product(a.rows[start:stop], b.rows.T)
    values *= -2
    values += a.squares[start:stop, None]
    values += b.squares[None, :]
    return values


def exact_squared(
    x: torch.Tensor, i: torch.Tensor, y: torch.Tensor, j: torch.Tensor
) -> torch.Tensor:
    """|x_i - y_j|^2 of listed pairs by direct differences, float64."""
    result = torch.empty(len(i), dtype=torch.float64, device=x.device)
    step = max(1, EXACT_ELEMENTS // x.shape[1])
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        result[part] = (x[i[part]].double() - y[j[part]].double()).square_().sum(1)
    return result


def nearest(
    queries: torch.Tensor, bank: torch.Tensor, k: int, *, exclude_self: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared distances (n, k) float64, ascending, and rows of ``bank`` (n, k) int64; equal distances by row number.

    ``exclude_self``: row i of ``queries`` is row i of ``bank`` and does not count as its own neighbour.
    """
    squared = torch.empty(len(queries), k, dtype=torch.float64, device=queries.device)
    indices = torch.empty(len(queries), k, dtype=torch.int64, device=queries.device)
    pending = torch.arange(len(queries), device=queries.device)
    available = len(bank) - exclude_self
    for dtype in (torch.float32, torch.float64):
        last = dtype == torch.float64
        sets, _ = prepare([bank, queries[pending]] if len(pending) < len(queries) else [bank, queries], dtype)
        reference, asking = sets
        undecided = []
        for start in range(0, len(pending), BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, len(pending))
            rows = pending[start:stop]
            values = squared_distances(asking, start, stop, reference)
            values -= reference.slack[None, :]
            if exclude_self:
                values[torch.arange(stop - start, device=values.device), rows] = torch.inf
            width = min(available, k + SPARE)
            lower, columns = torch.topk(values, width, dim=1, largest=False)
            # The k rows with the smallest lower bounds have upper bounds at most this: so has the k-th neighbour.
            reach = (lower[:, :k] + 2 * reference.slack[columns[:, :k]]).amax(1) + 2 * asking.slack[start:stop]
            # Candidates are inside the list already, unless its last entry still is one.
            short = (lower[:, -1] <= reach) if width < available else torch.zeros_like(reach, dtype=torch.bool)
            settled = torch.nonzero(~short)[:, 0]
            if len(settled):
                found = columns[settled]
                close = lower[settled] <= reach[settled, None]
                row, _ = torch.nonzero(close, as_tuple=True)
                exact = torch.full(found.shape, torch.inf, dtype=torch.float64, device=found.device)
                exact[close] = exact_squared(queries, rows[settled][row], bank, found[close])
                _store(squared, indices, rows[settled], exact, found, k)
            for row in torch.nonzero(short)[:, 0].tolist():
                found = torch.nonzero(values[row] <= reach[row])[:, 0]
                if not last and len(found) > CROWD * (k + SPARE):
                    undecided.append(int(rows[row]))
                    continue
                exact = exact_squared(queries, rows[row].expand(len(found)), bank, found)
                _store(squared, indices, rows[row][None], exact[None], found[None], k)
        pending = torch.tensor(undecided, dtype=torch.int64, device=queries.device)
        if not undecided:
            break
    return squared, indices


def _store(
    squared: torch.Tensor, indices: torch.Tensor, rows: torch.Tensor, exact: torch.Tensor, found: torch.Tensor, k: int
) -> None:
    """Keep the k best of each row's candidates: by distance, then by row number."""
    found, by_number = torch.sort(found, dim=1)
    exact, by_distance = torch.sort(exact.gather(1, by_number), dim=1, stable=True)
    squared[rows] = exact[:, :k]
    indices[rows] = found.gather(1, by_distance)[:, :k]
