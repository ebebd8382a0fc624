"""Boards, and entries whose values are means of made-up numbers, one a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests import made_up_records as made_up
from unipath_bench.contracts import FeatureSet
from unipath_bench.leaderboard.boards import Submitted
from unipath_bench.schema.board import Board, BoardMetric, Eligibility, Entry
from unipath_bench.schema.record import Contributions, RunRecord
from unipath_bench.scoring.paired import mean_contributions


def entry(name: str, **changes: Any) -> Entry:
    """An entry whose archive is nowhere."""
    return Entry(
        name=name,
        title=name.capitalize(),
        submitted_on="2026-01-02",
        submitter="A. Stranger",
        archive=f"{name}.zip",
        archive_sha256="0" * 64,
        archive_bytes=1,
        licence_statement="Apache-2.0",
    ).model_copy(update=changes)


def submitted(
    name: str, per_case: Mapping[str, Sequence[float] | np.ndarray], direction: made_up.Direction = "higher"
) -> Submitted:
    """An entry of a model of that name, no oracle: one task a key, whose value is the mean over tiles."""
    scores = []
    for key, given in per_case.items():
        numbers = np.asarray(given, np.float64)
        cases = FeatureSet(
            ids=tuple(f"patient{i // 4}/{i}" for i in range(len(numbers))),
            groups=tuple(f"patient{i // 4}" for i in range(len(numbers))),
        )
        found = mean_contributions(numbers, cases)
        assert isinstance(found, Contributions)
        value = made_up.value(float(numbers.mean()), key.capitalize(), direction, (0.0, 1.0))
        value = value.model_copy(update={"contributions": found, "interval_note": ""})
        scores.append(made_up.score(key, 2, key.capitalize(), {"mean": value}, n_images=len(numbers)))
    record = made_up.record(name, some=scores, oracle=False)
    model = record.plan.model.model_copy(update={"internal_encoders": ()})
    return Submitted(entry(name), record.model_copy(update={"plan": record.plan.model_copy(update={"model": model})}))


def board_for(record: RunRecord, **rules: Any) -> Board:
    """A board on which the record may be ranked: a metric for each of its scores, the first the headline."""
    return Board(
        name="made-up",
        title="Made-up board",
        description="For tests.",
        kind=record.plan.suite.kind,
        suite=record.plan.suite.name,
        suite_revision=record.plan.suite_revision,
        n=record.plan.n,
        seeds=record.plan.seeds,
        metrics=tuple(
            BoardMetric(
                key=score.key,
                value=next(iter(score.values)),
                task_version=score.version,
                encoder_digest=score.encoder_digest or "",
                title=score.title,
                tier=score.tier,
                direction=next(iter(score.values.values())).direction,
                headline=number == 0,
            )
            for number, score in enumerate(record.scores)
            if score.values
        ),
        eligibility=Eligibility(**rules),
    )


def with_plan(of: Submitted, **changes: Any) -> Submitted:
    """The same entry with another plan."""
    plan = of.record.plan.model_copy(update=changes)
    return Submitted(of.entry, of.record.model_copy(update={"plan": plan}))


def with_score(of: Submitted, **changes: Any) -> Submitted:
    """The same entry with another first score."""
    scores = (of.record.scores[0].model_copy(update=changes), *of.record.scores[1:])
    return Submitted(of.entry, of.record.model_copy(update={"scores": scores}))
