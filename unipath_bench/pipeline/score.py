"""Stage 3: features to scores. Pure functions of arrays; no model is near."""

from __future__ import annotations

import json

from unipath_bench.contracts import ScoreInputs
from unipath_bench.errors import DataError
from unipath_bench.pipeline.embed import FeatureSets
from unipath_bench.pipeline.plan import Plan, PlannedTask, encoder_digest
from unipath_bench.pipeline.progress import Progress
from unipath_bench.schema.record import TaskScore, Value
from unipath_bench.scoring.evaluate import TaskOutcome, evaluate

NO_INTERVAL = "Intervals are not implemented for this metric."


def score_tasks(plan: Plan, sets: FeatureSets, progress: Progress) -> list[TaskScore]:
    """One score a planned task, in the plan's order; tasks with an obstacle are 'not computed'."""
    progress.start("Score", len(plan.tasks))
    scores = []
    for task in plan.tasks:
        scores.append(_not_computed(task, plan) if task.obstacle else _computed(task, plan, sets))
        progress.advance(1)
    progress.finish()
    return scores


def _not_computed(task: PlannedTask, plan: Plan) -> TaskScore:
    reason, remedy = task.obstacle or ("", "")
    return TaskScore(
        key=task.key, task=task.spec.name, tier=task.spec.tier, version=task.spec.version, title=task.spec.title,
        status="not computed", reason=reason, remedy=remedy, encoder=task.encoder, coupled=_coupled(task, plan),
    )  # fmt: skip


def _computed(task: PlannedTask, plan: Plan, sets: FeatureSets) -> TaskScore:
    outcome = evaluate(task.spec, task.metric, ScoreInputs(sets.load(task.encoder, task.needs)))
    card = plan.encoders[task.encoder].card if task.encoder else None
    return TaskScore(
        key=task.key, task=task.spec.name, tier=task.spec.tier, version=task.spec.version, title=task.spec.title,
        status=outcome.status, reason=outcome.reason, remedy=outcome.remedy, encoder=task.encoder,
        encoder_digest=encoder_digest(card) if card else None, coupled=_coupled(task, plan), n=outcome.n,
        dimension=outcome.dimension, values={name: _with_note(v) for name, v in outcome.values.items()},
        details=_checked_details(task, outcome),
    )  # fmt: skip


def _coupled(task: PlannedTask, plan: Plan) -> bool:
    return task.encoder in plan.generator.card.internal_encoders


def _with_note(value: Value) -> Value:
    if value.interval is not None or value.interval_note:
        return value
    return value.model_copy(update={"interval_note": NO_INTERVAL})


def _checked_details(task: PlannedTask, outcome: TaskOutcome) -> dict[str, object]:
    try:
        json.dumps(outcome.details, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The details that the metric of {task.spec.name!r} returned are not JSON: {error}",
            "A metric's details are plain numbers, strings, lists and dictionaries, without NaN.",
        ) from error
    return dict(outcome.details)
