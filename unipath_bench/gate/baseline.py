"""Baseline files: what of a run the gate needs to compare others with it, in one small JSON document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from unipath_bench.core.files import write_text
from unipath_bench.results.run_folder import load_record
from unipath_bench.schema import migrations
from unipath_bench.schema.base import Document, parse_json, read_json
from unipath_bench.schema.record import RunRecord, TaskScore
from unipath_bench.views.comparison.sides import Side, side_of

KIND: Literal["unipath-bench gate baseline"] = "unipath-bench gate baseline"


class Baseline(Document):
    """The computed scores of one run with their contributions, and what must agree with another run's."""

    kind: Literal["unipath-bench gate baseline"] = KIND
    schema_version: Literal[2] = 2
    migrated_from: Literal[1] | None = Field(default=None, description="The earlier version that it was written in.")
    framework_version: str
    run: str
    run_id: str
    model: str
    suite: str
    suite_kind: str
    suite_revision: str
    n: int = Field(description="Prompts.")
    seeds: int = Field(description="Images a prompt.")
    scores: tuple[TaskScore, ...] = Field(description="Without their details.")

    @classmethod
    def migrated(cls, value: Any, source: str) -> Any:
        """See :func:`unipath_bench.schema.migrations.migrate`."""
        return migrations.migrate(value, source, "gate baseline")


def baseline_of(record: RunRecord) -> Baseline:
    """What is kept of a run."""
    side = side_of(record)
    return Baseline(
        framework_version=record.framework_version,
        run=side.name,
        run_id=record.run_id,
        model=side.model,
        suite=side.suite,
        suite_kind=side.suite_kind,
        suite_revision=side.suite_revision,
        n=side.prompts,
        seeds=side.seeds,
        scores=tuple(s.model_copy(update={"details": None}) for s in side.scores if s.status == "computed"),
    )


def write_baseline(record: RunRecord, path: Path) -> None:
    """Write a run's baseline, indented, with what is at its default left out; atomic."""
    document = baseline_of(record).model_dump(mode="json", exclude_defaults=True) | {
        "kind": KIND,
        "schema_version": migrations.VERSION,
    }
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n")


def load_side(path: Path) -> Side:
    """A run's folder, a ``record.json`` or a baseline file.

    Raises :class:`UsageError` where it is none of them.
    """
    if path.is_dir():
        return side_of(load_record(path))
    document = read_json(path, "Give a run's folder or a baseline file.")
    if not isinstance(document, dict) or document.get("kind") != KIND:
        return side_of(load_record(path))
    found = parse_json(Baseline, path)
    return Side(
        found.run,
        found.model,
        found.suite,
        found.suite_kind,
        found.suite_revision,
        found.n,
        found.seeds,
        found.scores,
        found.migrated_from,
    )
