"""The standings table of a board's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unipath_bench.leaderboard.site.content import SiteBoard, SiteEntry, column_key, file_stem
from unipath_bench.results import TIERS, format_number
from unipath_bench.schema.board import BoardMetric, Cell, QuotedModel, Standing
from unipath_bench.schema.cards import PublishedFigure


@dataclass(frozen=True, slots=True)
class Whisker:
    """A value and its interval on its column's common scale, in per cent from the left."""

    spot: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ShownCell:
    """One value of a row."""

    text: str
    interval: str
    sort: float | None
    rank: int | None
    reason: str
    whisker: Whisker | None


@dataclass(frozen=True, slots=True)
class Column:
    """One metric of the board."""

    key: str
    title: str
    tier: int
    tier_name: str
    direction: str
    headline: bool
    task_version: int
    encoder_digest: str


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One entry of the board."""

    row: Standing
    href: str
    badges: Sequence[tuple[str, str]]
    """(kind, text)"""
    cells: Sequence[ShownCell]
    status: str
    """``ranked`` or ``unranked``, and ``stale`` beside it."""


@dataclass(frozen=True, slots=True)
class Quote:
    """One published figure."""

    model: str
    figure: PublishedFigure


def columns(board: SiteBoard) -> list[Column]:
    """The board's metrics in its own order."""
    return [
        Column(
            column_key(m),
            m.title,
            m.tier,
            TIERS[m.tier].name,
            m.direction,
            m.headline,
            m.task_version,
            m.encoder_digest,
        )
        for m in board.board.metrics
    ]


def rows(board: SiteBoard) -> list[ShownRow]:
    """The standings, in their order."""
    scales = [_range(board, metric) for metric in board.board.metrics]
    shown = []
    for row in board.standings.rows:
        cells = [
            _cell(row.cells.get(column_key(metric), Cell(reason="not in the record")), scale)
            for metric, scale in zip(board.board.metrics, scales, strict=True)
        ]
        status = ["unranked" if row.rank is None else "ranked", *(["stale"] if row.stale else [])]
        status += ["eligible" if row.eligible else "ineligible"]
        href = f"models/{file_stem(row.name)}.html"
        shown.append(ShownRow(row, href, badges(row, board.entry(row)), cells, " ".join(status)))
    return shown


def badges(row: Standing, entry: SiteEntry) -> list[tuple[str, str]]:
    """Short marks of an entry: what it is, and why it may not be ranked."""
    found = []
    if row.stale:
        found.append(("caution", "stale"))
    elif row.rank is None:
        found.append(("caution", "not ranked"))
    if entry.record.plan.model.oracle:
        found.append(("information", "oracle baseline"))
    return found


def licences(board: SiteBoard) -> list[str]:
    """The licences of the board's entries, sorted."""
    return sorted({row.licence for row in board.standings.rows})


def quotes(quoted: Sequence[QuotedModel]) -> list[Quote]:
    """The board's quoted figures, one a line."""
    return [Quote(model.model, figure) for model in quoted for figure in model.figures]


def _cell(cell: Cell, scale: tuple[float, float] | None) -> ShownCell:
    if cell.value is None:
        return ShownCell(format_number(None), "", None, None, cell.reason, None)
    interval = ""
    if cell.low is not None and cell.high is not None:
        interval = f"{format_number(cell.low)} to {format_number(cell.high)}"
    elif cell.high is not None:
        interval = f"at most {format_number(cell.high)}"
    elif cell.low is not None:
        interval = f"at least {format_number(cell.low)}"
    whisker = None
    if scale is not None:
        low, high = (None if x is None else _across(x, scale) for x in (cell.low, cell.high))
        whisker = Whisker(_across(cell.value, scale), low, high)
    return ShownCell(format_number(cell.value), interval, cell.value, cell.rank, cell.reason, whisker)


def _range(board: SiteBoard, metric: BoardMetric) -> tuple[float, float] | None:
    """From the lowest to the highest end of the ranked entries' intervals; entries beyond it are drawn at its edge."""
    cells = [row.cells.get(column_key(metric)) for row in board.ranked]
    ends = [x for cell in cells if cell is not None for x in (cell.low, cell.value, cell.high) if x is not None]
    return (min(ends), max(ends)) if ends and min(ends) < max(ends) else None


def _across(x: float, scale: tuple[float, float]) -> float:
    return round(100 * min(max((x - scale[0]) / (scale[1] - scale[0]), 0.0), 1.0), 1)
