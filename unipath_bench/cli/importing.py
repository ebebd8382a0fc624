"""``import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipath_bench import api
from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console
from unipath_bench.options import OutputSettings


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
    console = Console()
    settings = OutputSettings(tracking_uri=tracking_uri, experiment=experiment)
    for record, run in api.log_runs(runs, out, settings=settings):
        console.print_line(f"{record.name}  {run}")
