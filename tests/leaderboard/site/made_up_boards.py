"""Boards with made-up entries, for the tests of the site. Nothing here was measured, and the ranks are made up too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import made_up_records as made_up
from unipath_bench.core.digest import digest
from unipath_bench.leaderboard.site import SiteBoard, SiteEntry
from unipath_bench.schema.board import Board, BoardMetric, Cell, Entry, QuotedModel, Standing, Standings
from unipath_bench.schema.cards import PublishedFigure
from unipath_bench.schema.record import Interval, RunRecord, TaskScore
from unipath_bench.schema.task import Tier

LICENCES = ("Apache-2.0 (this card); the images keep the licence of the suite", "CC-BY-4.0", "CC-BY-NC-4.0", "MIT")
METRICS: tuple[tuple[str, str, str, Tier, made_up.Direction], ...] = (
    ("frechet-distance[texture]", "frechet_distance", "Fréchet distance", 1, "lower"),
    ("kernel-distance[texture]", "kid", "Kernel distance", 1, "lower"),
    ("manifold[texture]", "precision", "Precision", 1, "higher"),
    ("image-to-image-recall[texture]", "recall_at_10", "Recall@10", 2, "higher"),
    ("attribute-control[texture]", "weighted_f1", "Attribute control", 3, "higher"),
    ("synthetic-training[texture]", "gain", "Gain by synthetic training", 4, "higher"),
    ("memorisation[texture]", "copied_share", "Copied share", 4, "lower"),
)


def board(name: str = "made-up", kind: made_up.SuiteKind = "tissue", **more: Any) -> Board:
    """A board of seven metrics."""
    metrics = tuple(
        BoardMetric(
            key=key,
            value=value,
            task_version=1,
            encoder_digest=digest("texture"),
            title=title,
            tier=tier,
            direction=direction,
            headline=i == 0,
        )
        for i, (key, value, title, tier, direction) in enumerate(METRICS)
    )
    quoted = QuotedModel(
        model="UniPath-7B",
        figures=(
            PublishedFigure(
                metric="Patho-FID",
                value=80.9,
                dataset="the paper's test set",
                source="https://arxiv.org/abs/2512.21058",
            ),
            PublishedFigure(metric="FID", value=36.4, dataset="the paper's test set", source="arXiv 2512.21058"),
        ),
    )
    return Board(
        name=name,
        title=more.pop("title", "Made-up tissue board"),
        description=more.pop("description", "Every number on this board is made up, to show what the site looks like."),
        kind=kind,
        suite="folder",
        suite_revision=digest("tiles"),
        n=572,
        metrics=metrics,
        quoted=(quoted,),
        **more,
    )


def varied(record: RunRecord, i: int) -> RunRecord:
    """The record with numbers of its own: every value moved within its scale, in an interval."""

    def moved(score: TaskScore, k: int) -> TaskScore:
        values = {}
        for j, (name, value) in enumerate(score.values.items()):
            bad, good = value.bad_end, value.good_end
            below, above = (bad, good) if value.direction == "higher" else (good, bad)
            low = 0.0 if below is None else below
            high = 2 * abs(value.value) or 1.0 if above is None else above
            share = 0.12 + 0.76 * ((i * (7 + 4 * k) + 31 * k + 13 * j) % 101) / 100
            number = low + (high - low) * (share if value.direction == "higher" else 0.6 * (1 - share))
            half = (high - low) * (0.03 + 0.01 * (k % 3))
            found = Interval(estimate=number, low=number - half, high=number + half, method="grouped jackknife")
            ends = None if bad is None or good is None else (low, high)
            values[name] = made_up.value(
                number, value.title, value.direction, ends, headline=value.headline, unit=value.unit, interval=found
            )
        return score.model_copy(update={"values": values})

    return record.model_copy(update={"scores": tuple(moved(s, k) for k, s in enumerate(record.scores))})


def cells(record: RunRecord) -> dict[str, Cell]:
    """The board's values of a record."""
    found = {}
    for key, name, *_ in METRICS:
        value = record.score(key).values[name]
        low, high = (value.interval.low, value.interval.high) if value.interval else (None, None)
        found[f"{key}/{name}"] = Cell(value=value.value, rank=1, low=low, high=high)
    return found


