"""Standings on the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unipath_bench.results import format_number, plural
from unipath_bench.schema.board import BoardMetric, Cell, Standing, Standings

CAVEAT = (
    "Rank: one more than the number of entries that are significantly better (paired differences of the same prompts, "
    "5% after Holm). Entries of neighbouring ranks may not be told apart either: the last column names whom each entry "
    "cannot be told from."
)


def show_standings(standings: Standings) -> RenderableType:
    """The ranked entries with their headline values, then the unranked with the reasons, then quoted figures."""
    board = standings.board
    shown = [metric for metric in board.metrics if metric.headline] or [board.metrics[0]]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("Rank", "Entry", "Model", *(f"{m.title} ({m.direction} is better)" for m in shown), "Not told from"):
        table.add_column(name, overflow="fold")
    for row in standings.rows:
        if row.rank is not None:
            cells = [_cell(row, metric) for metric in shown]
            table.add_row(str(row.rank), row.name, f"{row.model} {row.revision}", *cells, ", ".join(row.tied_with))
    parts: list[RenderableType] = [
        Text(f"{board.title}  ", style="bold").append(f"{board.suite}, n = {board.n} x {board.seeds}", style="dim"),
        table if any(row.rank is not None for row in standings.rows) else Text("Nothing is ranked yet."),
    ]
    unranked = [row for row in standings.rows if row.rank is None]
    if unranked:
        apart = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Not ranked", title_justify="left")
        for name in ("Entry", *(m.title for m in shown), "Why"):
            apart.add_column(name, overflow="fold")
        for row in unranked:
            apart.add_row(row.name, *[_cell(row, metric) for metric in shown], "; ".join(row.reasons))
        parts.append(apart)
    for quoted in board.quoted:
        figures = ", ".join(f"{f.metric} {format_number(f.value)} ({f.dataset})" for f in quoted.figures)
        parts.append(Text(f"Quoted, never ranked: {quoted.model}: {figures}", style="dim"))
    if standings.older:
        text = f"{standings.older} of {plural(len(standings.rows), 'record')} of an earlier version of the format."
        parts.append(Text(text, style="dim"))
    return Group(*parts, Text(CAVEAT, style="dim"))


def _cell(row: Standing, metric: BoardMetric) -> str:
    cell = row.cells.get(f"{metric.key}/{metric.value}", Cell())
    if cell.value is None:
        return f"at most {format_number(cell.high)}" if cell.high is not None else "-"
    text = format_number(cell.value)
    if cell.low is not None and cell.high is not None:
        text += f" ({format_number(cell.low)} to {format_number(cell.high)})"
    elif cell.high is not None:
        text += f" (at most {format_number(cell.high)})"
    return text
