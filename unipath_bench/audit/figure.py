"""The map of an audit: what each value makes of each defect, as a drawing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from markupsafe import Markup

from unipath_bench.audit.layout import KINDS, Grid, cell_text, make_grid
from unipath_bench.audit.result import AuditResult, Cell
from unipath_bench.audit.sensitivity import Verdict
from unipath_bench.views.charts.elements import Point, box, chart, chart_file, line, rounded, shortened, text
from unipath_bench.views.report.style import LIGHT

_CELL = (58.0, 24.0)
_LONGEST = 56
"""Letters of a row's name that are shown."""

_LETTER = 5.4
"""Width of a letter of a row's name, of which there are at least 40."""

_HEAD = 104.0
_BAND = 22.0
_FOOT = 62.0
_OVERHANG = 58.0
"""Room for the last slanted title."""

_SLANT = -38
_STRONGEST = 0.62
"""Opacity of a change as large as the whole range."""

_WORDS: Mapping[Verdict, str] = {
    "responds": "ink strong",
    "blind": "alarm strong",
    "moves": "alarm strong",
    "still": "good",
    "unsettled": "ink",
    "open": "ink",
}
_FRAMES: Mapping[Verdict, str] = {
    "responds": "frame ink",
    "blind": "frame alarm broken",
    "moves": "frame alarm broken",
}


def map_svg(result: AuditResult) -> Markup:
    """The map for the page, in the page's own colours, light and dark."""
    grid = make_grid(result)
    return chart(*_size(grid), _spoken(result), _parts(grid))


def map_file(result: AuditResult) -> str:
    """The map as an SVG file that stands alone, on white."""
    grid = make_grid(result)
    return chart_file(*_size(grid), _spoken(result), _parts(grid), LIGHT)


def _size(grid: Grid) -> tuple[float, float]:
    height = _HEAD + sum(_BAND + _CELL[1] * len(band.rows) for band in grid.bands) + _FOOT
    return _label(grid) + _CELL[0] * len(grid.columns) + _OVERHANG, height


def _label(grid: Grid) -> float:
    """Width of the rows' names."""
    return 10 + _LETTER * min(max([40, *(len(row.label) for row in grid.rows)]), _LONGEST)


def _parts(grid: Grid) -> list[Markup]:
    left, right = _label(grid), _size(grid)[0] - _OVERHANG
    parts, top = _heads(grid), _HEAD
    for band in grid.bands:
        parts += [text((4, top + 15), band.title, "strong"), line((4, top + 20), (right, top + 20), "grid")]
        top += _BAND
        for row in band.rows:
            weight = " strong" if row.value.headline else ""
            middle = top + _CELL[1] / 2 + 3
            parts.append(text((left - 8, middle), shortened(row.label, _LONGEST), f"fine end{weight}"))
            for k, cell in enumerate(row.cells):
                parts += _cell((left + k * _CELL[0], top), cell)
            top += _CELL[1]
    return [*parts, *_legend(top + 14)]


def _heads(grid: Grid) -> list[Markup]:
    """The titles of the defects, slanted, and above them those of their kinds."""
    parts, x = [], _label(grid)
    for kind, columns in groupby(grid.columns, key=lambda column: column.kind):
        of_kind = list(columns)
        parts.append(text((x + 2, 15), KINDS[kind], "fine muted"))
        parts.append(line((x + 2, 21), (x + _CELL[0] * len(of_kind) - 4, 21), "grid"))
        for column in of_kind:
            foot = x + _CELL[0] / 2 - 4, _HEAD - 6
            turned = f"rotate({_SLANT} {rounded(foot[0])} {rounded(foot[1])})"
            parts.append(text(foot, column.title, "fine", transform=turned))
            x += _CELL[0]
    return parts


def _cell(corner: Point, cell: Cell) -> list[Markup]:
    (left, top), (width, height) = corner, _CELL
    inner = (left + 1.5, top + 1.5), width - 3, height - 3
    change = max(-1.0, min(1.0, cell.changes[-1]))
    strength = _STRONGEST / 3 if cell.verdict in ("blind", "moves") else _STRONGEST
    parts = [box(*inner, "fill track", opacity="0.45")]
    if change:
        colour = "generated" if change > 0 else "real"
        parts.append(box(*inner, f"fill {colour}", opacity=f"{abs(change) * strength:.3f}"))
    if cell.verdict in _FRAMES:
        parts.append(box(*inner, _FRAMES[cell.verdict]))
    words = f"fine middle {_WORDS[cell.verdict]}"
    return [*parts, text((left + width / 2, top + height / 2 + 3), cell_text(cell), words)]


def _legend(top: float) -> list[Markup]:
    parts, x = [], 8.0
    for colour, opacity, words in (
        ("generated", _STRONGEST, "worse by its whole range"),
        ("generated", _STRONGEST / 3, "by a third"),
        ("track", 0.45, "no change"),
        ("real", _STRONGEST / 2, "better by half"),
    ):
        parts.append(box((x, top), 16, 12, f"fill {colour}", opacity=f"{opacity:.3f}"))
        parts.append(text((x + 21, top + 10), words, "fine muted"))
        x += 40 + 4.9 * len(words)
    for down, words in (
        (
            29,
            "Colour: change at the most severe level. Number: smallest level seen at this n, in brackets where nothing "
            "is asked.",
        ),
        (
            43,
            "Framed: what the value is for. blind: does not answer to it. still: had to stay still and did. moves: had "
            "to and did not.",
        ),
    ):
        parts.append(text((8, top + down), words, "fine muted"))
    return parts


def _spoken(result: AuditResult) -> str:
    counts = {
        verdict: sum(1 for _ in result.with_verdict(verdict)) for verdict in ("responds", "blind", "still", "moves")
    }
    return (
        f"Map of {len(result.values)} values by {len(make_grid(result).columns)} defects: {counts['responds']} answer "
        f"to what they are for, {counts['blind']} are blind to it, {counts['still']} stay still where they must, "
        f"{counts['moves']} move for the wrong reason. The tables below say the same in words."
    )
