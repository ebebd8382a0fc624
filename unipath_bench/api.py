"""The views of a run: the HTML report beside the record, and the run in MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unipath_bench.core.files import storage_error
from unipath_bench.core.progress import Progress, Silent
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.run import identify
from unipath_bench.results.gallery import Exhibits
from unipath_bench.results.run_folder import RunFolder
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.views.report import write_report
from unipath_bench.views.tracking import EXPERIMENT, Evaluation, log_run, track
from unipath_bench.views.tracking.client import database_file


@contextmanager
def tracked(plan: Plan, out: Path, *, tracking_uri: str, experiment: str = EXPERIMENT) -> Iterator[str]:
    """Open the MLflow run of a plan while the block carries it out; yields the id for :func:`publish`.

    See :func:`~unipath_bench.views.tracking.track` for what becomes of it when the block ends early.
    """
    file = database_file(tracking_uri)
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, file) from error
    found = identify(plan)
    evaluation = Evaluation(found.run_id, found.name, found.plan, found.framework_version)
    with track(evaluation, out, tracking_uri=tracking_uri, experiment=experiment) as run:
        yield run


def publish(
    folder: RunFolder,
    *,
    tracking_uri: str | None,
    experiment: str = EXPERIMENT,
    progress: Progress | None = None,
    mlflow_run: str | None = None,
) -> str | None:
    """Write the report and, where a ``tracking_uri`` is given, log the run; returns the MLflow run id.

    The same evaluation keeps its MLflow run.
    """
    show = progress or Silent()
    show.start("Publish", 1 if tracking_uri is None else 2)
    record, tasks = folder.load_record(), load_tasks()
    write_report(record, Exhibits.load(folder.exhibits), folder.report, tasks)
    show.advance(1)
    run = None
    if tracking_uri is not None:
        run = log_run(
            record, folder.path, tracking_uri=tracking_uri, experiment=experiment, tasks=tasks, mlflow_run=mlflow_run
        )
        show.advance(1)
    show.finish()
    return run