def made_up_board(
    count: int = 12, name: str = "made-up", kind: made_up.SuiteKind = "tissue", samples: Path | None = None, **more: Any
) -> SiteBoard:
    """``count`` entries in made-up order: ranks shared by threes, then a stale one, one of another n and an oracle."""
    entries: dict[str, SiteEntry] = {}
    rows: list[dict[str, Any]] = []
    for i in range(count):
        model = f"model-{i // 2:03d}"
        oracle = i == count - 1
        record = varied(made_up.record(model, flagged=i % 9 == 4, kind=kind, oracle=oracle), i)
        entry = made_up_entry(f"{model}-r{i % 2 + 1}", title=f"Model {i // 2:03d}, release {i % 2 + 1}", day=i)
        entries[entry.name] = SiteEntry(entry, record, samples)
        rows.append(
            {
                "name": entry.name,
                "title": entry.title,
                "model": model,
                "revision": f"v{i % 2 + 1}",
                "licence": LICENCES[i % 4],
                "submitted_on": entry.submitted_on,
                "cells": cells(record),
            }
        )
    key = "/".join(METRICS[0][:2])
    ordered = sorted(rows[:-3], key=lambda r: r["cells"][key].value)
    groups = [ordered[i : i + 3] for i in range(0, len(ordered), 3)]
    standings = [
        Standing(**row, rank=3 * g + 1, eligible=True, tied_with=tuple(r["name"] for r in group if r is not row))
        for g, group in enumerate(groups)
        for row in group
    ]
    standings = [row.model_copy(update={"cells": _ranked(row, standings)}) for row in standings]
    reasons: tuple[tuple[dict[str, Any], str], ...] = (
        ({"stale": True, "eligible": True}, "scored by version 1 of frechet-distance, and the board asks for 2"),
        ({"eligible": True}, "512 prompts, and the board asks for 572"),
        ({"eligible": False}, "an oracle: it is shown the suite's real images"),
    )
    for row, (flags, reason) in zip(rows[-3:], reasons, strict=True):
        unranked = {k: cell.model_copy(update={"rank": None}) for k, cell in row["cells"].items()}
        last = list(unranked)[-1]
        unranked[last] = Cell(reason="not computed")
        standings.append(Standing(**{**row, "cells": unranked}, **flags, reasons=(reason,)))
    return SiteBoard(Standings(board=board(name, kind, **more), rows=tuple(standings)), entries)


def _ranked(row: Standing, rows: Sequence[Standing]) -> dict[str, Cell]:
    """Cells with a rank in each column: one and the number of entries whose interval lies wholly on the better side."""
    found = {}
    for (key, name, _, _, direction), cell in zip(METRICS, row.cells.values(), strict=True):
        others = [other.cells[f"{key}/{name}"] for other in rows]
        low, high = _ends(cell)
        better = [_ends(o)[1] < low if direction == "lower" else _ends(o)[0] > high for o in others]
        found[f"{key}/{name}"] = cell.model_copy(update={"rank": 1 + sum(better)})
    return found


def _ends(cell: Cell) -> tuple[float, float]:
    """Of the interval, which every ranked cell has."""
    assert cell.low is not None
    assert cell.high is not None
    return cell.low, cell.high


def made_up_entry(name: str, *, title: str, day: int = 0, **more: Any) -> Entry:
    """What arrived by pull request."""
    fields = {
        "name": name,
        "title": title,
        "submitted_on": f"2026-{1 + day // 28 % 12:02d}-{1 + day % 28:02d}",
        "submitter": "The made-up group",
        "archive": f"https://example.org/archives/{name}.zip",
        "archive_sha256": digest(name),
        "archive_bytes": 48_123_456,
        "licence_statement": "The images may be shown under CC-BY-4.0.",
        **more,
    }
    return Entry(**fields)


def replaced(made: SiteBoard, rows: Sequence[Standing]) -> SiteBoard:
    """The same board with other rows."""
    return SiteBoard(made.standings.model_copy(update={"rows": tuple(rows)}), made.entries)
