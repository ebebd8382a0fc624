"""The main job: a plan in, a run record out, with every view of it beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from unipath_bench.digest import digest
from unipath_bench.exhibits import Exhibits
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.environment import describe_environment, package_versions, peak_memory_mib
from unipath_bench.pipeline.exhibit import gather_exhibits
from unipath_bench.pipeline.feature_sets import FeatureSets
from unipath_bench.pipeline.files import storage_error, write_text
from unipath_bench.pipeline.generate import GenerateStage
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.progress import Progress, Silent
from unipath_bench.pipeline.score import score_tasks
from unipath_bench.pipeline.store import Family, FeatureRow, SampleRow, Store, content_digest, positions
from unipath_bench.schema.base import parse_json
from unipath_bench.schema.record import RunRecord, Shard, Timing
from unipath_bench.suites.verify import verify_by_loading


@dataclass(frozen=True)
class RunFolder:
    """Where the views of one run lie."""

    path: Path

    @property
    def record(self) -> Path:
        return self.path / "record.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def exhibits(self) -> Path:
        return self.path / "exhibits"

    def load_record(self) -> RunRecord:
        """The record; raises :class:`~unipath_bench.errors.UsageError` where there is none, or it is no record."""
        return load_record(self.path)


def load_record(path: Path) -> RunRecord:
    """Read a run's record from its folder or from the JSON file itself."""
    return parse_json(RunRecord, path / "record.json" if path.is_dir() else path)


def run(plan: Plan, out: Path, *, batch_size: int | None = None, progress: Progress | None = None) -> RunFolder:
    """Carry out a plan: verify the suite, generate, embed, score, and write the record and its exhibits.

    Everything that ``out`` holds already is used; nothing is computed twice. Raises a
    :class:`~unipath_bench.errors.BenchError` naming the thing and the remedy; finished shards survive it.
    """
    plan.require_chosen()
    show = progress or Silent()
    clock = _Clock()
    store = Store(out / "store")
    with clock.stage("verify"):
        _verify(plan, store, show)
    generate = GenerateStage(plan, store, show, batch_size)
    with clock.stage("generate"):
        generate.run()
    embed = EmbedStage(plan, store, show)
    with clock.stage("embed"):
        embed.run()
    with clock.stage("score"):
        shards = tuple(_shards(plan, store, embed))
        scores = score_tasks(plan, store, FeatureSets(plan, embed), shards, show)
    plan_record = plan.record()
    run_id = digest([plan_record.model_dump(mode="json"), package_versions()])
    name = f"{plan.generator.card.name}-{plan.suite.card.name}-n{plan_record.n}x{plan_record.seeds}-{run_id[:8]}"
    record = RunRecord(
        framework_version=package_versions()["unipath-bench"],
        run_id=run_id,
        name=name,
        plan=plan_record,
        scores=tuple(scores),
        shards=shards,
        environment=describe_environment(plan.options.device),
        timing=clock.timing(generate.generated, embed.embedded),
    )
    folder = RunFolder(out / "runs" / name)
    _save(gather_exhibits(plan, store, record), folder.exhibits)
    text = record.model_dump_json(indent=2) + "\n"
    write_text(folder.record, text)
    return folder


def _save(exhibits: Exhibits, folder: Path) -> None:
    try:
        exhibits.save(folder)
    except OSError as error:
        raise storage_error(error, folder) from error


def _verify(plan: Plan, store: Store, progress: Progress) -> None:
    revision = plan.suite.revision
    if store.is_verified(revision):
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
        families: list[Family[SampleRow] | Family[FeatureRow]] = []
        if source.set_name in ("generated", "variants"):
            families.append(store.samples(plan.model_digest, source.family))
        families.extend(embed.family(source, name) for name in embed.encoders_for(source.set_name))
        for family in families:
            for position, rows in positions(len(source.keys)):
                path = family.path(position, source.keys[rows])
                content = family.read(path)
                yield Shard(
                    kind=family.kind, name=store.relative(path), rows=len(content), digest=content_digest(content)
                )


class _Clock:
    def __init__(self) -> None:
        self.started = _now()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)

    def timing(self, generated: int, embedded: int) -> Timing:
        return Timing(
            started_at=self.started, finished_at=_now(), seconds=self.seconds, images_generated=generated,
            images_embedded=embedded, peak_memory_mib=round(peak_memory_mib(), 1),
        )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
