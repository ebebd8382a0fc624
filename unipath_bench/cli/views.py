"""``report``, ``compare`` and ``ui``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipath_bench import api
from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json
from unipath_bench.core.errors import UsageError


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as `run` printed it.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE.html", help="Default: report.html in the run's folder."),
    ] = None,
) -> None:
    """Write the HTML report of a run anew: one self-contained file."""
    Console(stderr=True).print_line(f"Report  {api.write_report(run, to)}")


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN ...", help="Two or more run folders or record files.")],
    as_json: opt.AsJson = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE.html", help="Write a page too, with the same prompts side by side."),
    ] = None,
) -> None:
    """Put runs side by side, task by task, with paired differences; says where they are not comparable, and why."""
    comparison = api.compare(*runs, html=html)
    if html is not None:
        Console(stderr=True).print_line(f"Page  {html}")
    if as_json:
        write_json(comparison.to_json())
    else:
        comparison.print(Console())


def ui(
    out: opt.Out = opt.DEFAULT_OUT,
    tracking_uri: opt.TrackingUri = None,
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="On 127.0.0.1.")] = 5000,
) -> None:
    """Open MLflow on the runs of an output folder (loopback only; Ctrl-C ends it)."""
    from unipath_bench.views.tracking import default_tracking_uri, serve

    if tracking_uri is None and not (out / "mlflow.db").exists():
        raise UsageError(
            f"There are no tracked runs in {out}.", "Run an evaluation first, or name its folder with --out."
        )
    serve(tracking_uri or default_tracking_uri(out), port=port)
