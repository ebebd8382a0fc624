"""Runs the benchmarks and prints how many times faster than each peer, in how much memory, and how well the
values agree.

``python tests/benchmarks/table.py [bench.json] [-k EXPRESSION]``: the JSON is pytest-benchmark's.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from datetime import date
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OURS = "unipath-bench"
NOT_A_PEER = "product alone"


def run(output: Path, selection: str | None, tiny: bool = False) -> int:
    """Run the benchmarks into ``output``; pytest's exit status."""
    options = ["-q", "-o", "addopts=", "--benchmark-only", "--benchmark-disable-gc", "--benchmark-columns=min,rounds"]
    options += [f"--benchmark-json={output}", "--import-mode=prepend", "-p", "no:cacheprovider", "--timeout=0"]
    if tiny:
        options += ["--tiny"]
    if selection:
        options += ["-k", selection]
    return int(pytest.main([*options, *map(str, sorted(HERE.glob("test_*.py")))]))


def rows(document: dict) -> list[list[str]]:
    """Table cells from pytest-benchmark's document."""
    groups: dict[str, list[dict]] = {}
    for benchmark in document["benchmarks"]:
        groups.setdefault(benchmark["group"], []).append(benchmark)
    table = []
    for group, entries in groups.items():
        mine = [entry for entry in entries if entry["extra_info"]["implementation"] == OURS]
        if not mine:
            continue
        ours = mine[0]
        for entry in entries:
            info = entry["extra_info"]
            if entry is ours:
                ratio, agreement = "", ""
            else:
                ratio = f"{entry['stats']['min'] / ours['stats']['min']:.2f}"
                value = ours["extra_info"]["value"]
                agreement = (
                    f"{abs(info['value'] - value) / abs(value):.0e}"
                    if value and info["implementation"] != NOT_A_PEER
                    else ""
                )
            memory = info["peak_mb"]
            table.append(
                [
                    group if entry is ours else "",
                    info["implementation"],
                    f"{entry['stats']['min']:.3f}",
                    ratio,
                    "" if memory is None else f"{memory:,.0f}",
                    agreement,
                ]
            )
    return table


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return pytest's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", nargs="?", type=Path, default=Path("bench.json"))
    parser.add_argument("-k", dest="selection", help="run only the rows that match, as pytest -k")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to see that every row runs")
    parser.add_argument("--print-only", action="store_true", help="print the table of an earlier run")
    options = parser.parse_args(arguments)
    status = 0 if options.print_only else run(options.json, options.selection, options.tiny)
    if status:
        return status
    document = json.loads(options.json.read_text(encoding="utf-8"))
    header = ["kernel", "implementation", "seconds", "times ours", "peak MB", "relative difference"]
    lines = [header, *rows(document)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    machine = document["machine_info"]["cpu"].get("brand_raw", platform.machine())
    print(f"\n{date.today()}, {machine}, CPU seconds on one thread unless said, Python {platform.python_version()}\n")
    for index, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if index == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return 0


if __name__ == "__main__":
    sys.exit(main())
