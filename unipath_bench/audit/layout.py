"""The grid that table, figure and page share: values by tier and task down, defects by kind across."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass

from unipath_bench.audit.catalogue import Kind
from unipath_bench.audit.result import AuditResult, Cell, DefectRecord, ValueRecord
from unipath_bench.results import TIERS
from unipath_bench.schema.task import Tier

KINDS: dict[Kind, str] = {
    "image": "The image",
    "tissue": "What is in it",
    "set": "Which images",
    "prompt": "For which prompt",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One value with its cells in the order of the columns."""

    value: ValueRecord
    label: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Band:
    """The rows of a tier."""

    tier: Tier
    title: str
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Grid:
    """Columns and bands of an audit."""

    columns: Sequence[DefectRecord]
    bands: Sequence[Band]

    @property
    def rows(self) -> list[Row]:
        """All rows, from the top."""
        return [row for band in self.bands for row in band.rows]


def make_grid(result: AuditResult) -> Grid:
    """The grid of an audit: the defects that were applied, the values that were computed."""
    columns = [d for d in result.defects if not d.lacking]
    several = len({v.encoder for v in result.values if v.encoder}) > 1
    titles = Counter(title for _, title in {(v.task, v.title) for v in result.values})
    shared = {title for title, tasks in titles.items() if tasks > 1}
    bands = []
    for tier, text in TIERS.items():
        rows = [
            Row(v, _label(v, shared, several), [result.cell(v.key, d.name) for d in columns])
            for v in result.values
            if v.tier == tier
        ]
        if rows:
            bands.append(Band(tier, f"Tier {tier} · {text.name}", rows))
    return Grid(columns, bands)


def _label(value: ValueRecord, shared: Set[str], with_encoder: bool) -> str:
    """Title of a value, with the task where several have the title, and with the encoder where asked for."""
    name = value.title
    if name in shared:
        name = f"{value.task.replace('-', ' ').capitalize()}, {name}"
    return f"{name} [{value.encoder}]" if with_encoder and value.encoder else name


def level_text(level: float | None) -> str:
    """A level as it is printed: ``0.05``, ``12``; an en dash for None."""
    return "–" if level is None else f"{level:g}"


def cell_text(cell: Cell) -> str:
    """What a cell of the map says: the smallest level that is seen, or the verdict."""
    match cell.verdict:
        case "responds":
            return level_text(cell.seen_from)
        case "blind":
            return "blind"
        case "moves":
            return "moves"
        case "still":
            return "still"
        case "unsettled":
            return "?"
        case "open":
            return f"({level_text(cell.seen_from)})" if cell.seen_from is not None else "·"
