"""A submission's run, planned anew from the board's suite and the archive's data: the submitter's code stays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import Context, Generator, Request
from unipath_bench.core.digest import digest
from unipath_bench.core.errors import BenchError, DataError, UsageError
from unipath_bench.core.progress import Progress
from unipath_bench.core.registries import ENCODERS
from unipath_bench.leaderboard.submission.layout import Samples
from unipath_bench.options import Options
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.feature_sets import FeatureSets, StoredFeatures
from unipath_bench.pipeline.plan import Plan, make_plan
from unipath_bench.pipeline.planned_tasks import PlannedTask
from unipath_bench.pipeline.score import score_tasks
from unipath_bench.pipeline.store import FeatureShard, Store, shard_slices
from unipath_bench.schema.board import Board
from unipath_bench.schema.cards import GeneratorCard
from unipath_bench.schema.record import RunRecord, TaskScore
from unipath_bench.scoring.catalogue import load_tasks


class StandIn(Generator):
    """Stands in a plan where the generator was; it generates nothing."""

    def __init__(self, card: GeneratorCard, answers_paraphrases: bool) -> None:
        self.card = card
        self.answers_paraphrases = answers_paraphrases  # type: ignore[misc]

    def missing(self, context: Context) -> str | None:
        """Nothing: it is never set up."""
        return None

    def generate(self, requests: Sequence[Request]) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
        """Refuses: a validation generates nothing."""
        raise UsageError("A submission is checked without its generator.", "Use --regenerate to run the adapter.")


@dataclass(frozen=True)
class Replanned:
    """The plan of a submission on this machine."""

    plan: Plan
    lacking: Mapping[str, str]
    """Why a recorded score cannot be computed here, by key."""

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the images that the run asked for."""
        return self.plan.height, self.plan.width


def replan(board: Board, record: RunRecord, identity: str, *, data: str | None, offline: bool) -> Replanned:
    """Plan the run again: the board's suite, and the record's tasks and encoders as far as they are registered here.

    ``identity`` takes the place of the model's digest, so that nothing in a store is taken for another submission's.
    Raises a :class:`BenchError` where the suite cannot be loaded.
    """
    known = load_tasks()
    named = {task.rpartition("@")[0].partition("[")[0] for task in record.plan.tasks}
    roles = {role: names for role, names in record.plan.roles.items() if all(name in ENCODERS for name in names)}
    tasks = tuple(n for n in sorted(named) if n in known and known[n].suites in ("any", board.kind))
    if not tasks:
        raise UsageError("None of the record's tasks is installed here.", "Install the version that it was made with.")
    options = Options(
        model=StandIn(record.plan.model, record.plan.counts.get("variants", 0) > 0),
        suite=board.suite,
        data=data,
        suite_arguments=board.suite_arguments,
        tasks=tasks,
        n=board.n,
        seeds=board.seeds,
        encoders=tuple(f"{role}={name}" for role, names in roles.items() for name in names),
        offline=offline,
    )
    plan = replace(make_plan(options), model_digest=digest(["submission", identity]))
    lacking = _lacking(plan, record)
    runnable = tuple(task for task in plan.tasks if task.key not in lacking and _computed(record, task.key))
    return Replanned(replace(plan, tasks=runnable), lacking)


def fill_store(
    plan: Plan, store: Store, samples: Samples, features: Mapping[tuple[str, str], npt.NDArray[np.float32]]
) -> None:
    """Put a submission's features where the plan's own would lie, so that they are scored and not computed.

    Raises :class:`DataError` where the archive lacks features that a recorded score was computed from.
    """
    stage = EmbedStage(plan, store)
    for source in stage.sources():
        if not source.family.is_generated:
            continue
        for name in stage.encoders_for(source.family):
            encoder = plan.encoders[name].card.digest()
            matrix, rows = features.get((encoder[:16], source.family.name)), samples.families.get(source.family.name)
            if matrix is None or rows is None or not len(matrix) == len(rows) == len(source.keys):
                raise DataError(
                    f"The archive lacks the features of {source.family} in {name}, which the record's scores are of.",
                    "Only what `unipath-bench submit` writes is taken.",
                )
            shards = stage.shards(source, name)
            content = FeatureShard(source.keys, rows.pixels, matrix)
            for position, part in shard_slices(len(content)):
                shards.put(position, content[part])


@dataclass(frozen=True)
class Recomputed:
    """What this machine makes of a submission's features."""

    scores: Mapping[str, TaskScore]
    real_pixels: Mapping[str, frozenset[str]]
    """Pixel digests of the suite's images by set: reference, heldout, train."""


def recompute(plan: Plan, store: Store, progress: Progress) -> Recomputed:
    """Every runnable score from the features in the store; real images are embedded where it lacks them."""
    stage = EmbedStage(plan, store)
    items = list(stage.items())
    progress.start("Embed", sum(item.rows for item in items))
    for item in items:
        stage.complete(item)
        progress.advance(item.rows)
    progress.finish()
    scores = score_tasks(plan, store, FeatureSets(plan, StoredFeatures(plan, stage)), progress)
    return Recomputed({score.key: score for score in scores}, _real_pixels(stage))


def _real_pixels(stage: EmbedStage) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for source in stage.sources():
        encoders = stage.encoders_for(source.family)
        if source.family.is_generated or not encoders:
            continue
        shards = stage.shards(source, encoders[0])
        found[source.family.set_name] = frozenset(
            pixels
            for position, part in shard_slices(len(source.keys))
            for pixels in shards.read(shards.path(position, source.keys[part])).pixel_digests
        )
    return found


def open_store(folder: Path) -> Store:
    """The store that a validation works in; made where it is not there."""
    store = Store(folder)
    store.prepare()
    return store


def _computed(record: RunRecord, key: str) -> bool:
    return any(score.key == key and score.status == "computed" for score in record.scores)


def _lacking(plan: Plan, record: RunRecord) -> dict[str, str]:
    planned: dict[str, PlannedTask] = {task.key: task for task in plan.tasks}
    lacking: dict[str, str] = {}
    for score in record.scores:
        if score.status != "computed":
            continue
        task = planned.get(score.key)
        if task is None:
            lacking[score.key] = "its task or encoder is not installed here"
        elif task.blocker is not None:
            lacking[score.key] = str(task.blocker)
        elif task.spec.version != score.version:
            lacking[score.key] = f"version {task.spec.version} is installed here, and it was scored by {score.version}"
        elif task.encoder is not None and plan.encoders[task.encoder].card.digest() != score.encoder_digest:
            lacking[score.key] = f"the encoder {task.encoder} installed here has other weights"
    return lacking


def reason_of(error: BenchError) -> str:
    """An error as one line of a table."""
    return " ".join(f"{error.message} {error.remedy}".split())
