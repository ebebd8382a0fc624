"""What an entry's page shows, prepared from its row, its record and the model's other submissions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from unipath_bench.leaderboard.site.content import Appearance, SiteBoard, file_stem
from unipath_bench.results import (
    TIERS,
    TierText,
    format_interval,
    format_number,
    task_flags,
)
from unipath_bench.schema.board import Cell, Standing
from unipath_bench.schema.details import AttributeControl, Memorisation
from unipath_bench.schema.record import Interval, RunRecord, TaskScore
from unipath_bench.schema.task import Tier
from unipath_bench.views.charts import bars, distance_curves, radar_numbers


@dataclass(frozen=True, slots=True)
class TaskPart:
    """One score with what is shown beyond the table's row."""

    score: TaskScore
    flags: Sequence[str]
    attributes: AttributeControl | None


@dataclass(frozen=True, slots=True)
class TierPart:
    """One tier of the page."""

    number: Tier
    text: TierText
    bars: Markup
    tasks: Sequence[TaskPart]
    footnotes: Sequence[str]


@dataclass(frozen=True, slots=True)
class AuditPart:
    """One memorisation audit."""

    encoder: str | None
    audit: Memorisation
    curves: Markup


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One submission of the same model."""

    here: bool
    href: str
    date: str
    title: str
    revision: str
    board: str
    rank: str
    value: str
    metric: str


@dataclass(frozen=True, slots=True)
class Digests:
    """The shards of one kind, as the record lists them."""

    kind: str
    shards: Sequence[tuple[str, int, str]]
    """(name, rows, digest)"""


def tiers(record: RunRecord) -> list[TierPart]:
    """The tiers that the record has scores of."""
    parts = []
    numbers = radar_numbers(record.scores)
    for number, text in TIERS.items():
        scores = [score for score in record.scores if score.tier == number]
        if not scores:
            continue
        reasons = [v.interval.note if v.interval else v.interval_note for s in scores for v in s.values.values()]
        parts.append(
            TierPart(
                number,
                text,
                bars(scores, numbers),
                [TaskPart(s, task_flags(s), s.details_as(AttributeControl)) for s in scores],
                list(dict.fromkeys(reason for reason in reasons if reason)),
            )
        )
    return parts


def audits(record: RunRecord) -> list[AuditPart]:
    """The record's memorisation audits."""
    found = [(score.encoder, score.details_as(Memorisation)) for score in record.scores]
    return [AuditPart(encoder, audit, distance_curves(audit)) for encoder, audit in found if audit is not None]


def history(appearances: Sequence[Appearance], board: SiteBoard, row: Standing) -> list[HistoryLine]:
    """The model's submissions, the newest first; links are relative to an entry's page."""
    lines = []
    for seen in appearances:
        metric = seen.board.headline
        lines.append(
            HistoryLine(
                here=seen.board is board and seen.row.name == row.name,
                href=f"../../{seen.board.folder}/models/{file_stem(seen.row.name)}.html",
                date=seen.row.submitted_on,
                title=seen.row.title,
                revision=seen.row.revision,
                board=seen.board.board.title,
                rank=rank_text(seen.row),
                value=_figure(seen.cell),
                metric=metric.title if metric else "",
            )
        )
    return lines


def rank_text(row: Standing) -> str:
    """``3``, ``3=`` where the entry is not told apart from some other, or why there is no rank in a word."""
    if row.rank is not None:
        return f"{row.rank}=" if row.tied_with else str(row.rank)
    return "stale" if row.stale else "not ranked"


def digests(record: RunRecord) -> list[Digests]:
    """The record's shards by kind."""
    kinds = dict.fromkeys(shard.kind for shard in record.shards)
    return [Digests(k, [(s.name, s.rows, s.digest) for s in record.shards if s.kind == k]) for k in kinds]


def _figure(cell: Cell) -> str:
    if cell.value is None:
        return "–"
    if cell.high is None:
        return format_number(cell.value)
    return f"{format_number(cell.value)} ({format_interval(Interval(low=cell.low, high=cell.high, method=''))})"
