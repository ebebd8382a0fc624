"""A report on the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unipath_bench.leaderboard.validation.checks import Report

_STYLES = {"passed": "green", "failed": "bold red", "could not check": "yellow"}
_VERDICTS = {
    "accepted": ("Every check passed.", "green"),
    "refused": ("Refused.", "bold red"),
    "incomplete": ("Nothing failed, but not everything could be checked.", "yellow"),
}


def show_report(report: Report) -> RenderableType:
    """The table of checks with the verdict below it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("What was found", overflow="fold")
    for check in report.checks:
        table.add_row(check.name, Text(check.status, style=_STYLES[check.status]), Text(check.detail))
    words, style = _VERDICTS[report.verdict]
    return Group(
        Text(f"{report.archive}  {report.bytes:,} bytes  {report.sha256}"),
        Text(f"Board: {report.board or 'none'}"),
        table,
        Text(words, style=style),
    )
