"""The map of an audit: what each value makes of each defect, as a drawing."""

from __future__ import annotations

import io
from collections.abc import Mapping

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from unipath_bench.audit.layout import KINDS, Grid, cell_text, make_grid
from unipath_bench.audit.result import AuditResult, Cell
from unipath_bench.views.report.svg import COLOURS, Canvas

Palette = Mapping[str, str]

LIGHT: Palette = {
    "ink": "#1b2229",
    "muted": "#56616c",
    "rule": "#d5dbe0",
    "track": "#e3e8ec",
    "real": "#0063a3",
    "generated": "#b84a00",
    "alarm": "#a8231b",
    "paper": "#ffffff",
    "good": "#00694e",
}
"""The page's colours in its light scheme, for files that stand alone."""

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

_STRONGEST = 0.62
"""Opacity of a change as large as the whole range."""


def map_svg(result: AuditResult) -> Markup:
    """The map for the page: SVG in the page's own colours, light and dark."""
    grid = make_grid(result)
    width, height = _size(grid)
    with Canvas(width, height) as canvas:
        _draw(canvas.figure, grid, COLOURS)
        return canvas.svg("map", _spoken(result))


def map_file(result: AuditResult, kind: str, dots_per_inch: int = 110) -> bytes:
    """The map as a file that stands alone, on white: ``svg`` or ``png``."""
    grid = make_grid(result)
    width, height = _size(grid)
    stream = io.BytesIO()
    settings = {"svg.hashsalt": "unipath-bench", "font.family": "DejaVu Sans", "text.parse_math": False}
    with rc_context(settings):  # type: ignore[arg-type]  # matplotlib's names are a Literal of all its settings
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=LIGHT["paper"])
        _draw(figure, grid, LIGHT)
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(stream, format=kind, dpi=dots_per_inch, metadata=metadata)
    return stream.getvalue()


def _size(grid: Grid) -> tuple[float, float]:
    height = _HEAD + sum(_BAND + _CELL[1] * len(band.rows) for band in grid.bands) + _FOOT
    return _label(grid) + _CELL[0] * len(grid.columns) + _OVERHANG, height


def _label(grid: Grid) -> float:
    """Width of the rows' names."""
    return 10 + _LETTER * min(max([40, *(len(row.label) for row in grid.rows)]), _LONGEST)


def _draw(figure: Figure, grid: Grid, palette: Palette) -> None:
    width, height = _size(grid)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    left = _label(grid)
    _heads(axes, grid, palette)
    top = _HEAD
    for band in grid.bands:
        axes.text(4, top + 15, band.title, fontsize=10, fontweight="bold", color=palette["ink"], va="baseline")
        axes.plot([4, width - _OVERHANG], [top + 20, top + 20], color=palette["rule"], linewidth=0.8)
        top += _BAND
        for row in band.rows:
            weight = "bold" if row.value.headline else "normal"
            axes.text(
                left - 8,
                top + _CELL[1] / 2,
                _shortened(row.label, _LONGEST),
                fontsize=8.6,
                fontweight=weight,
                color=palette["ink"],
                ha="right",
                va="center_baseline",
            )
            for k, cell in enumerate(row.cells):
                _cell(axes, left + k * _CELL[0], top, cell, palette)
            top += _CELL[1]
    _legend(axes, top + 14, palette)


def _heads(axes: Axes, grid: Grid, palette: Palette) -> None:
    left = _label(grid)
    for k, column in enumerate(grid.columns):
        x = left + k * _CELL[0]
        first = k == 0 or grid.columns[k - 1].kind != column.kind
        if first:
            last = max(i for i, other in enumerate(grid.columns) if other.kind == column.kind)
            axes.text(x + 2, 15, KINDS[column.kind], fontsize=8.6, color=palette["muted"], va="baseline")
            axes.plot([x + 2, left + (last + 1) * _CELL[0] - 4], [21, 21], color=palette["rule"], linewidth=1)
        axes.text(
            x + _CELL[0] / 2 - 8,
            _HEAD - 4,
            column.title,
            fontsize=9,
            color=palette["ink"],
            rotation=38,
            ha="left",
            va="bottom",
            rotation_mode="anchor",
        )


def _cell(axes: Axes, left: float, top: float, cell: Cell, palette: Palette) -> None:
    width, height = _CELL
    box = (left + 1.5, top + 1.5), width - 3, height - 3
    change = max(-1.0, min(1.0, cell.changes[-1]))
    colour = palette["generated"] if change > 0 else palette["real"]
    axes.add_patch(Rectangle(*box, facecolor=palette["track"], alpha=0.45, linewidth=0))
    strength = _STRONGEST / 3 if cell.verdict in ("blind", "moves") else _STRONGEST
    axes.add_patch(Rectangle(*box, facecolor=colour, alpha=abs(change) * strength, linewidth=0))
    edge = {"responds": palette["ink"], "blind": palette["alarm"], "moves": palette["alarm"]}.get(cell.verdict)
    if edge:
        style = "-" if cell.verdict == "responds" else (0, (3, 2))
        axes.add_patch(Rectangle(*box, fill=False, edgecolor=edge, linewidth=1.4, linestyle=style))
    shown = {
        "responds": ("ink", "bold"),
        "blind": ("alarm", "bold"),
        "moves": ("alarm", "bold"),
        "still": ("good", "normal"),
        "unsettled": ("ink", "normal"),
        "open": ("ink", "normal"),
    }
    name, weight = shown[cell.verdict]
    axes.text(
        left + width / 2,
        top + height / 2,
        cell_text(cell),
        fontsize=8.4,
        fontweight=weight,
        color=palette[name],
        ha="center",
        va="center_baseline",
    )


def _legend(axes: Axes, top: float, palette: Palette) -> None:
    x = 8.0
    for colour, alpha, text in (
        ("generated", _STRONGEST, "worse by its whole range"),
        ("generated", _STRONGEST / 3, "by a third"),
        ("track", 0.45, "no change"),
        ("real", _STRONGEST / 2, "better by half"),
    ):
        axes.add_patch(Rectangle((x, top), 16, 12, facecolor=palette[colour], alpha=alpha, linewidth=0))
        axes.text(x + 21, top + 10, text, fontsize=8.2, color=palette["muted"], va="baseline")
        x += 40 + 4.9 * len(text)
    axes.text(
        8,
        top + 29,
        "Colour: change at the most severe level. Number: smallest level seen at this n, in brackets "
        "where nothing is asked.",
        fontsize=8.2,
        color=palette["muted"],
        va="baseline",
    )
    axes.text(
        8,
        top + 43,
        "Framed: what the value is for. blind: does not answer to it. still: had to stay still and did. "
        "moves: had to and did not.",
        fontsize=8.2,
        color=palette["muted"],
        va="baseline",
    )


def _spoken(result: AuditResult) -> str:
    counts = {
        verdict: sum(1 for _ in result.with_verdict(verdict)) for verdict in ("responds", "blind", "still", "moves")
    }
    return (
        f"Map of {len(result.values)} values by {len(make_grid(result).columns)} defects: {counts['responds']} answer "
        f"to what they are for, {counts['blind']} are blind to it, {counts['still']} stay still where they must, "
        f"{counts['moves']} move for the wrong reason. The tables below say the same in words."
    )


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
