"""Prints the coverage of a test run by package: ``python -m tests.coverage_by_package``.

Run in the folder where the data file of coverage.py is. The least covered modules follow the table.
"""

from __future__ import annotations

import io
import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coverage import Coverage

LEAST = 15
SMALL = 20
"""Modules of fewer statements than this are not listed as the least covered."""


def package_of(path: str) -> str:
    """The package that a file is counted in: ``unipath_bench/metrics/kid.py`` gives ``unipath_bench.metrics``."""
    parts = Path(path).parts
    return ".".join(parts[:2]) if len(parts) > 2 else parts[0]


def tables(
    files: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, tuple[int, int, int, int]], list[tuple[str, float]]]:
    """Statements, covered statements, branches and covered branches of each package; and modules by share, least first.

    Args:
        files: ``files`` of coverage.py's JSON report: a ``summary`` for each path.
    """
    packages: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    modules = []
    for path, entry in files.items():
        summary = entry["summary"]
        counts = [
            summary.get(key, 0) for key in ("num_statements", "covered_lines", "num_branches", "covered_branches")
        ]
        total = packages[package_of(path)]
        for index, count in enumerate(counts):
            total[index] += count
        if counts[0] >= SMALL:
            modules.append((path, summary["percent_covered"]))
    return {name: (a, b, c, d) for name, (a, b, c, d) in packages.items()}, sorted(modules, key=lambda item: item[1])


def text(files: Mapping[str, Mapping[str, Any]]) -> str:
    """The table that is printed."""
    packages, modules = tables(files)
    whole = tuple(sum(column) for column in zip(*packages.values(), strict=True))
    lines = [f"{'package':36}{'statements':>11}{'covered':>9}{'branches':>10}{'covered':>9}"]
    for name, (statements, lines_covered, branches, branches_covered) in [*sorted(packages.items()), ("all", whole)]:
        share = f"{100 * lines_covered / statements:.1f}%" if statements else "-"
        forks = f"{100 * branches_covered / branches:.1f}%" if branches else "-"
        lines.append(f"{name:36}{statements:11,}{share:>9}{branches:10,}{forks:>9}")
    lines.append(f"\nleast covered modules of {SMALL} statements or more (lines and branches)")
    lines += [f"{share:6.1f}%  {path}" for path, share in modules[:LEAST]]
    return "\n".join(lines)


def main() -> int:
    """Report and print what pytest-cov has combined; processes that outlived it leave files that count no more."""
    coverage = Coverage()
    coverage.load()
    with TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        sys.stdout, shown = io.StringIO(), sys.stdout
        try:
            coverage.json_report(outfile=str(report))
        finally:
            sys.stdout = shown
        print(text(json.loads(report.read_text(encoding="utf-8"))["files"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
