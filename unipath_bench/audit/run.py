"""An audit from a plan to a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from unipath_bench.audit.catalogue import Defect
from unipath_bench.audit.editions import Cohort, Edition
from unipath_bench.audit.expectations import expected
from unipath_bench.audit.halves import Rows, balanced_halves
from unipath_bench.audit.result import AuditResult, Cell, DefectRecord, NotAudited, ValueRecord
from unipath_bench.audit.scorers import COSTLY_CUTS, Scorer, make_scorer, reads
from unipath_bench.audit.sensitivity import ALPHA, MONOTONE, Curve, analyse, judge
from unipath_bench.audit.sets import Gallery, Sets, part
from unipath_bench.contracts import ScoreInputs
from unipath_bench.core.digest import digest
from unipath_bench.core.errors import MissingError
from unipath_bench.core.progress import Progress, Silent
from unipath_bench.pipeline.environment import describe_environment
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.planned_tasks import PlannedTask
from unipath_bench.pipeline.requests import wordings
from unipath_bench.schema.record import Value
from unipath_bench.scoring.evaluate import evaluate

REVISION = 1
"""Raised whenever the same inputs could give another result."""


def make_cohort(plan: Plan) -> Cohort:
    """The real images of a plan: its prompts, the held-out image of each, training and held-out images."""
    return Cohort(
        suite=plan.suite,
        prompts=plan.prompts,
        answers=tuple(plan.heldout_of[s.id] for s in plan.prompts),
        train=plan.roles.train,
        heldout=plan.roles.heldout,
        wordings=wordings(plan.prompts),
    )


def run_audit(plan: Plan, defects: Sequence[Defect], progress: Progress | None = None) -> AuditResult:
    """Apply every defect at every level to the held-out images of ``plan``, and score what comes of it.

    The plan's own generator is not asked. Deterministic: the same plan and defects give the same result, byte for byte,
    on one machine. Raises :class:`MissingError` where no task can be computed.
    """
    told = progress or Silent()
    cohort = make_cohort(plan)
    if not plan.runnable:
        raise MissingError(
            "None of the tasks can be computed:\n"
            + "\n".join(f"  - {t.key}: {t.blocker.reason}" for t in plan.tasks if t.blocker),
            "Choose an encoder that is at hand with --encoder, or other tasks.",
        )
    names = sorted({t.encoder for t in plan.runnable if t.encoder})
    gallery = Gallery({name: plan.encoders[name] for name in names}, plan.context())
    possible = [d for d in defects if d.lacks(cohort) is None]
    taught = cohort.train if Family("train") in plan.real else ()
    gallery.add([cohort.picture(s) for s in (*cohort.prompts, *cohort.answers, *taught)], told, "Real images")
    editions = {d.name: [d.build(cohort, level) for level in d.levels] for d in possible}
    for defect in possible:
        wanted = [p for e in editions[defect.name] for row in (e.pictures, *e.wordings) for p in row]
        gallery.add(wanted, told, defect.title)
    halves = balanced_halves([s.group or s.id for s in cohort.prompts])
    columns: list[_Column] = []
    absent: list[NotAudited] = []
    told.start("Score", len(plan.tasks) * (1 + sum(len(d.levels) for d in possible)))
    for task in plan.tasks:
        if task.blocker is not None:
            absent.append(NotAudited(key=task.key, reason=task.blocker.reason, remedy=task.blocker.remedy))
            told.advance(1 + sum(len(d.levels) for d in possible))
            continue
        sets = Sets(cohort, gallery, task.encoder or names[0], taught)
        found = _audit_task(task, sets, possible, editions, halves, told)
        columns.extend(found if not isinstance(found, NotAudited) else ())
        absent.extend([found] if isinstance(found, NotAudited) else ())
    told.finish()
    return _result(plan, cohort, defects, columns, absent, 2 * len(halves))


@dataclass(frozen=True)
class _Column:
    """One value of a task with its curve under each defect."""

    task: PlannedTask
    name: str
    value: Value
    curves: Mapping[str, Curve]

    @property
    def key(self) -> str:
        return f"{self.task.key}:{self.name}"


Scores = tuple[Mapping[str, float], list[tuple[Mapping[str, float], Mapping[str, float]]]]
"""Values on all prompts, and on the two halves of each cut."""


def _audit_task(
    task: PlannedTask,
    sets: Sets,
    defects: Sequence[Defect],
    editions: Mapping[str, Sequence[Edition]],
    halves: Sequence[tuple[Rows, Rows]],
    progress: Progress,
) -> list[_Column] | NotAudited:
    honest = sets.inputs(sets.cohort.honest)
    outcome = evaluate(task.spec, task.metric, honest)
    if outcome.status == "not computed":
        progress.advance(1 + sum(len(d.levels) for d in defects))
        return NotAudited(key=task.key, reason=outcome.reason, remedy=outcome.remedy)
    scorer = make_scorer(task.spec, task.metric, honest, outcome.details)
    base = _scores(scorer, honest, halves[:COSTLY_CUTS] if scorer.costly else halves)
    progress.advance(1)
    scores: dict[str, list[Scores]] = {}
    for defect in defects:
        declared = any(expected(task.metric, v, defect.name).kind != "open" for v in outcome.values)
        cuts = len(base[1]) if declared or not scorer.costly else 0
        scores[defect.name] = [(base[0], base[1][:cuts])]
        for edition in editions[defect.name]:
            touched = reads(task.metric, _changed(sets.cohort.honest, edition))
            found = _scores(scorer, sets.inputs(edition), halves[:cuts]) if touched else scores[defect.name][0]
            scores[defect.name].append(found)
            progress.advance(1)
    return [
        _Column(task, name, value, {d.name: _curve(name, value, d, scores[d.name]) for d in defects})
        for name, value in outcome.values.items()
        if all(name in whole for found in scores.values() for whole, _ in found)
    ]


def _scores(scorer: Scorer, inputs: ScoreInputs, halves: Sequence[tuple[Rows, Rows]]) -> Scores:
    return scorer.whole(inputs), [(scorer.half(part(inputs, a)), scorer.half(part(inputs, b))) for a, b in halves]


def _changed(honest: Edition, edition: Edition) -> frozenset[str]:
    """The sets in which an edition differs from the honest one."""
    sets = set()
    if (edition.pictures, edition.prompts) != (honest.pictures, honest.prompts):
        sets.add("generated")
    if edition.wordings != honest.wordings:
        sets.add("variants")
    return frozenset(sets)


def _curve(name: str, value: Value, defect: Defect, scores: Sequence[Scores]) -> Curve:
    cuts = range(len(scores[0][1]))
    nan = float("nan")
    return Curve(
        levels=(0.0, *defect.levels),
        values=tuple(float(whole[name]) for whole, _ in scores),
        worse=1 if value.direction == "lower" else -1,
        first=tuple(tuple(float(halves[c][0].get(name, nan)) for _, halves in scores) for c in cuts),
        second=tuple(tuple(float(halves[c][1].get(name, nan)) for _, halves in scores) for c in cuts),
    )


def _span(column: _Column) -> tuple[float | None, float | None, str]:
    """(span, bad end, where the bad end comes from)."""
    value = column.value
    lower = value.direction == "lower"
    end, source = value.bad_end, value.bad_end_source
    if end is not None and (end > value.value if lower else end < value.value):
        return abs(end - value.value), end, source
    largest = max((abs(v - c.values[0]) for c in column.curves.values() for v in c.values), default=0.0)
    return largest or None, end, source


def _change(curve: Curve, value: float) -> float:
    """From level 0, positive where worse; nought without a sign."""
    return curve.worse * (value - curve.values[0]) + 0.0


def _cells(column: _Column, span: float | None) -> list[Cell]:
    cells = []
    for defect, curve in column.curves.items():
        expectation = expected(column.task.metric, column.name, defect)
        found = analyse(curve)
        verdict, finding = judge(curve, found, expectation, span)
        cells.append(
            Cell(
                key=column.key,
                defect=defect,
                levels=curve.levels,
                values=curve.values,
                changes=tuple(_change(curve, v) / span if span else 0.0 for v in curve.values),
                standard_errors=found.standard_errors,
                p_values=found.p_values,
                spearman=found.spearman,
                spearman_low=found.spearman_low,
                spearman_high=found.spearman_high,
                seen_from=found.seen_from,
                direction=found.direction,
                expectation=expectation.kind,
                bound=expectation.bound,
                up_to=expectation.up_to,
                because=expectation.reason,
                verdict=verdict,
                finding=finding,
            )
        )
    return cells


def _result(
    plan: Plan,
    cohort: Cohort,
    defects: Sequence[Defect],
    columns: Sequence[_Column],
    absent: Sequence[NotAudited],
    half_samples: int,
) -> AuditResult:
    values, cells = [], []
    for column in columns:
        span, end, source = _span(column)
        cells.extend(_cells(column, span))
        of = column.value
        values.append(
            ValueRecord(
                key=column.key,
                task=column.task.spec.name,
                version=column.task.spec.version,
                tier=column.task.spec.tier,
                metric=column.task.metric.name,
                encoder=column.task.encoder,
                value=column.name,
                title=of.title,
                direction=of.direction,
                headline=of.headline,
                purpose=column.task.metric.purposes.get(column.name, ""),
                honest=of.value,
                bad_end=end,
                bad_end_source=source,
                span=span,
            )
        )
    record = plan.record()
    applied = tuple(
        DefectRecord(
            name=d.name, title=d.title, kind=d.kind, unit=d.unit, levels=(0.0, *d.levels), lacking=d.lacks(cohort) or ""
        )
        for d in defects
    )
    encoders = dict(record.encoders)
    identity = [
        REVISION,
        record.suite_revision,
        len(plan.prompts),
        [f"{t.key}@{t.spec.version}" for t in plan.tasks],
        {name: card.digest() for name, card in encoders.items()},
        [d.model_dump(mode="json") for d in applied],
    ]
    identifier = digest(identity)
    return AuditResult(
        framework_version=version("unipath-bench"),
        audit_id=identifier,
        name=f"{record.suite.name}-n{len(plan.prompts)}-{identifier[:8]}",
        suite=record.suite,
        suite_spec=record.suite_spec,
        suite_data=record.suite_data,
        suite_revision=record.suite_revision,
        suite_arguments=record.suite_arguments,
        n=len(plan.prompts),
        patients=len(np.unique([s.group or s.id for s in cohort.prompts])),
        half_samples=half_samples,
        microns_per_pixel=cohort.microns_per_pixel,
        scale_is_assumed=cohort.scale_is_assumed,
        alpha=ALPHA,
        monotone=MONOTONE,
        encoders=encoders,
        defects=applied,
        values=tuple(values),
        cells=tuple(cells),
        not_audited=tuple(absent),
        environment=describe_environment(plan.options.device),
    )
