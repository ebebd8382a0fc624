"""The views of a finished run: the HTML report beside the record, and the run in MLflow."""

from __future__ import annotations

from unipath_bench.exhibits import Exhibits
from unipath_bench.pipeline.files import storage_error
from unipath_bench.pipeline.progress import Progress, Silent
from unipath_bench.pipeline.run import RunFolder
from unipath_bench.report import write_report
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.tracking import log_run


def publish(folder: RunFolder, *, tracking_uri: str, progress: Progress | None = None) -> str:
    """Write the report and log the run; returns the MLflow run id. The same evaluation keeps its MLflow run."""
    show = progress or Silent()
    show.start("Publish", 2)
    record, tasks = folder.load_record(), load_tasks()
    try:
        write_report(record, Exhibits.load(folder.exhibits), folder.report, tasks)
    except OSError as error:
        raise storage_error(error, folder.report) from error
    show.advance(1)
    run_id = log_run(record, folder.path, tracking_uri=tracking_uri, tasks=tasks)
    show.advance(1)
    show.finish()
    return run_id
