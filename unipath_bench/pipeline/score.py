"""Stage 3: features to scores. Pure functions of arrays; no model is near.

A score is kept in the store under a digest of all that decides it: the task, the code that computes it, the sets that
it reads and the packages. A changed metric is computed again without anybody having to remember to empty a cache, and
another encoder or task beside it is no reason to compute it again.
"""

from __future__ import annotations

from functools import partial

from unipath_bench.contracts import Metric, ScoreInputs
from unipath_bench.core.digest import digest
from unipath_bench.core.files import write_text
from unipath_bench.core.packages import package_versions
from unipath_bench.core.progress import Progress
from unipath_bench.pipeline.code import code_digest
from unipath_bench.pipeline.feature_sets import FeatureSets
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.planned_tasks import PlannedTask
from unipath_bench.pipeline.store import Store
from unipath_bench.schema.base import parse_json
from unipath_bench.schema.record import TaskScore
from unipath_bench.scoring.classifiers.choosing import recipe_of
from unipath_bench.scoring.classifiers.training import settle
from unipath_bench.scoring.coupling import coupled_encoders
from unipath_bench.scoring.evaluate import evaluate, not_computed

SEED = 0
"""What scores draw their random numbers by."""


def score_tasks(plan: Plan, store: Store, sets: FeatureSets, progress: Progress) -> list[TaskScore]:
    """One score a planned task, in the plan's order; tasks with a blocker are 'not computed'."""
    progress.start("Score", len(plan.tasks))
    scores = {}
    for task in sorted(plan.tasks, key=lambda task: task.encoder or ""):  # An encoder's features are read once.
        scores[task.key] = _scored(task, plan, store, sets)
        progress.advance(1)
    progress.finish()
    return [scores[task.key] for task in plan.tasks]


def _scored(task: PlannedTask, plan: Plan, store: Store, sets: FeatureSets) -> TaskScore:
    if task.blocker:
        score, encoder = not_computed(task.spec, task.blocker.reason, task.blocker.remedy), None
    else:
        score = _stored(task, plan, store, sets)
        encoder = None if task.encoder is None else plan.encoders[task.encoder].card.digest()
    named = {
        "key": task.key,
        "encoder": task.encoder,
        "encoder_digest": encoder,
        "coupled": _coupled(task, plan),
    }
    return score.model_copy(update=named)


def _stored(task: PlannedTask, plan: Plan, store: Store, sets: FeatureSets) -> TaskScore:
    key = score_key(task, plan, sets)
    if key is None:
        return _computed(task, store, sets)
    path = store.score(key)
    if not path.exists():
        write_text(path, _computed(task, store, sets).model_dump_json(indent=2) + "\n")
    return parse_json(TaskScore, path)


def score_key(task: PlannedTask, plan: Plan, sets: FeatureSets) -> str | None:
    """Digest of all that decides a task's score; None where the metric's code cannot be read."""
    code = metric_code(task.metric)
    if code is None:
        return None
    return digest(
        [
            task.spec.model_dump(mode="json"),
            None if task.encoder is None else plan.encoders[task.encoder].card.digest(),
            sets.digest(task.encoder, task.needs),
            SEED,
            code,
            package_versions(),
        ]
    )


def metric_code(metric: Metric) -> str | None:
    """Digest of the code from feature sets to scores: what the metric imports, what evaluates it, the sets' order."""
    function = metric.function
    while isinstance(function, partial):
        function = function.func
    return code_digest(function.__module__, evaluate.__module__, alone=[FeatureSets.__module__])


def _computed(task: PlannedTask, store: Store, sets: FeatureSets) -> TaskScore:
    artifacts = store.classifiers(digest([code_digest(recipe_of.__module__, settle.__module__), package_versions()]))
    inputs = ScoreInputs(sets.load(task.encoder, task.needs), seed=SEED, artifacts=artifacts)
    return evaluate(task.spec, task.metric, inputs)


def _coupled(task: PlannedTask, plan: Plan) -> bool:
    cards = {name: encoder.card for name, encoder in plan.encoders.items()}
    return task.encoder in coupled_encoders(plan.generator.card, cards)
