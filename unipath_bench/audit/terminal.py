"""The audit in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from unipath_bench.audit.layout import Grid, cell_text, make_grid
from unipath_bench.audit.result import AuditResult, Cell

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
        f"[bold]Audit of the metrics[/] on [bold]{escape(result.suite.name)}[/]: {result.n} prompts of "
        f"{result.patients} patients, {len(result.values)} values, {len(grid.columns)} defects"
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
            console.print(f"\n[bold]{title}[/]")
            for label, cell in found:
                console.print(f"  {label}, {cell.defect}: {cell.finding}", markup=False, highlight=False)
    for item in result.not_audited:
        console.print(f"  not computed: {item.key}: {item.reason}", markup=False, highlight=False, style="dim")


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
            table.add_row(f"[dim]{band.title}[/]")
            for row in band.rows:
                table.add_row(f"  {escape(row.label)}", *(_shown(row.cells[k]) for k in columns))
        tables.append(table)
    return tables


def _shown(cell: Cell) -> str:
    return f"[{_STYLES[cell.verdict]}]{escape(cell_text(cell))}[/]"
