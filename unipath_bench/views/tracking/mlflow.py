"""One MLflow run an evaluation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from unipath_bench.results.gallery import INDEX, Exhibits
from unipath_bench.schema.record import RunRecord
from unipath_bench.schema.task import TaskSpec
from unipath_bench.views.image_grid import sample_grid
from unipath_bench.views.output import REPORT
from unipath_bench.views.tracking import entries
from unipath_bench.views.tracking.client import EXPERIMENT, artifact_location, connected, experiment_id
from unipath_bench.views.tracking.live import find_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

GRID = "samples.png"
ATTRIBUTES = "attributes.csv"
_LONGEST_DIGEST = 36
_ATTEMPTS, _PAUSE = 4, 0.3


def log_run(
    record: RunRecord,
    run_folder: Path,
    *,
    tracking_uri: str,
    experiment: str = EXPERIMENT,
    tasks: Mapping[str, TaskSpec],
    mlflow_run: str | None = None,
) -> str:
    """Log a finished run; returns the id of its MLflow run.

    The MLflow run is named like the record and carries its metrics (one batch), parameters, tags, the suite as a data
    set, and as artifacts ``record.json`` and ``report.html`` of ``run_folder`` as far as they are there, the sample
    grid and the table of attributes. It is ``mlflow_run``, which :func:`~unipath_bench.views.tracking.track` opened, or
    else the one into which this ``run_id`` was logged before, or a new one. With SQLite the artifacts lie in
    ``mlartifacts`` beside the database; a tracking server keeps them itself. No global setting of MLflow is touched.
    Raises :class:`~unipath_bench.UsageError` where MLflow refuses the URI.
    """
    remedy = (
        f"The record and the report in {run_folder} are complete: `unipath-bench import {run_folder}` logs them, here "
        "or at another --tracking-uri such as sqlite:///mlflow.db. Nothing is computed twice."
    )
    with connected(tracking_uri, remedy) as client:
        run = (
            client.get_run(mlflow_run)
            if mlflow_run
            else _found_or_made(client, record, run_folder, tracking_uri, experiment)
        )
        _log_facts(client, run, record, tasks)
        _log_artifacts(client, run.info.run_id, record, run_folder)
        client.set_terminated(run.info.run_id, "FINISHED", _milliseconds(record.timing.finished_at))
        return str(run.info.run_id)


def _found_or_made(
    client: MlflowClient, record: RunRecord, run_folder: Path, tracking_uri: str, experiment: str
) -> Run:
    where = experiment_id(client, experiment, artifact_location(tracking_uri, run_folder))
    found = find_runs(client, where, record.run_id)
    done = [run for run in found if run.info.status == "FINISHED"]
    free = [run for run in found if run.info.status != "RUNNING"]
    return next(iter([*done, *free]), None) or _create(client, where, record)


def _create(client: MlflowClient, experiment: str, record: RunRecord) -> Run:
    return client.create_run(
        experiment,
        start_time=_milliseconds(record.timing.started_at),
        tags={entries.RUN_ID: record.run_id},
        run_name=record.name,
    )


def _log_facts(client: MlflowClient, run: Run, record: RunRecord, tasks: Mapping[str, TaskSpec]) -> None:
    """Metrics, parameters and tags in one batch; what the run holds already is not logged again."""
    from mlflow.entities import Metric, Param, RunTag

    now = _milliseconds(record.timing.finished_at)
    held = run.data
    metrics = [Metric(k, v, now, 0) for k, v in entries.metrics(record).items() if held.metrics.get(k) != v]
    params = [Param(k, v) for k, v in entries.parameters(record, tasks).items() if k not in held.params]
    tags = [RunTag(k, v) for k, v in entries.tags(record).items() if held.tags.get(k) != v]
    client.log_batch(run.info.run_id, metrics=metrics, params=params, tags=tags)
    if run.inputs is None or not run.inputs.dataset_inputs:
        _log_dataset(client, run.info.run_id, record)


def _log_dataset(client: MlflowClient, run_id: str, record: RunRecord) -> None:
    """Log the suite as the run's data set.

    MLflow refuses it to one of two runs that bring the same one at the same time (its check and its insert are two
    steps), and takes it when asked again.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    plan = record.plan
    source = {"suite": plan.suite.name, "revision": plan.suite_revision, "licence": plan.suite.licence}
    dataset = Dataset(
        name=plan.suite.name,
        digest=plan.suite_revision[:_LONGEST_DIGEST],
        source_type="unipath-bench",
        source=entries.as_json(source),
        profile=entries.as_json({"kind": plan.suite.kind, **plan.counts}),
    )
    inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", "evaluation")])]
    for left in reversed(range(_ATTEMPTS)):
        try:
            client.log_inputs(run_id, datasets=inputs)
            return
        except MlflowException:
            if left == 0:
                raise
            time.sleep(_PAUSE)


def _log_artifacts(client: MlflowClient, run_id: str, record: RunRecord, run_folder: Path) -> None:
    client.log_text(run_id, record.model_dump_json(indent=2) + "\n", "record.json")
    report = run_folder / REPORT
    if report.exists():
        client.log_artifact(run_id, str(report))
    table = entries.attributes_csv(record)
    if table:
        client.log_text(run_id, table, ATTRIBUTES)
    shown = run_folder / "exhibits"
    if (shown / INDEX).exists() and (exhibits := Exhibits.load(shown)).samples:
        client.log_image(run_id, Image.fromarray(sample_grid(exhibits)), GRID)


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
