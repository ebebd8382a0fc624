"""The audit in a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from unipath_bench.audit.layout import Grid, cell_text, make_grid
from unipath_bench.audit.result import AuditResult, Cell
from unipath_bench.core.console import Console

_STYLES = {
    "responds": "bold",
    "blind": "bold red",
    "moves": "bold red",
    "still": "green",
    "unsettled": "yellow",
    "open": "dim",
}


def print_audit(result: AuditResult, console: Console) -> None:
    """The map as a table, then in words what is blind and what moves for the wrong reason."""
    grid = make_grid(result)
    console.print(
        Text.assemble(
            ("Audit of the metrics", "bold"),
            " on ",
            (result.suite.name, "bold"),
            f": {result.n} prompts of {result.patients} patients, {len(result.values)} values, "
            f"{len(grid.columns)} defects",
        )
    )
    for table in _tables(grid, console.width):
        console.print(table)
    console.print(
        "Number: smallest level that is seen (in brackets where nothing is asked of the value). blind: is for this "
        "defect and does not answer. still: must not move and does not. moves: must not move and does. ?: this n "
        "cannot tell.",
        style="dim",
    )
    for title, verdict in (("Blind", "blind"), ("Moves for the wrong reason", "moves"), ("Not settled", "unsettled")):
        found = [(row.label, cell) for row in grid.rows for cell in row.cells if cell.verdict == verdict]
        if found:
            console.print_line(f"\n{title}", "bold")
            for label, cell in found:
                console.print_line(f"  {label}, {cell.defect}: {cell.finding}")
    for item in result.not_audited:
        console.print_line(f"  not computed: {item.key}: {item.reason}", "dim")


def _tables(grid: Grid, width: int) -> list[Table]:
    """As many tables as it takes to fit the width, each with the values' names."""
    names = max((len(row.label) for row in grid.rows), default=0) + 3
    each = max(1, (width - names) // 11)
    tables = []
    for start in range(0, len(grid.columns), each):
        columns = range(start, min(start + each, len(grid.columns)))
        table = Table(show_edge=False, pad_edge=False)
        table.add_column("Value", no_wrap=True)
        for k in columns:
            table.add_column(grid.columns[k].name.replace("-", "\n"), justify="center", no_wrap=True, min_width=8)
        for band in grid.bands:
            table.add_row(Text(band.title, "dim"))
            for row in band.rows:
                table.add_row(f"  {row.label}", *(_shown(row.cells[k]) for k in columns))
        tables.append(table)
    return tables


def _shown(cell: Cell) -> Text:
    return Text(cell_text(cell), _STYLES[cell.verdict])
