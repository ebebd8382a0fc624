"""What was dropped, and why: a table of images, a table of reasons, sheets to look at."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

from pydantic import Field
from rich.table import Table

from reference_model.curation.records import Options, Result
from unipath_bench import DataError
from unipath_bench.core.csv_safety import escaped_row
from unipath_bench.core.files import write_text
from unipath_bench.schema.base import Document

_STAGES = ("quality", "duplicate", "similar", "sampling", "caption")


class ReasonCount(Document):
    """How many images were dropped for one reason."""

    stage: str
    reason: str
    dropped: int = Field(ge=1)
    rate: float = Field(ge=0, le=1, description="Of all images.")


class Summary(Document):
    """The outcome of a curation."""

    images: int = Field(ge=0)
    kept: int = Field(ge=0)
    kept_by_split: dict[str, int]
    reasons: tuple[ReasonCount, ...]
    settings: dict[str, str] = Field(description="Of the stages.")
    decided_by: str


def summarise(result: Result, options: Options) -> Summary:
    """Count the drops by stage and reason, in the order of the stages, the commonest reason first."""
    total = len(result.kept) + len(result.drops)
    counts = Counter((d.stage, d.reason) for d in result.drops)
    order = sorted(counts, key=lambda key: (_STAGES.index(key[0]), -counts[key], key[1]))
    return Summary(
        images=total,
        kept=len(result.kept),
        kept_by_split=dict(sorted(Counter(s.split for s in result.kept).items())),
        reasons=tuple(
            ReasonCount(stage=stage, reason=reason, dropped=counts[stage, reason], rate=counts[stage, reason] / total)
            for stage, reason in order
        ),
        settings={
            **{name: f"{value:g}" for name, value in options.bounds.model_dump().items()},
            "hash_distance": _told(options.hash_distance),
            "encoder": _told(options.encoder),
            "similarity": _told(options.similarity),
            "target": _told(options.target),
            "clusters": _told(options.clusters),
            "seed": str(options.seed),
            "split": options.split or "all",
        },
        decided_by=result.decided_by,
    )


def write_report(result: Result, options: Options, folder: Path) -> Summary:
    """Write ``dropped.csv``, ``summary.csv`` and ``summary.json`` to ``folder``."""
    summary = summarise(result, options)
    dropped = [
        [d.sample.id, d.sample.split, d.stage, d.reason, _number(d.value), _number(d.bound), d.like]
        for d in sorted(result.drops, key=lambda d: (_STAGES.index(d.stage), d.reason, d.sample.id))
    ]
    header = ["id", "split", "stage", "reason", "value", "bound", "like"]
    write_text(folder / "dropped.csv", _csv([header, *dropped]))
    reasons = [[r.stage, r.reason, str(r.dropped), f"{r.rate:.4f}"] for r in summary.reasons]
    total = len(result.drops)
    last = ["all", "", str(total), f"{total / summary.images:.4f}"]
    write_text(folder / "summary.csv", _csv([["stage", "reason", "dropped", "rate"], *reasons, last]))
    write_text(folder / "summary.json", summary.model_dump_json(indent=2) + "\n")
    return summary


def read_summary(path: Path) -> Summary:
    """Read a ``summary.json``; raises :class:`~unipath_bench.DataError` that names it."""
    try:
        return Summary.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not the summary of a curation: {error}", "Run `curate run` to the end.") from error


def summary_table(summary: Summary) -> Table:
    """The summary for the terminal."""
    splits = ", ".join(f"{count} {split}" for split, count in summary.kept_by_split.items())
    table = Table(title=f"{summary.kept} of {summary.images} images kept ({splits})", title_justify="left")
    for column in ("Stage", "Reason", "Dropped", "Rate"):
        table.add_column(column, justify="right" if column in ("Dropped", "Rate") else "left")
    for r in summary.reasons:
        table.add_row(r.stage, r.reason, str(r.dropped), f"{r.rate:.2%}")
    return table


def _csv(rows: list[list[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(map(escaped_row, rows))
    return stream.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _told(value: object) -> str:
    return "off" if value is None else str(value)
