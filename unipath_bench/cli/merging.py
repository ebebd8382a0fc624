"""``merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipath_bench import api
from unipath_bench.cli import options as opt
from unipath_bench.cli.evaluate import show_result
from unipath_bench.core.console import Console
from unipath_bench.options import OutputSettings


def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="OUT...", help="Output folders of all `run --part I/N` of one run.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where to unite them; default: the first folder."),
    ] = None,
    trust_remote_code: opt.TrustRemoteCode = False,
    tracking_uri: opt.TrackingUri = None,
    experiment: opt.Experiment = opt.DEFAULT_EXPERIMENT,
    as_json: opt.AsJson = False,
) -> None:
    """Unite the parts of a run that was shared out, and score it: the record of an undivided run.

    Parts that are lacking, or that differ where they should not, are an error. Nothing is generated anew.

    Example:
      unipath-bench merge shared/run/        (all parts wrote to one folder)

      unipath-bench merge part1/ part2/ part3/ --out whole/
    """
    from unipath_bench.cli.drawing import RichProgress

    settings = OutputSettings(tracking_uri=tracking_uri, experiment=experiment)
    with RichProgress(Console(stderr=True)) as progress:
        result = api.merge(folders, out, trust_remote_code=trust_remote_code, settings=settings, progress=progress)
    show_result(result, as_json)
