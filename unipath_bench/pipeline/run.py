"""The main job: a plan in, a run record out, with every view of it beside it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from unipath_bench.core.digest import digest
from unipath_bench.core.files import write_text
from unipath_bench.core.packages import package_versions
from unipath_bench.core.progress import Progress, Silent
from unipath_bench.core.registries import EXECUTORS
from unipath_bench.pipeline.damage import DamagedShard
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.environment import describe_environment, peak_memory_mib
from unipath_bench.pipeline.executors import Execution, Executor, Job, LostWork
from unipath_bench.pipeline.exhibit import gather_exhibits
from unipath_bench.pipeline.feature_sets import FeatureSets, StoredFeatures
from unipath_bench.pipeline.generate import GenerateStage
from unipath_bench.pipeline.lock import locked
from unipath_bench.pipeline.place import Place
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.score import score_tasks
from unipath_bench.pipeline.store import FeatureShardSet, SampleShardSet, Store, content_digest, shard_slices
from unipath_bench.pipeline.work import Part, StageName
from unipath_bench.results.run_folder import RunFolder
from unipath_bench.schema.record import PlanRecord, RunRecord, Shard, Timing
from unipath_bench.suites.table_suite import slug
from unipath_bench.suites.verify import verify_by_loading

_LONGEST_NAME = 80
"""Letters of a model's or a suite's name in the name of a run's folder."""


@dataclass(frozen=True)
class Identity:
    """By what a run is known before it begins and ever after."""

    run_id: str
    name: str
    plan: PlanRecord
    framework_version: str


def identify(plan: Plan) -> Identity:
    """The run's identity: its id is a digest of the plan and of the packages that it is carried out with."""
    record, versions = plan.record(), package_versions()
    run_id = digest([record.model_dump(mode="json"), versions])
    names = "-".join(slug(card.name)[:_LONGEST_NAME] for card in (record.model, record.suite))
    name = f"{names}-n{record.n}x{record.seeds}-{run_id[:8]}"
    return Identity(run_id, name, record, versions["unipath-bench"])


def run(
    plan: Plan,
    out: Path | Place,
    *,
    batch_size: int | None = None,
    progress: Progress | None = None,
    execution: Execution | None = None,
) -> RunFolder:
    """Carry out a plan: verify the suite, generate, embed, score, and write the record and its exhibits.

    Everything that ``out`` holds already is used; nothing is computed twice. A damaged file of the store is set aside
    and computed anew. ``execution`` says who works (:mod:`unipath_bench.pipeline.executors`); ``batch_size`` alone is
    short for this process with that batch size. Raises a :class:`~unipath_bench.BenchError` naming the thing
    and the remedy; finished shards survive it.
    """
    plan.require_chosen()
    place = Place.parse(out)
    with locked(place.folder):
        return _Run(plan, place, execution or Execution(batch_size=batch_size), progress or Silent()).carry_out()


def run_part(
    plan: Plan, out: Path | Place, part: Part, *, progress: Progress | None = None, execution: Execution | None = None
) -> None:
    """Generate and embed one of several parts of a plan, for another command to score.

    The parts may go to one folder or to several that :func:`~unipath_bench.pipeline.merge.merge` unites. Raises as
    :func:`run` does.
    """
    plan.require_chosen()
    place = Place.parse(out)
    with locked(place.folder, f"{part.number}-of-{part.of}"):
        _Run(plan, place, execution or Execution(), progress or Silent(), part).complete_store()


