"""The sensitivity curves of an audit, one small chart a defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from markupsafe import Markup

from unipath_bench.audit.layout import Grid, Row, level_text, make_grid
from unipath_bench.audit.result import AuditResult, Cell, DefectRecord
from unipath_bench.views.charts.elements import Colour, Shape
from unipath_bench.views.charts.lines import Axis, Line, Stroke, line_chart

_LOW, _HIGH = -0.35, 1.25
"""Changes beyond these are drawn at the edge."""

_MARGIN = 0.06
"""Room for the marks at the edge."""

_SHOWN = 6
"""Most values in one chart."""

_COLOURS: tuple[Colour, ...] = ("real", "generated", "good", "alarm", "muted", "ink")
_STROKES: tuple[Stroke, ...] = get_args(Stroke)
_SHAPES: tuple[Shape, ...] = ("circle", "square", "triangle", "diamond", "wedge", "kite", "bar")


@dataclass(frozen=True, slots=True)
class CurvePart:
    """One defect with the chart of the headline values."""

    defect: DefectRecord
    chart: Markup


def curve_parts(result: AuditResult) -> list[CurvePart]:
    """A chart for each defect: the change of the headline values over its levels, at most six."""
    grid = make_grid(result)
    return [CurvePart(defect, _chart(grid, column, defect)) for column, defect in enumerate(grid.columns)]


def _chart(grid: Grid, column: int, defect: DefectRecord) -> Markup:
    rows = _shown(grid, column)
    lines = [_line(number, row.label, row.cells[column], defect) for number, row in rows]
    last = len(defect.levels) - 1
    levels = [(float(k), level_text(level)) for k, level in enumerate(defect.levels)]
    ends = [(0.0, "0%"), (0.5, "50%"), (1.0, "100%")]
    spoken = "; ".join(f"{row.label} {row.cells[column].changes[-1]:.0%}" for _, row in rows)
    return line_chart(
        Axis(-_MARGIN * last, (1 + _MARGIN) * last, levels),
        Axis(_LOW - _MARGIN, _HIGH + _MARGIN, ends, "change, in parts of the value's range"),
        lines,
        f"{defect.title}, change at the most severe level: {spoken}",
    )


def _line(number: int, label: str, cell: Cell, defect: DefectRecord) -> Line:
    """A value's curve; the same value looks the same in every chart."""
    return Line(
        label,
        _COLOURS[number % len(_COLOURS)],
        [(k, min(max(change, _LOW), _HIGH)) for k, change in enumerate(cell.changes)],
        _STROKES[number % len(_STROKES)],
        _SHAPES[number % len(_SHAPES)],
        frozenset(k for k, level in enumerate(defect.levels) if not _is_seen(cell, level)),
    )


def _shown(grid: Grid, column: int) -> Sequence[tuple[int, Row]]:
    """Headline values with their numbers: first those for the defect, then those that must stay still, then others."""
    order = {"worse": 0, "still": 1, "open": 2}
    rows = enumerate(row for row in grid.rows if row.value.headline)
    chosen = sorted(rows, key=lambda item: order[item[1].cells[column].expectation])[:_SHOWN]
    return sorted(chosen, key=lambda item: item[0])


def _is_seen(cell: Cell, level: float) -> bool:
    return cell.seen_from is not None and level >= cell.seen_from
