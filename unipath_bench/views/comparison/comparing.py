"""Lines up the values of runs and decides what may be compared."""

from __future__ import annotations

import math
from collections.abc import Sequence

from unipath_bench.core.errors import UsageError
from unipath_bench.schema.record import Interval, RunRecord
from unipath_bench.views.comparison.pairs import find_pairs
from unipath_bench.views.comparison.sides import Side, facts, side_of
from unipath_bench.views.comparison.table import Comparison, Row


def compare(records: Sequence[RunRecord]) -> Comparison:
    """Line up every value of every task.

    A row is comparable only where task version, n, dimension, encoder and its digest, suite revision and kind of suite
    agree among all the runs that have it (rule 6 of the protocol). There every two runs are compared by their paired
    difference; better is also marked where the runs' own intervals do not overlap, never by a number alone.
    Coupled scores take no part.
    Raises :class:`~unipath_bench.UsageError` for fewer than two records, or one given twice.
    """
    if len(records) < 2:
        raise UsageError("A comparison needs two runs or more.", "Name at least two run folders.")
    names = [record.name for record in records]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"Given more than once: {', '.join(twice)}.", "Name each run once.")
    found: dict[tuple[str, str], None] = {}
    for record in sorted(records, key=lambda r: r.name):
        for score in record.scores:
            found.update(dict.fromkeys((score.key, name) for name in score.values))
    sides = [side_of(record) for record in records]
    rows = [_row(sides, key, name) for key, name in found]
    return Comparison(
        runs=tuple(names),
        models=tuple(record.plan.model.name for record in records),
        suites=tuple(record.plan.suite.name for record in records),
        rows=tuple(sorted(rows, key=lambda row: row.tier)),
    )


def _row(sides: Sequence[Side], key: str, name: str) -> Row:
    pairs = [side.find(key, name) for side in sides]
    score, value = next(pair for pair in pairs if pair is not None)
    agreed = [None if p is None else facts(side, *p) for side, p in zip(sides, pairs, strict=True)]
    present = [f for f in agreed if f is not None]
    differs = {
        what: tuple(None if f is None else f[what] for f in agreed)
        for what in present[0]
        if len({f[what] for f in present}) > 1
    }
    comparable = len(present) > 1 and not differs
    values = tuple(None if pair is None else pair[1].value for pair in pairs)
    coupled = tuple(pair is not None and pair[0].coupled for pair in pairs)
    intervals = [None if pair is None or pair[0].coupled else pair[1].interval for pair in pairs]
    fair = sum(pair is not None and not pair[0].coupled for pair in pairs)
    best = _best(intervals, fair, value.direction) if comparable else ()
    obstacle = f"{', '.join(differs)} differ" if differs else "one run only" if len(present) < 2 else ""
    fair_values = [None if pair is None or pair[0].coupled else pair[1] for pair in pairs]
    differences = find_pairs(fair_values, [side.name for side in sides], value.direction, obstacle)
    return Row(
        key=key,
        tier=score.tier,
        title=value.title or name,
        name=name,
        direction=value.direction,
        unit=value.unit,
        headline=value.headline,
        values=values,
        comparable=comparable,
        differs=differs,
        best=best,
        coupled=coupled,
        pairs=differences,
    )


def _best(intervals: Sequence[Interval | None], fair: int, direction: str) -> tuple[int, ...]:
    """The run that is beyond all others; none where one of the ``fair`` runs to be compared has no interval."""
    reach = {i: _reach(found, direction) for i, found in enumerate(intervals) if found is not None}
    if fair < 2 or len(reach) < fair:
        return ()
    for run, (_, worst) in reach.items():
        if all(worst < best for other, (best, _) in reach.items() if other != run):
            return (run,)
    return ()


def _reach(found: Interval, direction: str) -> tuple[float, float]:
    """Best and worst end of an interval, as numbers of which the lower is the better."""
    low = -math.inf if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    return (low, high) if direction == "lower" else (-high, -low)
