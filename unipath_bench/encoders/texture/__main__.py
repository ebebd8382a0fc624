"""Print the table of dimensions as Markdown."""

from __future__ import annotations

from unipath_bench.core.console import Console
from unipath_bench.encoders.texture import DIMENSIONS


def table() -> str:
    """Markdown table of :data:`DIMENSIONS`, one row each."""
    rows = [
        "| | dimension | meaning | unit | transform | location | scale |",
        "|--:|---|---|---|---|--:|--:|",
    ]
    rows += [
        f"| {index} | `{d.name}` | {d.meaning} | {d.unit} | {d.transform} | {d.location:g} | {d.scale:g} |"
        for index, d in enumerate(DIMENSIONS)
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    Console().print_line(table())
