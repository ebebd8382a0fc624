"""Assembles the page: what the template shows, prepared from the record, the tasks and the exhibits."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from unipath_bench.core.digest import digest
from unipath_bench.core.files import write_text
from unipath_bench.results import (
    TIERS,
    TierText,
    remedies,
    run_notes,
    task_flags,
)
from unipath_bench.results.gallery import Exhibits
from unipath_bench.schema.cards import PublishedFigure
from unipath_bench.schema.details import AttributeControl, Memorisation, Other, SyntheticTraining
from unipath_bench.schema.record import RunRecord, TaskScore
from unipath_bench.schema.task import TaskSpec, Tier
from unipath_bench.views.charts import bars, budget_curves, distance_curves
from unipath_bench.views.report.pictures import LARGEST, Picture, picture
from unipath_bench.views.report.rendering import environment
from unipath_bench.views.report.style import page_style


def write_report(record: RunRecord, exhibits: Exhibits | None, out: Path, tasks: Mapping[str, TaskSpec]) -> Path:
    """Write the report of a run to ``out`` and return that path.

    One HTML file that asks nothing of the network and runs no script. The same record, exhibits and tasks give the same
    bytes. ``tasks`` are specifications by name; a score whose task is not among them is shown without its description.
    Raises :class:`~unipath_bench.MissingError` where the disk refuses.
    """
    write_text(out, render_report(record, exhibits, tasks))
    return out


def render_report(record: RunRecord, exhibits: Exhibits | None, tasks: Mapping[str, TaskSpec]) -> str:
    """The report as text; see :func:`write_report`."""
    shown = exhibits or Exhibits()
    tiers, samples, pairs = _tiers(record, tasks), _samples(shown), _pairs(shown)
    pictures = [p for s in samples for p in (s.real, *s.generated) if p] + [
        p for q in pairs for p in (q.generated, q.train)
    ]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            record=record,
            plan=record.plan,
            style=Markup(page_style()),  # nosec B704  # our own style sheet
            notes=run_notes(record),
            remedies=remedies(record),
            tiers=tiers,
            samples=samples,
            pairs=pairs,
            first_audit=next((task.anchor for tier in tiers for task in tier.tasks if task.audit), ""),
            largest=LARGEST,
            reduced=any(p.reduced for p in pictures),
            quotes=_quotes(record, tasks),
            command=_command(record),
            shards=_shards(record),
            images=record.plan.counts.get("generated", record.plan.n * record.plan.seeds),
        )
    )


@dataclass(frozen=True, slots=True)
class TaskPart:
    """One score of a tier with what the page shows of it beyond the table."""

    anchor: str
    score: TaskScore
    spec: TaskSpec | None
    flags: Sequence[str]
    attributes: AttributeControl | None
    training: SyntheticTraining | None
    training_chart: Markup
    audit: Memorisation | None
    audit_chart: Markup

    @property
    def other_details(self) -> bool:
        """Whether the score carries details that this page has no view of."""
        details = self.score.details
        if isinstance(details, Other):
            return bool(details.content)
        return details is not None and not isinstance(details, AttributeControl | SyntheticTraining | Memorisation)


@dataclass(frozen=True, slots=True)
class TierPart:
    """One tier of the page."""

    number: Tier
    text: TierText
    bars: Markup
    tasks: Sequence[TaskPart]
    footnotes: Sequence[str]
    """Why values have no interval, or a one-sided one; each reason once."""

    @property
    def described(self) -> list[TaskSpec]:
        """The specifications of the tier's tasks, each once."""
        return list({part.score.task: part.spec for part in self.tasks if part.spec}.values())

    @property
    def explained(self) -> list[TaskSpec]:
        """Those of them that state their rationale or a source."""
        return [spec for spec in self.described if spec.rationale or spec.citation]

    @property
    def more(self) -> list[str]:
        """Titles of the scores with details that are not shown."""
        return list(dict.fromkeys(part.score.title for part in self.tasks if part.other_details))


@dataclass(frozen=True, slots=True)
class SamplePart:
    """One prompt with its pictures."""

    sample_id: str
    prompt: str
    labels: Mapping[str, str]
    real: Picture | None
    generated: Sequence[Picture]


