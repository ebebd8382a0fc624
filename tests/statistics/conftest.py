"""Collects the rows of the coverage study and prints them as one table at the end of the run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

Row = dict[str, object]
ROWS = pytest.StashKey[list[Row]]()
JSON = "UNIPATH_BENCH_COVERAGE_JSON"


@pytest.fixture
def record_row(request: pytest.FixtureRequest):
    """Add one row, a mapping of column to value, to the table."""
    return request.config.stash.setdefault(ROWS, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[i]) for line in cells)) for i, column in enumerate(columns)]
    terminalreporter.section("coverage of nominal 95% intervals")
    for line in [columns, ["-" * width for width in widths], *cells]:
        terminalreporter.line(
            "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |"
        )
    if os.environ.get(JSON):
        Path(os.environ[JSON]).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
