"""Stage 3: features to scores. Pure functions of arrays; no model is near.

A score is kept in the store under a digest of all that decides it: the task, the code of the metric, the features and
the packages. A changed metric is computed again without anybody having to remember to empty a cache.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import unipath_bench
from unipath_bench.contracts import Metric, ScoreInputs
from unipath_bench.core.digest import digest, digest_file, digest_strings
from unipath_bench.core.files import write_text
from unipath_bench.core.progress import Progress
from unipath_bench.pipeline.blockers import Blocker
from unipath_bench.pipeline.environment import package_versions
from unipath_bench.pipeline.feature_sets import FeatureSets
from unipath_bench.pipeline.plan import Plan, PlannedTask
from unipath_bench.pipeline.store import Store
from unipath_bench.schema.base import parse_json
from unipath_bench.schema.record import Shard, TaskScore
from unipath_bench.scoring.coupling import coupled_encoders
from unipath_bench.scoring.evaluate import evaluate


def score_tasks(
    plan: Plan, store: Store, sets: FeatureSets, shards: Sequence[Shard], progress: Progress
) -> list[TaskScore]:
    """One score a planned task, in the plan's order; tasks with a blocker are 'not computed'."""
    progress.start("Score", len(plan.tasks))
    scores = {}
    for task in sorted(plan.tasks, key=lambda task: task.encoder or ""):  # An encoder's features are read once.
        scores[task.key] = (
            _not_computed(task, task.blocker, plan) if task.blocker else _stored(task, plan, store, sets, shards)
        )
        progress.advance(1)
    progress.finish()
    return [scores[task.key] for task in plan.tasks]


def _not_computed(task: PlannedTask, blocker: Blocker, plan: Plan) -> TaskScore:
    return TaskScore(
        key=task.key,
        task=task.spec.name,
        tier=task.spec.tier,
        version=task.spec.version,
        title=task.spec.title,
        status="not computed",
        reason=blocker.reason,
        remedy=blocker.remedy,
        encoder=task.encoder,
        coupled=_coupled(task, plan),
    )


def _stored(task: PlannedTask, plan: Plan, store: Store, sets: FeatureSets, shards: Sequence[Shard]) -> TaskScore:
    path = store.score(_score_digest(task, plan, shards))
    if not path.exists():
        text = _computed(task, plan, store, sets).model_dump_json(indent=2) + "\n"
        write_text(path, text)
    return parse_json(TaskScore, path)


def _score_digest(task: PlannedTask, plan: Plan, shards: Sequence[Shard]) -> str:
    record = plan.record()
    return digest(
        [
            task.key,
            task.spec.model_dump(mode="json"),
            code_digest(task.metric),
            [record.suite_revision, record.model_digest, record.n, record.seeds],
            record.model.model_dump(mode="json"),
            [[shard.name, shard.digest] for shard in shards],
            package_versions(),
        ]
    )


def code_digest(metric: Metric) -> str:
    """SHA-256 of the source that a metric is computed by: its own module, and the framework's metrics and scorers."""
    own = inspect.getsourcefile(metric.function)
    return digest_strings([_framework_code(), digest_file(Path(own)) if own is not None else metric.name])


@cache
def _framework_code() -> str:
    root = Path(unipath_bench.__file__).parent
    files = sorted(path for folder in ("metrics", "scoring") for path in (root / folder).rglob("*.py"))
    files.append(root / "schema" / "details.py")
    return digest_strings(part for path in files for part in (path.relative_to(root).as_posix(), digest_file(path)))


def _computed(task: PlannedTask, plan: Plan, store: Store, sets: FeatureSets) -> TaskScore:
    artifacts = store.classifiers(digest([_framework_code(), package_versions()]))
    outcome = evaluate(task.spec, task.metric, ScoreInputs(sets.load(task.encoder, task.needs), artifacts=artifacts))
    card = plan.encoders[task.encoder].card if task.encoder else None
    return TaskScore(
        key=task.key,
        task=task.spec.name,
        tier=task.spec.tier,
        version=task.spec.version,
        title=task.spec.title,
        status=outcome.status,
        reason=outcome.reason,
        remedy=outcome.remedy,
        encoder=task.encoder,
        encoder_digest=card.digest() if card else None,
        coupled=_coupled(task, plan),
        n=outcome.n,
        dimension=outcome.dimension,
        values=dict(outcome.values),
        details=outcome.details,
    )


def _coupled(task: PlannedTask, plan: Plan) -> bool:
    cards = {name: encoder.card for name, encoder in plan.encoders.items()}
    return task.encoder in coupled_encoders(plan.generator.card, cards)
