"""Runs side by side, value by value; says where they may be compared, and where not and why."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from unipath_bench.errors import UsageError
from unipath_bench.reading import format_value
from unipath_bench.schema.record import Interval, RunRecord, TaskScore, Value

if TYPE_CHECKING:
    import pandas as pd

CAVEAT = (
    "* marks the run whose 95% interval lies wholly on the better side of all others': runs without it may differ too, "
    "since a paired interval of the difference would be narrower. Plug-in distances alone mark nothing."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One value of one task across the runs."""

    key: str
    tier: int
    title: str
    name: str
    direction: str
    unit: str
    headline: bool
    values: tuple[float | None, ...]
    """In the order of the runs; None where the run has no such value."""
    comparable: bool
    """Whether at least two runs have the value, and all that have it agree in what a comparison needs."""
    differs: Mapping[str, tuple[str | None, ...]]
    """What is not the same (``task version``, ``n``, ``encoder``, ``suite revision`` ...), with each run's own; None
    for a run without the value."""
    best: tuple[int, ...]
    """The run whose interval is beyond those of all others, if there is one; empty where not comparable."""
    coupled: tuple[bool, ...]
    """Runs whose model uses the task's encoder inside."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What :func:`compare` found."""

    runs: tuple[str, ...]
    models: tuple[str, ...]
    suites: tuple[str, ...]
    rows: tuple[Row, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a value: tier, key, value name, direction, comparable, what differs, and a column for each run."""
        import pandas as pd

        return pd.DataFrame([
            {
                "tier": row.tier, "key": row.key, "value": row.name, "title": row.title, "direction": row.direction,
                "headline": row.headline, "comparable": row.comparable, "differs": ", ".join(row.differs),
                **dict(zip(self.runs, row.values, strict=True)),
            }
            for row in self.rows
        ])  # fmt: skip

    def to_json(self) -> str:
        """The comparison as a JSON document, indented."""
        return json.dumps({**asdict(self), "note": CAVEAT}, indent=2, ensure_ascii=False, allow_nan=False)

    def print(self, console: Console) -> None:
        """Print the runs, the table and the reasons why rows are not comparable."""
        console.print(self.summary())

    def summary(self) -> RenderableType:
        """What :meth:`print` prints."""
        names = _letters(len(self.runs))
        heads = [
            Text(f"{letter}  ", style="bold").append(f"{model} on {suite}  ", style="default").append(run, style="dim")
            for letter, model, suite, run in zip(names, self.models, self.suites, self.runs, strict=True)
        ]
        return Group(*heads, self._table(names), *self._reasons(names), Text(CAVEAT, style="dim"))

    def _table(self, names: Sequence[str]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("Value", overflow="fold")
        table.add_column("Better", no_wrap=True)
        for name in names:
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("Comparable", overflow="fold")
        tier = 0
        for row in self.rows:
            if row.tier != tier:
                if tier:
                    table.add_section()
                table.add_row(Text(f"Tier {row.tier}", style="bold"))
                tier = row.tier
            cells = [self._cell(row, i) for i in range(len(names))]
            said = Text("yes", style="green") if row.comparable else Text("no: " + _said(row), style="yellow")
            table.add_row(Text(f"  {row.key}: {row.title}"), row.direction, *cells, said)
        return table

    def _cell(self, row: Row, run: int) -> Text:
        best = run in row.best
        text = Text(format_value(row.values[run], row.unit) + ("*" if best else ""), style="bold" if best else "")
        return text.append("†", style="yellow") if row.coupled[run] else text

    def _reasons(self, names: Sequence[str]) -> list[Text]:
        lines: dict[str, None] = {}
        for row in self.rows:
            for what, mine in row.differs.items():
                own = ", ".join(f"{name} {item}" for name, item in zip(names, mine, strict=True) if item is not None)
                where = (
                    f" of {row.key}"
                    if what in ("task version", "n", "dimension", "direction") or what.startswith("encoder")
                    else ""
                )
                lines[f"{what}{where}: {own}"] = None
        found = [Text("Not comparable, because these differ:", style="bold")] if lines else []
        found.extend(Text(f"  {line}", style="yellow") for line in lines)
        if any(any(row.coupled) for row in self.rows):
            found.append(
                Text("† coupled: the model uses this encoder inside; it is never marked as better.", style="yellow")
            )
        return found


def compare(records: Sequence[RunRecord]) -> Comparison:
    """Line up every value of every task.

    A row is comparable only where task version, n, dimension, encoder and its digest, suite revision and kind of suite
    agree among all the runs that have it (rule 6 of the protocol). Better is marked where intervals do not overlap,
    never by a number alone and never among coupled scores.
    Raises :class:`~unipath_bench.errors.UsageError` for fewer than two records, or one given twice.
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
    rows = [_row(records, key, name) for key, name in found]
    return Comparison(
        runs=tuple(names),
        models=tuple(record.plan.model.name for record in records),
        suites=tuple(record.plan.suite.name for record in records),
        rows=tuple(sorted(rows, key=lambda row: row.tier)),
    )


def _row(records: Sequence[RunRecord], key: str, name: str) -> Row:
    pairs = [_find(record, key, name) for record in records]
    score, value = next(pair for pair in pairs if pair is not None)
    facts = [None if p is None else _facts(r, p[0], p[1]) for r, p in zip(records, pairs, strict=True)]
    present = [f for f in facts if f is not None]
    differs = {
        what: tuple(None if f is None else f[what] for f in facts)
        for what in present[0]
        if len({f[what] for f in present}) > 1
    }
    comparable = len(present) > 1 and not differs
    values = tuple(None if pair is None else pair[1].value for pair in pairs)
    coupled = tuple(pair is not None and pair[0].coupled for pair in pairs)
    intervals = [None if pair is None or pair[0].coupled else pair[1].interval for pair in pairs]
    fair = sum(pair is not None and not pair[0].coupled for pair in pairs)
    best = _best(intervals, fair, value.direction) if comparable else ()
    return Row(
        key=key, tier=score.tier, title=value.title or name, name=name, direction=value.direction, unit=value.unit,
        headline=value.headline, values=values, comparable=comparable, differs=differs, best=best, coupled=coupled,
    )  # fmt: skip


def _find(record: RunRecord, key: str, name: str) -> tuple[TaskScore, Value] | None:
    for score in record.scores:
        if score.key == key and name in score.values:
            return score, score.values[name]
    return None


def _facts(record: RunRecord, score: TaskScore, value: Value) -> dict[str, str]:
    """What must agree for two numbers to be compared."""
    return {
        "task version": str(score.version),
        "n": str(score.n),
        "prompts and seeds": f"{record.plan.n} x {record.plan.seeds}",
        "encoder": f"{score.encoder or 'none'} {(score.encoder_digest or '')[:12]}".strip(),
        "dimension": str(score.dimension),
        "direction": value.direction,
        "suite revision": record.plan.suite_revision[:12],
        "kind of suite": record.plan.suite.kind,
    }


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


def _said(row: Row) -> str:
    return f"{', '.join(row.differs)} differ{'s' if len(row.differs) == 1 else ''}" if row.differs else "one run only"


def _letters(count: int) -> list[str]:
    return [chr(ord("A") + i) if count <= 26 else f"#{i + 1}" for i in range(count)]
