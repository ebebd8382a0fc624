"""The page of an audit: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from unipath_bench.audit.curves import curve_parts
from unipath_bench.audit.figure import map_svg
from unipath_bench.audit.layout import Grid, Row, level_text, make_grid
from unipath_bench.audit.result import AuditResult, Cell, DefectRecord
from unipath_bench.core.arrays import RGBImage
from unipath_bench.results import format_number, plural
from unipath_bench.views.report.pictures import Picture, picture
from unipath_bench.views.report.style import page_style

_LARGEST = 160
"""Pixels a side of an example; of a larger tile its middle is shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A cell in words."""

    label: str
    defect: DefectRecord
    cell: Cell


@dataclass(frozen=True, slots=True)
class ExampleStrip:
    """One image at every level of a defect."""

    defect: DefectRecord
    pictures: Sequence[Picture]


def render_page(result: AuditResult, examples: Mapping[str, Sequence[RGBImage]]) -> str:
    """The page as text. ``examples`` holds, by defect, one tile at every level, 0 first.

    It asks nothing of the network and runs no script; the same result and examples give the same bytes.
    """
    grid = make_grid(result)
    engine = Environment(
        loader=PackageLoader("unipath_bench.audit", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    engine.filters.update(number=format_number, plural=plural, level=level_text, signed=_signed)
    own = files("unipath_bench.audit").joinpath("templates", "audit.css").read_text(encoding="utf-8")
    applied = {d.name: d for d in result.defects}
    return engine.get_template("audit.html.j2").render(
        result=result,
        grid=grid,
        style=Markup(page_style() + own),  # nosec B704  # our own style sheet
        map=map_svg(result),
        curves=curve_parts(result),
        blind=_findings(grid, "blind"),
        moves=_findings(grid, "moves"),
        unsettled=_findings(grid, "unsettled"),
        counts=_counts(result),
        strips=[_strip(applied[name], images) for name, images in examples.items() if name in applied],
        lacking=[d for d in result.defects if d.lacking],
        assumed=result.scale_is_assumed,
    )


def _findings(grid: Grid, verdict: str) -> list[Finding]:
    def of(row: Row) -> list[Finding]:
        pairs = zip(grid.columns, row.cells, strict=True)
        return [Finding(row.label, column, cell) for column, cell in pairs if cell.verdict == verdict]

    return [finding for row in grid.rows for finding in of(row)]


def _counts(result: AuditResult) -> dict[str, int]:
    counts = dict.fromkeys(("responds", "blind", "still", "moves", "unsettled", "open"), 0)
    for cell in result.cells:
        counts[cell.verdict] += 1
    return counts


def _strip(defect: DefectRecord, images: Sequence[RGBImage]) -> ExampleStrip:
    texts = [f"{defect.title}, level {level_text(level)}" for level in defect.levels]
    return ExampleStrip(defect, [picture(_middle(i), text) for i, text in zip(images, texts, strict=True)])


def _middle(image: RGBImage) -> RGBImage:
    height, width, _ = image.shape
    top, left = max(0, (height - _LARGEST) // 2), max(0, (width - _LARGEST) // 2)
    return image[top : top + _LARGEST, left : left + _LARGEST]


def _signed(change: float) -> str:
    """A change as a part of the range: ``+12%``."""
    return f"{change:+.0%}" if round(change, 2) else "0%"
