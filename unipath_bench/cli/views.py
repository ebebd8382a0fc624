"""``report``, ``compare`` and ``ui``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json
from unipath_bench.core.errors import UsageError

if TYPE_CHECKING:
    from unipath_bench.results.gallery import Exhibits


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as `run` printed it.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE.html", help="Default: report.html in the run's folder."),
    ] = None,
) -> None:
    """Write the HTML report of a run anew: one self-contained file."""
    from unipath_bench.results.gallery import Exhibits
    from unipath_bench.results.run_folder import RunFolder
    from unipath_bench.scoring.catalogue import load_tasks
    from unipath_bench.views.output import REPORT
    from unipath_bench.views.report import write_report

    folder = RunFolder(run if run.is_dir() else run.parent)
    record = folder.load_record()
    path = write_report(record, Exhibits.load(folder.exhibits), to or folder.path / REPORT, load_tasks())
    Console(stderr=True).print_line(f"Report  {path}")


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN ...", help="Two or more run folders or record files.")],
    as_json: opt.AsJson = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE.html", help="Write a page too, with the same prompts side by side."),
    ] = None,
) -> None:
    """Put runs side by side, task by task, with paired differences; says where they are not comparable, and why."""
    from unipath_bench.results.run_folder import load_record
    from unipath_bench.views.comparison import compare as compare_records

    if len(runs) < 2:
        raise UsageError("compare needs two runs or more.", "Name their folders, e.g. unipath-bench-runs/runs/*")
    comparison = compare_records([load_record(path) for path in runs])
    if html is not None:
        from unipath_bench.views.comparison.page import write_page

        path = write_page(comparison, [_exhibits(run) for run in runs], html)
        Console(stderr=True).print_line(f"Page  {path}")
    if as_json:
        write_json(comparison.to_json())
    else:
        comparison.print(Console())


def _exhibits(run: Path) -> Exhibits | None:
    """The images that a run's folder keeps; None for a lone record file."""
    from unipath_bench.results.gallery import Exhibits
    from unipath_bench.results.run_folder import RunFolder

    folder = RunFolder(run if run.is_dir() else run.parent).exhibits
    return Exhibits.load(folder) if folder.is_dir() else None


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
