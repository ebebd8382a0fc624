"""What a run record becomes in MLflow: metrics, parameters, tags, a description and the table of attributes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping

from unipath_bench.core.csv_safety import escaped_row
from unipath_bench.results import run_notes
from unipath_bench.schema.details import AttributeControl, Memorisation
from unipath_bench.schema.record import PlanRecord, RunRecord, TaskScore
from unipath_bench.schema.task import TaskSpec

RUN_ID = "unipath_bench.run_id"
"""The tag by which a run is found again."""
STATE, ATTEMPTS = "unipath_bench.state", "unipath_bench.attempts"
"""``running``, ``complete``, or how it ended early; and how often it was begun."""
_LONGEST_PARAMETER = 500


def metrics(record: RunRecord) -> dict[str, float]:
    """Every number of the record by key.

    ``tierT/TASK.ENCODER`` holds each task's headline value and ``position/TASK.ENCODER`` where it lies on its scale
    (0 bad end, 100 good end; held there where it lies beyond, so that all axes are alike): these line up in MLflow's
    compare view. ``value/TASK.ENCODER.VALUE`` holds every value, ``scale/TASK.ENCODER.VALUE.bad_end`` and ``.good_end``
    the ends, ``interval/TASK.ENCODER.VALUE.low``, ``.high`` and ``.estimate`` what the sample says. MLflow draws one
    section a prefix.
    """
    headline: dict[str, float] = {}
    position: dict[str, float] = {}
    every: dict[str, float] = {}
    ends: dict[str, float] = {}
    limits: dict[str, float] = {}
    for score in record.scores:
        stem = _stem(score)
        for name, value in score.values.items():
            key = _legal(f"{stem}.{name}")
            every[f"value/{key}"] = value.value
            if value.bad_end is not None:
                ends[f"scale/{key}.bad_end"] = value.bad_end
            if value.good_end is not None:
                ends[f"scale/{key}.good_end"] = value.good_end
            if value.interval is not None:
                figures = {"low": value.interval.low, "high": value.interval.high, "estimate": value.interval.estimate}
                limits.update({f"interval/{key}.{end}": x for end, x in figures.items() if x is not None})
            if value.headline:
                headline[f"tier{score.tier}/{stem}"] = value.value
                if value.position is not None:
                    position[f"position/{stem}"] = min(max(value.position, 0.0), 100.0)
    return {**headline, **position, **every, **ends, **limits}


def parameters(record: RunRecord, tasks: Mapping[str, TaskSpec]) -> dict[str, str]:
    """What was asked for: :func:`plan_parameters`, the device, and task versions with their metrics."""
    found = {"device": record.environment.device}
    for score in record.scores:
        spec = tasks.get(score.task)
        found[f"task.{score.task}"] = f"version {score.version}" + (f", metric {spec.metric}" if spec else "")
    return {**plan_parameters(record.plan, record.framework_version), **_clipped(found)}


def plan_parameters(plan: PlanRecord, framework: str) -> dict[str, str]:
    """What is known before the run begins: model, suite, counts, encoders with their revisions.

    ``model.argument.NAME`` holds each argument of the model and ``suite.argument.NAME`` of the suite; a number stands
    as a number, an axis of MLflow's parallel coordinates, which begin with the first parameters that differ.
    """
    found = {
        "model": plan.model.name,
        "model.revision": plan.model.revision,
        "model.digest": plan.model_digest,
        "model.licence": plan.model.licence,
        "suite": plan.suite.name,
        "suite.revision": plan.suite_revision,
        "n": str(plan.n),
        "seeds": str(plan.seeds),
        "images": str(plan.counts.get("generated", plan.n * plan.seeds)),
        "tiers": ",".join(map(str, plan.tiers)),
        "framework": framework,
    }
    found.update({f"model.argument.{name}": _scalar(value) for name, value in plan.model.arguments.items()})
    found.update({f"suite.argument.{name}": _scalar(value) for name, value in plan.suite_arguments.items()})
    found.update({f"role.{role}": ",".join(names) for role, names in plan.roles.items()})
    found.update(
        {f"encoder.{name}": f"{card.revision} ({card.dimension} dimensions)" for name, card in plan.encoders.items()}
    )
    return _clipped(found)


def tags(record: RunRecord) -> dict[str, str]:
    """What to filter by, and the description that MLflow shows."""
    coupled = [score.key for score in record.scores if score.coupled]
    absent = [score.key for score in record.scores if score.status == "not computed"]
    return {
        **plan_tags(record.run_id, record.plan),
        STATE: "complete",
        "unipath_bench.memorisation": _audit(record),
        "unipath_bench.coupled": ", ".join(coupled) or "none",
        "unipath_bench.not_computed": ", ".join(absent) or "none",
        "mlflow.note.content": _description(record),
    }


def plan_tags(run_id: str, plan: PlanRecord) -> dict[str, str]:
    """What to filter by before the run has ended."""
    return {
        RUN_ID: run_id,
        "unipath_bench.kind": plan.suite.kind,
        "unipath_bench.tiers": ",".join(map(str, plan.tiers)),
        "unipath_bench.oracle": _yes(plan.model.oracle),
        "mlflow.source.name": "unipath-bench",
        "mlflow.source.type": "LOCAL",
    }


def attributes_csv(record: RunRecord) -> str:
    """The per-attribute tables of all scores that have one, as CSV; empty text where none has."""
    stream = io.StringIO()
    columns = (
        "task",
        "encoder",
        "attribute",
        "classes",
        "weighted_f1",
        "real_weighted_f1",
        "percent_of_real",
        "chance",
        "ece",
    )
    writer = csv.writer(stream, lineterminator="\n")
    rows = 0
    for score in record.scores:
        table = score.details_as(AttributeControl)
        for name, row in table.attributes.items() if table else ():
            figures = (row.weighted_f1, row.real_weighted_f1, row.percent_of_real, row.chance, row.ece)
            if not rows:
                writer.writerow(columns)
            writer.writerow(escaped_row([score.task, score.encoder, name, " | ".join(row.classes), *figures]))
            rows += 1
    return stream.getvalue()


def _stem(score: TaskScore) -> str:
    return _legal(f"{score.task}.{score.encoder}" if score.encoder else score.task)


def _legal(key: str) -> str:
    """``key`` in the characters that MLflow allows in names, without those that it gives a meaning."""
    return re.sub(r"[^\w.\- ]", "_", key, flags=re.ASCII)


def _scalar(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) else json.dumps(value, sort_keys=True, default=str)


def _clipped(found: Mapping[str, str]) -> dict[str, str]:
    return {_legal(name): text[:_LONGEST_PARAMETER] for name, text in found.items()}


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _audit(record: RunRecord) -> str:
    audits = [score.details_as(Memorisation) for score in record.scores]
    verdicts = [audit.flagged for audit in audits if audit is not None]
    if not verdicts:
        return "not audited"
    return "flagged" if any(verdicts) else "not flagged"


def _description(record: RunRecord) -> str:
    plan = record.plan
    head = f"{plan.model.name} on {plan.suite.title or plan.suite.name}, {plan.n} prompts, seeds {plan.seeds}"
    lines = [f"- {note.label}: {note.text}" for note in run_notes(record)]
    return "\n".join([head, "", *lines, "", "The artifacts hold report.html and record.json."])


def as_json(value: Mapping[str, str | int]) -> str:
    """``value`` as the JSON text that MLflow keeps with a data set."""
    return json.dumps(value, sort_keys=True)
