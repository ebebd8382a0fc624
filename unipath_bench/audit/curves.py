"""The sensitivity curves of an audit, one small chart a defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from unipath_bench.audit.layout import Grid, Row, level_text, make_grid
from unipath_bench.audit.result import AuditResult, Cell, DefectRecord
from unipath_bench.views.report.svg import COLOURS, Canvas

_WIDTH, _HEIGHT = 344.0, 210.0
_LOW, _HIGH = -0.35, 1.25
"""Changes beyond these are drawn at the edge."""

_SHOWN = 6
"""Most values in one chart."""

_COLOURS = ("real", "generated", "good", "alarm", "muted", "ink")
_LINES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True, slots=True)
class CurvePart:
    """One defect with the chart of the headline values."""

    defect: DefectRecord
    chart: Markup


def curve_parts(result: AuditResult) -> list[CurvePart]:
    """A chart for each defect: the change of the headline values over its levels, at most six."""
    grid = make_grid(result)
    return [CurvePart(d, _chart(grid, k, d)) for k, d in enumerate(grid.columns)]


def _chart(grid: Grid, column: int, defect: DefectRecord) -> Markup:
    rows = _shown(grid, column)
    with Canvas(_WIDTH, _HEIGHT) as canvas:
        axes = canvas.figure.add_axes((0.12, 0.14, 0.85, 0.56))
        positions = list(range(len(defect.levels)))
        axes.axhline(0, color=COLOURS["rule"], linewidth=1)
        axes.axhline(1, color=COLOURS["rule"], linewidth=1, linestyle=":")
        for number, row in rows:
            # The same value looks the same in every chart.
            colour, style = _COLOURS[number % len(_COLOURS)], _LINES[number % len(_LINES)]
            marker, cell = _MARKERS[number % len(_MARKERS)], row.cells[column]
            heights = [min(max(change, _LOW), _HIGH) for change in cell.changes]
            axes.plot(
                positions,
                heights,
                linestyle=style,
                marker=marker,
                markersize=5,
                linewidth=1.8,
                color=COLOURS[colour],
                markerfacecolor=COLOURS["paper"],
                label=row.label,
            )
            seen = [k for k in positions if _is_seen(cell, defect.levels[k])]
            axes.plot(
                seen, [heights[k] for k in seen], linestyle="", marker=marker, markersize=5, color=COLOURS[colour]
            )
        axes.set_ylim(_LOW - 0.06, _HIGH + 0.06)
        axes.xaxis.set_major_locator(FixedLocator(positions))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: level_text(defect.levels[round(x)])))
        axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.0%}"))
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9.5, length=3)
        axes.legend(
            frameon=False,
            fontsize=8.6,
            loc="lower left",
            ncols=2,
            bbox_to_anchor=(-0.12, 1.02),
            borderaxespad=0,
            handlelength=2.4,
            columnspacing=1.0,
            labelspacing=0.35,
            labelcolor=COLOURS["ink"],
        )
        spoken = "; ".join(f"{r.label} {r.cells[column].changes[-1]:.0%}" for _, r in rows)
        return canvas.svg(f"curve-{defect.name}", f"{defect.title}, change at the most severe level: {spoken}")


def _shown(grid: Grid, column: int) -> Sequence[tuple[int, Row]]:
    """Headline values with their numbers: first those for the defect, then those that must stay still, then others."""
    order = {"worse": 0, "still": 1, "open": 2}
    rows = enumerate(row for row in grid.rows if row.value.headline)
    chosen = sorted(rows, key=lambda item: order[item[1].cells[column].expectation])[:_SHOWN]
    return sorted(chosen, key=lambda item: item[0])


def _is_seen(cell: Cell, level: float) -> bool:
    return cell.seen_from is not None and level >= cell.seen_from
