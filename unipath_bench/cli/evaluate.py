"""``run``, ``plan`` and ``prompts``."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unipath_bench import api
from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_csv, write_json
from unipath_bench.options import Options, PartOptions

if TYPE_CHECKING:
    from unipath_bench.api import Result


@opt.take(PartOptions)
def run(
    given: opt.Given, track: opt.FormerTrack = None, shard: opt.FormerShard = None, as_json: opt.AsJson = False
) -> None:
    """Evaluate a generator: generate, embed, score, record.

    Every image is generated once and embedded once an encoder, and everything finished is kept in the output folder:
    the same command resumes after an interruption, and a larger --n or --seeds computes only what is new.

    Examples:
      unipath-bench run --model memoriser --suite folder --data TILES/

      unipath-bench run --model my_module:MyGenerator --suite folder --data TILES/ --n 500 --seeds 4

      unipath-bench run --images MY_PNGS/ --suite folder --data TILES/ --tiers 1,2

      unipath-bench run --model unipath --device cuda --executor processes

      unipath-bench run --model unipath --part $SLURM_ARRAY_TASK_ID/8
    """
    from unipath_bench.cli.drawing import RichProgress

    errors = Console(stderr=True)
    if track is not None:
        given["mlflow"] = track
        warning = "--track and --no-track are now --mlflow and --no-mlflow; version 0.3 removes the former spelling."
        errors.print_line(warning)
    if shard is not None:
        given["part"] = shard
        errors.print_line("--shard is now --part; version 0.3 removes the former spelling.")
    if "part" in given:
        with RichProgress(errors) as progress:
            then = api.evaluate_part(**given, progress=progress)
        Console().print_line(then)
    else:
        with RichProgress(errors) as progress:
            result = api.evaluate(**given, progress=progress)
        show_result(result, as_json)


@opt.take(Options)
def plan(
    given: opt.Given,
    out: opt.Out = opt.DEFAULT_OUT,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Generate and embed eight images, and score made-up features, to estimate time, memory and disk "
            "space. Stores nothing.",
        ),
    ] = False,
    as_json: opt.AsJson = False,
) -> None:
    """Show what a run would do: counts, cost, and what is missing. Computes nothing, unless told to --probe."""
    from unipath_bench.cli.planning import plan_as_json, print_plan

    planned = api.plan(**given)
    cost = api.estimate(planned, out)
    probed = api.probe(planned, out) if probe else None
    if as_json:
        write_json(plan_as_json(planned, cost, probed))
    else:
        print_plan(planned, cost, Console(), probed)


@opt.take(Options, only=api.REQUEST_OPTIONS)
def prompts(
    given: opt.Given,
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Where to write the requests; - for standard output.")
    ],
) -> None:
    """Write the requests of a run, to generate the images with your own code.

    One row an image: the prompt, the seed, the size, the attributes, and the file name under which `run --images DIR`
    expects it.
    """
    from unipath_bench.core.csv_safety import escaped_row
    from unipath_bench.generators.folder import expected_file_name

    requests = api.list_requests(**given)
    columns = [
        "file_name",
        "sample_id",
        "replicate",
        "prompt",
        "seed",
        "width",
        "height",
        *requests[0].labels,
    ]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(escaped_row(columns))
    for r in requests:
        head = [expected_file_name(r), r.sample_id, r.replicate, r.prompt, r.seed, r.width, r.height]
        writer.writerow(escaped_row([*head, *r.labels.values()]))
    if str(file) == "-":
        write_csv(stream.getvalue())
    else:
        file.write_text(stream.getvalue(), encoding="utf-8", newline="")
    Console(stderr=True).print_line(f"{len(requests)} requests written to {file}.")


def show_result(result: Result, as_json: bool) -> None:
    """Print the summary and what the outputs say or, with ``as_json``, the record as JSON."""
    if as_json:
        write_json(result.folder.record.read_text(encoding="utf-8"))
    else:
        result.show()
