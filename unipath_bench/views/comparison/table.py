"""The outcome of a comparison: its rows, as a table for the terminal, as JSON and as a data frame."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unipath_bench.core.console import Console
from unipath_bench.results import format_number, format_value
from unipath_bench.views.comparison.pairs import Pair

if TYPE_CHECKING:
    import pandas as pd

CAVEAT = (
    "Differences are paired: of the same prompts, with the 95% interval of the difference. Where there is none, the "
    "reason is given, and * alone marks a run whose own 95% interval lies wholly on the better side of all others'; "
    "runs without it may differ too. Plug-in distances alone mark nothing."
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
    pairs: tuple[Pair, ...] = ()
    """The paired difference of every two runs that have the value, or why there is none."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What :func:`compare` found."""

    runs: tuple[str, ...]
    models: tuple[str, ...]
    suites: tuple[str, ...]
    rows: tuple[Row, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row per value.

        Its columns are tier, key, value name, title, direction, whether it is a headline, whether it is comparable,
        what differs, one column for each run and, for two runs, their paired difference.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "tier": row.tier,
                    "key": row.key,
                    "value": row.name,
                    "title": row.title,
                    "direction": row.direction,
                    "headline": row.headline,
                    "comparable": row.comparable,
                    "differs": ", ".join(row.differs),
                    **dict(zip(self.runs, row.values, strict=True)),
                    **_paired_columns(row, len(self.runs)),
                }
                for row in self.rows
            ]
        )

    def to_json(self) -> str:
        """The comparison as a JSON document, indented."""
        return json.dumps({**asdict(self), "note": CAVEAT}, indent=2, ensure_ascii=False, allow_nan=False)

    def print(self, console: Console) -> None:
        """Print the runs, the table and the reasons why rows are not comparable."""
        console.print(self.summary())

    def summary(self) -> RenderableType:
        """What :meth:`print` prints."""
        names = letters(len(self.runs))
        heads = [
            Text(f"{letter}  ", style="bold").append(f"{model} on {suite}  ", style="default").append(run, style="dim")
            for letter, model, suite, run in zip(names, self.models, self.suites, self.runs, strict=True)
        ]
        return Group(
            *heads, self._table(names), *self._differences(names), *self._reasons(names), Text(CAVEAT, style="dim")
        )

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

    def _differences(self, names: Sequence[str]) -> list[RenderableType]:
        pairs = [(row, pair) for row in self.rows for pair in row.pairs if pair.difference is not None]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Paired differences", title_justify="left")
        for name, justify in (("Value", "left"), ("Pair", "left"), ("Difference", "right"), ("95% interval", "right")):
            table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
        table.add_column("Finding", overflow="fold")
        for row, pair in pairs:
            table.add_row(
                f"{row.key}: {row.title}",
                f"{names[pair.first]} - {names[pair.second]}",
                format_number(pair.difference or 0.0),
                f"{format_number(pair.low or 0.0)} to {format_number(pair.high or 0.0)}",
                finding(pair, names),
            )
        reasons: dict[str, list[str]] = {}
        for row in self.rows:
            for pair in row.pairs:
                if pair.difference is None and row.comparable:
                    reasons.setdefault(pair.reason, []).append(f"{row.key}: {row.title}")
        lines = [
            Text(f"  {reason}: {', '.join(dict.fromkeys(where))}", style="yellow") for reason, where in reasons.items()
        ]
        head = [Text("No paired difference, intervals alone are compared:", style="bold")] if lines else []
        return [*([table] if pairs else []), *head, *lines]

    def _reasons(self, names: Sequence[str]) -> list[Text]:
        lines: dict[str, None] = {}
        for row in self.rows:
            for what, mine in row.differs.items():
                own = ", ".join(f"{name} {item}" for name, item in zip(names, mine, strict=True) if item is not None)
                where = (
                    f" of {row.key}"
                    if what in ("task version", "images", "dimension", "direction") or what.startswith("encoder")
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


def _said(row: Row) -> str:
    return f"{', '.join(row.differs)} differ{'s' if len(row.differs) == 1 else ''}" if row.differs else "one run only"


def finding(pair: Pair, names: Sequence[str]) -> Text:
    """What a paired difference says, in words."""
    if pair.better is not None:
        return Text(f"{names[pair.better]} is better", style="green")
    return Text("not told apart", style="dim")


def _paired_columns(row: Row, runs: int) -> dict[str, float | bool | str | None]:
    if runs != 2:
        return {}
    pair = row.pairs[0] if row.pairs else Pair(0, 1)
    return {
        "difference": pair.difference,
        "difference_low": pair.low,
        "difference_high": pair.high,
        "significant": pair.significant,
        "why_no_difference": "" if pair.difference is not None else pair.reason,
    }


def letters(count: int) -> list[str]:
    """Return short labels for ``count`` runs: A to Z, or #1, #2 and so on for more than 26."""
    return [chr(ord("A") + i) if count <= 26 else f"#{i + 1}" for i in range(count)]
