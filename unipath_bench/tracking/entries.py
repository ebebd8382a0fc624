"""What a run record becomes in MLflow: metrics, parameters, tags, a description and the table of attributes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping

from unipath_bench.reading import attribute_control, memorisation, run_notes
from unipath_bench.schema.record import RunRecord, TaskScore
from unipath_bench.schema.task import TaskSpec

RUN_ID = "unipath_bench.run_id"
"""The tag by which a run is found again."""
_LONGEST_PARAMETER = 500


def metrics(record: RunRecord) -> dict[str, float]:
    """Every number of the record by key.

    ``headline/TASK.ENCODER`` holds each task's headline value and ``position/TASK.ENCODER`` where it lies on its scale
    (0 bad end, 100 good end): these line up in MLflow's compare view. ``tierT/TASK.ENCODER.VALUE`` holds every value,
    ``scale/TASK.ENCODER.VALUE.floor`` and ``.ceiling`` the ends, ``interval/TASK.ENCODER.VALUE.low``, ``.high`` and
    ``.estimate`` what the sample says. MLflow draws one section a prefix.
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
            every[f"tier{score.tier}/{key}"] = value.value
            if value.floor is not None:
                ends[f"scale/{key}.floor"] = value.floor
            if value.ceiling is not None:
                ends[f"scale/{key}.ceiling"] = value.ceiling
            if value.interval is not None:
                figures = {"low": value.interval.low, "high": value.interval.high, "estimate": value.interval.estimate}
                limits.update({f"interval/{key}.{end}": x for end, x in figures.items() if x is not None})
            if value.headline:
                headline[f"headline/{stem}"] = value.value
                if value.percent_of_range is not None:
                    position[f"position/{stem}"] = value.percent_of_range
    return {**headline, **position, **every, **ends, **limits}


def parameters(record: RunRecord, tasks: Mapping[str, TaskSpec]) -> dict[str, str]:
    """What was asked for: model, suite, counts, encoders with their revisions, task versions with their metrics."""
    plan = record.plan
    found = {
        "model": plan.model.name,
        "model.revision": plan.model.revision,
        "model.digest": plan.model_digest,
        "suite": plan.suite.name,
        "suite.revision": plan.suite_revision,
        "n": str(plan.n),
        "seeds": str(plan.seeds),
        "tiers": ",".join(map(str, plan.tiers)),
        "framework": record.framework_version,
        "device": record.environment.device,
    }
    found.update({f"role.{role}": ",".join(names) for role, names in plan.roles.items()})
    found.update(
        {f"encoder.{name}": f"{card.revision} ({card.dimension} dimensions)" for name, card in plan.encoders.items()}
    )
    for score in record.scores:
        spec = tasks.get(score.task)
        found[f"task.{score.task}"] = f"version {score.version}" + (f", metric {spec.metric}" if spec else "")
    return {_legal(name): text[:_LONGEST_PARAMETER] for name, text in found.items()}


def tags(record: RunRecord) -> dict[str, str]:
    """What to filter by, and the description that MLflow shows."""
    coupled = [score.key for score in record.scores if score.coupled]
    absent = [score.key for score in record.scores if score.status == "not computed"]
    return {
        RUN_ID: record.run_id,
        "unipath_bench.kind": record.plan.suite.kind,
        "unipath_bench.tiers": ",".join(map(str, record.plan.tiers)),
        "unipath_bench.oracle": _yes(record.plan.model.oracle),
        "unipath_bench.memorisation": _audit(record),
        "unipath_bench.coupled": ", ".join(coupled) or "none",
        "unipath_bench.not_computed": ", ".join(absent) or "none",
        "mlflow.note.content": _description(record),
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
        table = attribute_control(score)
        for name, row in table.attributes.items() if table else ():
            figures = (row.weighted_f1, row.real_weighted_f1, row.percent_of_real, row.chance, row.ece)
            if not rows:
                writer.writerow(columns)
            writer.writerow([score.task, score.encoder, name, " | ".join(row.classes), *figures])
            rows += 1
    return stream.getvalue()


def _stem(score: TaskScore) -> str:
    return _legal(f"{score.task}.{score.encoder}" if score.encoder else score.task)


def _legal(key: str) -> str:
    """``key`` in the characters that MLflow allows in names, without those that it gives a meaning."""
    return re.sub(r"[^\w.\- ]", "_", key, flags=re.ASCII)


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _audit(record: RunRecord) -> str:
    verdicts = [table.flagged for table in map(memorisation, record.scores) if table is not None]
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
