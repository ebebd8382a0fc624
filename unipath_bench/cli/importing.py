"""``import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console


def import_(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, or record files.")],
    out: opt.Out = opt.DEFAULT_OUT,
    tracking_uri: opt.TrackingUri = None,
    experiment: opt.Experiment = opt.DEFAULT_EXPERIMENT,
) -> None:
    """Log runs that are finished into MLflow: old records, or those of a machine that could not reach the server.

    A record that is there already goes into its own MLflow run, and nothing is logged twice. Beside the record, the
    report and the samples are logged as far as they lie in its folder.

    Example: unipath-bench import unipath-bench-runs/runs/* --tracking-uri https://mlflow.example.org
    """
    from unipath_bench.results.run_folder import load_record
    from unipath_bench.scoring.catalogue import load_tasks
    from unipath_bench.views.tracking import default_tracking_uri, log_run

    records = [(load_record(path), path if path.is_dir() else path.parent) for path in runs]
    uri, tasks = tracking_uri or default_tracking_uri(out), load_tasks()
    if tracking_uri is None:
        out.mkdir(parents=True, exist_ok=True)
    console = Console()
    for record, folder in records:
        run = log_run(record, folder, tracking_uri=uri, experiment=experiment, tasks=tasks)
        console.print_line(f"{record.name}  {run}")
