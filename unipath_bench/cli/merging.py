"""``merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console


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
    from unipath_bench.cli.evaluate import carry_out_and_show
    from unipath_bench.pipeline.executors import Execution
    from unipath_bench.pipeline.merge import merge as unite
    from unipath_bench.pipeline.merge import require_complete
    from unipath_bench.pipeline.place import Place
    from unipath_bench.pipeline.plan import make_plan
    from unipath_bench.views.output import OutputSettings

    target = out or folders[0]
    merged = unite(folders, target, trust_remote_code=trust_remote_code)
    Console(stderr=True).print_line(f"{merged.copied} files brought to {target}.")
    plan = make_plan(merged.options)
    require_complete(plan, target)
    settings = OutputSettings(tracking_uri=tracking_uri, experiment=experiment)
    carry_out_and_show(plan, Place(target), Execution(), settings, as_json)
