"""One MLflow run an evaluation."""

from __future__ import annotations

import importlib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from unipath_bench.errors import UsageError
from unipath_bench.exhibits import INDEX, Exhibits, sample_grid
from unipath_bench.schema.record import RunRecord
from unipath_bench.schema.task import TaskSpec
from unipath_bench.tracking import entries

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "unipath-bench"
GRID = "samples.png"
ATTRIBUTES = "attributes.csv"
_TELEMETRY = "MLFLOW_DISABLE_TELEMETRY"
_NOISY = ("alembic", "mlflow")
_LONGEST_DIGEST = 36
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Opens MLflow's page on runs and metrics rather than on traces."""


def log_run(
    record: RunRecord,
    run_folder: Path,
    *,
    tracking_uri: str,
    experiment: str = EXPERIMENT,
    tasks: Mapping[str, TaskSpec],
) -> str:
    """Log a finished run; returns the id of its MLflow run.

    The MLflow run is named like the record and carries its metrics (one batch), parameters, tags, the suite as a data
    set, and as artifacts ``record.json`` and ``report.html`` of ``run_folder`` as far as they are there, the sample
    grid and the table of attributes. A record whose ``run_id`` was logged before goes into that same MLflow run. With
    SQLite the artifacts lie in ``mlartifacts`` beside the database; a tracking server keeps them itself. No global
    setting of MLflow is touched. Raises :class:`~unipath_bench.errors.UsageError` where MLflow refuses the URI.
    """
    with _quiet():
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        try:
            client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
            experiment_id = _experiment(client, experiment, tracking_uri, run_folder)
            run = _find(client, experiment_id, record) or _create(client, experiment_id, record)
            _log_facts(client, run, record, tasks)
            _log_artifacts(client, run.info.run_id, record, run_folder)
            client.set_terminated(run.info.run_id, "FINISHED", _milliseconds(record.timing.finished_at))
        except MlflowException as error:
            raise UsageError(
                f"MLflow at {tracking_uri} did not take the run: {str(error).splitlines()[0]}",
                f"The record and the report in {run_folder} are complete; give another --tracking-uri, such as "
                "sqlite:///mlflow.db, and repeat the command: nothing is computed twice.",
            ) from error
        return str(run.info.run_id)


def _experiment(client: MlflowClient, name: str, tracking_uri: str, run_folder: Path) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = artifact_location(tracking_uri, run_folder)
    return str(client.create_experiment(name, artifact_location=location, tags=_EXPERIMENT_TAGS))


def artifact_location(tracking_uri: str, run_folder: Path) -> str | None:
    """Where artifacts go: beside an SQLite file, beside the runs for another database, None (its own) for a server."""
    if re.match(r"https?://|databricks|uc:", tracking_uri):
        return None
    found = re.fullmatch(r"sqlite:///(.+?)(\?.*)?", tracking_uri)
    folder = Path(found.group(1)).absolute().parent if found else run_folder.absolute().parent
    return (folder / "mlartifacts").as_uri()


def _find(client: MlflowClient, experiment_id: str, record: RunRecord) -> Run | None:
    found = client.search_runs(
        [experiment_id], filter_string=f"tags.`{entries.RUN_ID}` = '{record.run_id}'", max_results=1
    )
    return found[0] if found else None


def _create(client: MlflowClient, experiment_id: str, record: RunRecord) -> Run:
    return client.create_run(
        experiment_id,
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
    from mlflow.entities import Dataset, DatasetInput, InputTag

    plan = record.plan
    source = {"suite": plan.suite.name, "revision": plan.suite_revision, "licence": plan.suite.licence}
    dataset = Dataset(
        name=plan.suite.name,
        digest=plan.suite_revision[:_LONGEST_DIGEST],
        source_type="unipath-bench",
        source=entries.as_json(source),
        profile=entries.as_json({"kind": plan.suite.kind, **plan.counts}),
    )
    client.log_inputs(run_id, datasets=[DatasetInput(dataset, [InputTag("mlflow.data.context", "evaluation")])])


def _log_artifacts(client: MlflowClient, run_id: str, record: RunRecord, run_folder: Path) -> None:
    client.log_text(run_id, record.model_dump_json(indent=2) + "\n", "record.json")
    report = run_folder / "report.html"
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


@contextmanager
def _quiet() -> Iterator[None]:
    """Telemetry off while MLflow is imported, and its migration messages silenced; both as before afterwards."""
    before = os.environ.get(_TELEMETRY)
    os.environ[_TELEMETRY] = "true"
    importlib.import_module("mlflow")  # sets its loggers' levels
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if before is None:
            del os.environ[_TELEMETRY]
        else:
            os.environ[_TELEMETRY] = before
