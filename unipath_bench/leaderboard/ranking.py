"""Entries ranked by paired differences.

Two entries are told apart in a metric where their paired difference is significant at 5% after Holm's correction for
all pairs of that metric. An entry's **rank** is one more than the number of entries that are significantly better than
it; entries between which no difference was found can't be told apart. That relation is not transitive: A may be as good
as B, and B as good as C, while A is better than C. Then A and B are of rank 1, and C is of rank 2 although B is not
known to be better than it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unipath_bench.leaderboard.boards import Submitted, load_board, load_entries
from unipath_bench.leaderboard.eligibility import find_score, ineligible, stale, unranked
from unipath_bench.leaderboard.pairing import find_better
from unipath_bench.schema.board import Board, BoardMetric, Cell, Standing, Standings
from unipath_bench.schema.record import RunRecord, Value


@dataclass(frozen=True, slots=True)
class _Column:
    """Ranks of one metric by entry, and from whom each entry can't be told apart."""

    ranks: Mapping[str, int] = field(default_factory=dict)
    tied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


def rank_board(folder: Path) -> Standings:
    """The standings of the board in a folder; raises :class:`UsageError` for what is not valid there."""
    return rank_entries(load_board(folder), load_entries(folder))


def rank_entries(board: Board, submitted: Sequence[Submitted]) -> Standings:
    """The standings of a board with these entries.

    An entry that fails a rule, or that another version of a task scored, takes part in no comparison. A coupled score,
    one in another encoder and one without contributions are left out of their metric alone.
    """
    barred = {each.entry.name: ineligible(board, each.record, each.entry.licence_statement) for each in submitted}
    aged = {each.entry.name: stale(board, each.record) for each in submitted}
    taking_part = [each for each in submitted if not barred[each.entry.name] and not aged[each.entry.name]]
    columns = {_name(metric): _rank(board, metric, taking_part) for metric in board.metrics}
    first = next((metric for metric in board.metrics if metric.headline), board.metrics[0])
    rows = []
    for each in submitted:
        name, plan = each.entry.name, each.record.plan
        column = columns[_name(first)]
        reasons = [*barred[name], *aged[name]]
        if not reasons and name not in column.ranks:
            reasons.append(f"{first.title}: {column.reasons[name]}")
        rows.append(
            Standing(
                name=name,
                title=each.entry.title,
                model=plan.model.name,
                revision=plan.model.revision,
                licence=plan.model.licence,
                submitted_on=each.entry.submitted_on,
                rank=column.ranks.get(name),
                tied_with=column.tied.get(name, ()),
                eligible=not barred[name],
                stale=bool(aged[name]),
                reasons=tuple(reasons),
                cells={_name(m): _cell(board, m, each.record, columns[_name(m)], name) for m in board.metrics},
            )
        )
    older = sum(each.record.migrated_from is not None for each in submitted)
    return Standings(board=board, rows=tuple(sorted(rows, key=lambda row: _order(row, first))), older=older)


def _name(metric: BoardMetric) -> str:
    return f"{metric.key}/{metric.value}"


def _rank(board: Board, metric: BoardMetric, entries: Sequence[Submitted]) -> _Column:
    reasons = {each.entry.name: unranked(board, metric, each.record) for each in entries}
    there = [each for each in entries if not reasons[each.entry.name]]
    names = [each.entry.name for each in there]
    values = [value for each in there if (value := _value(metric, each.record)) is not None]
    better = find_better(values, names, metric.direction)
    apart = better | better.T
    np.fill_diagonal(apart, True)
    return _Column(
        ranks={name: 1 + int(better[:, row].sum()) for row, name in enumerate(names)},
        tied={name: tuple(sorted(names[i] for i in np.flatnonzero(~apart[row]))) for row, name in enumerate(names)},
        reasons={name: reason for name, reason in reasons.items() if reason},
    )


def _value(metric: BoardMetric, record: RunRecord) -> Value | None:
    score = find_score(record, metric.key)
    return score.values.get(metric.value) if score is not None else None


def _cell(board: Board, metric: BoardMetric, record: RunRecord, column: _Column, name: str) -> Cell:
    """The quantity freed of its bias, which the ranks go by, with its interval; never a plug-in distance beside it."""
    value = _value(metric, record)
    reason = unranked(board, metric, record)
    if value is None:
        return Cell(reason=reason)
    interval = value.interval
    if interval is None:
        shown = value.contributions.estimate if value.contributions is not None else value.value
        return Cell(value=shown, rank=column.ranks.get(name), reason=reason)
    return Cell(
        value=interval.estimate, low=interval.low, high=interval.high, rank=column.ranks.get(name), reason=reason
    )


def _order(row: Standing, first: BoardMetric) -> tuple[bool, int, float, str]:
    value = row.cells[_name(first)].value
    if row.rank is None or value is None:
        return (row.rank is None, row.rank or 0, 0.0, row.name)
    return (False, row.rank, value if first.direction == "lower" else -value, row.name)