@dataclass(frozen=True, slots=True)
class PairPart:
    """One nearest pair of the audit."""

    generated: Picture
    train: Picture
    distance: float
    copied: bool


@dataclass(frozen=True, slots=True)
class ShardsPart:
    """The shards of one kind."""

    kind: str
    count: int
    rows: int
    digest: str
    """Over the names and digests of all."""


def _tiers(record: RunRecord, tasks: Mapping[str, TaskSpec]) -> list[TierPart]:
    parts = []
    for number, text in TIERS.items():
        scores = [score for score in record.scores if score.tier == number]
        if not scores:
            continue
        reasons = [
            v.interval.note if v.interval else v.interval_note for score in scores for v in score.values.values()
        ]
        parts.append(
            TierPart(
                number=number,
                text=text,
                bars=bars(scores),
                tasks=[_task(score, tasks.get(score.task), f"t{number}-{i}") for i, score in enumerate(scores)],
                footnotes=list(dict.fromkeys(reason for reason in reasons if reason)),
            )
        )
    return parts


def _task(score: TaskScore, spec: TaskSpec | None, anchor: str) -> TaskPart:
    training, audit = score.details_as(SyntheticTraining), score.details_as(Memorisation)
    return TaskPart(
        anchor=anchor,
        score=score,
        spec=spec,
        flags=task_flags(score),
        attributes=score.details_as(AttributeControl),
        training=training,
        training_chart=budget_curves(training) if training else Markup(""),
        audit=audit,
        audit_chart=distance_curves(audit) if audit else Markup(""),
    )


def _samples(exhibits: Exhibits) -> list[SamplePart]:
    return [
        SamplePart(
            sample_id=sample.sample_id,
            prompt=sample.prompt,
            labels=sample.labels,
            real=None if sample.real is None else picture(sample.real, f"Real image {sample.sample_id}"),
            generated=[
                picture(image, f"Generated image {number} for {sample.prompt or sample.sample_id}")
                for number, image in enumerate(sample.generated, start=1)
            ],
        )
        for sample in exhibits.samples
    ]


def _pairs(exhibits: Exhibits) -> list[PairPart]:
    return [
        PairPart(
            generated=picture(pair.generated, f"Generated image {pair.replicate + 1} for {pair.sample_id}"),
            train=picture(pair.train, f"Nearest training image {pair.train_id}"),
            distance=pair.distance,
            copied=pair.copied,
        )
        for pair in exhibits.neighbours
    ]


def _quotes(record: RunRecord, tasks: Mapping[str, TaskSpec]) -> list[tuple[str, PublishedFigure]]:
    ran = dict.fromkeys(score.task for score in record.scores)
    quoted = [(tasks[name].title, figure) for name in ran if name in tasks for figure in tasks[name].published]
    return [*quoted, *((f"model {record.plan.model.name}", figure) for figure in record.plan.model.published)]


def _command(record: RunRecord) -> str:
    plan = record.plan
    tiers = plan.tiers
    contiguous = len(tiers) > 1 and tiers == tuple(range(tiers[0], tiers[-1] + 1))
    words = ["unipath-bench", "run", "--model", plan.model_spec or plan.model.name]
    words += ["--suite", plan.suite_spec or plan.suite.name]
    if plan.suite_data:
        words += ["--data", f"PATH_TO/{plan.suite_data}"]
    words += ["--tiers", f"{tiers[0]}-{tiers[-1]}" if contiguous else ",".join(map(str, tiers))]
    words += ["--n", str(plan.n), "--seeds", str(plan.seeds)]
    for name, value in sorted(plan.suite_arguments.items()):
        words += ["--suite-arg", f"{name}={value}"]
    for role, encoders in sorted(plan.roles.items()):
        if encoders != (plan.suite.default_encoders.get(role),):
            words += [word for encoder in encoders for word in ("--encoder", f"{role}={encoder}")]
    return shlex.join(words)


def _shards(record: RunRecord) -> list[ShardsPart]:
    kinds = dict.fromkeys(shard.kind for shard in record.shards)
    parts = []
    for kind in kinds:
        mine = [shard for shard in record.shards if shard.kind == kind]
        parts.append(ShardsPart(kind, len(mine), sum(s.rows for s in mine), digest([[s.name, s.digest] for s in mine])))
    return parts