class _Run:
    def __init__(
        self, plan: Plan, place: Place, execution: Execution, progress: Progress, part: Part | None = None
    ) -> None:
        self.plan = plan
        self.place = place
        self.show = progress
        self.execution = execution
        self.part = part
        self.store = place.store()
        self.clock = _Clock()
        self.embed = EmbedStage(plan, self.store)
        self.repaired: list[str] = []
        self.done: Counter[StageName] = Counter()

    def carry_out(self) -> RunFolder:
        while True:
            self.complete_store()
            try:
                return self._record()
            except DamagedShard as damage:
                self._set_aside(damage)

    def complete_store(self) -> None:
        """Bring every shard of the plan, or of the part, into the store."""
        self.store.prepare()
        with self.clock.stage("verify"):
            _verify(self.plan, self.store, self.show)
        executor = EXECUTORS.get(self.execution.executor)(Job(self.plan, self.store, self.embed, self.execution))
        try:
            for stage in ("generate", "embed"):
                with self.clock.stage(stage):
                    while True:
                        try:
                            self._complete(stage, executor)
                            break
                        except DamagedShard as damage:
                            self._set_aside(damage)
                            self._complete("generate", executor)
        finally:
            executor.close()

    def _complete(self, stage: StageName, executor: Executor) -> None:
        hands = GenerateStage(self.plan, self.store) if stage == "generate" else self.embed
        items = [item for item in hands.items() if self.part is None or self.part.takes(item)]
        lacking = [item for item in items if hands.lacks(item)]
        total = sum(item.rows for item in items)
        self.show.start(stage.capitalize(), total, total - sum(item.rows for item in lacking))
        for done in executor.carry_out(lacking):
            self.done["generate"] += done.generated
            self.done["embed"] += done.embedded
            self.show.advance(done.item.rows)
        self.show.finish()
        self.store.refresh()
        lost = sum(hands.lacks(item) for item in lacking)
        if lost:
            raise LostWork(lost, len(lacking))

    def _set_aside(self, damage: DamagedShard) -> None:
        name = self.store.relative(damage.path)
        if name in self.repaired:
            raise damage
        place = self.store.set_aside(damage)
        self.repaired.append(name)
        self.show.note(f"{damage.message} It is set aside as {place.name}; what it held is computed anew.")

    def _record(self) -> RunFolder:
        plan = self.plan
        with self.clock.stage("read"):
            shards = tuple(_shards(plan, self.store, self.embed))
        with self.clock.stage("score"):
            scores = score_tasks(plan, self.store, FeatureSets(plan, StoredFeatures(plan, self.embed)), self.show)
        identity = identify(plan)
        record = RunRecord(
            framework_version=identity.framework_version,
            run_id=identity.run_id,
            name=identity.name,
            plan=identity.plan,
            scores=tuple(scores),
            shards=shards,
            environment=describe_environment(plan.options.device),
            timing=self.clock.timing(self.done, self.repaired),
        )
        folder = RunFolder(self.place.folder / "runs" / identity.name)
        gather_exhibits(plan, self.store, record).save(folder.exhibits)
        write_text(folder.record, record.model_dump_json(indent=2) + "\n")
        return folder


def _verify(plan: Plan, store: Store, progress: Progress) -> None:
    revision = plan.suite.revision
    if plan.suite.computed or store.is_verified(revision):
        return
    total = len(plan.suite.samples())
    progress.start("Check images", total)
    seen = 0

    def advance(done: int, _total: int) -> None:
        nonlocal seen
        progress.advance(done - seen)
        seen = done

    verify_by_loading(plan.suite, advance)
    progress.finish()
    store.mark_verified(revision)


def _shards(plan: Plan, store: Store, embed: EmbedStage) -> Iterator[Shard]:
    for source in embed.sources():
        sets: list[SampleShardSet | FeatureShardSet] = []
        if source.family.is_generated:
            sets.append(store.samples(plan.model_digest, source.family))
        sets.extend(embed.shards(source, name) for name in embed.encoders_for(source.family))
        for shards in sets:
            for position, rows in shard_slices(len(source.keys)):
                path = shards.path(position, source.keys[rows])
                content = shards.read(path)
                yield Shard(
                    kind=shards.kind, name=store.relative(path), rows=len(content), digest=content_digest(content)
                )


class _Clock:
    def __init__(self) -> None:
        self.started = _now()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - begin, 3)

    def timing(self, done: Mapping[StageName, int], repaired: Sequence[str]) -> Timing:
        return Timing(
            started_at=self.started,
            finished_at=_now(),
            seconds=self.seconds,
            images_generated=done["generate"],
            images_embedded=done["embed"],
            peak_memory_mib=round(peak_memory_mib(), 1),
            repaired=tuple(repaired),
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
