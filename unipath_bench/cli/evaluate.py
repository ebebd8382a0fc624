"""``run``, ``plan`` and ``prompts``."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_csv, write_json

if TYPE_CHECKING:
    from unipath_bench.pipeline.executors import Execution
    from unipath_bench.pipeline.place import Place
    from unipath_bench.pipeline.plan import Plan
    from unipath_bench.views.output import OutputSettings


def run(
    model: opt.Model = None,
    suite: opt.Suite = "phantom",
    data: opt.Data = None,
    images: opt.Images = None,
    tiers: opt.Tiers = "1-4",
    tasks: opt.Tasks = None,
    n: opt.Number = None,
    seeds: opt.Seeds = 1,
    encoder: opt.Encoder = None,
    model_arg: opt.ModelArg = None,
    suite_arg: opt.SuiteArg = None,
    device: opt.Device = "cpu",
    batch_size: opt.BatchSize = None,
    executor: opt.Executor = "local",
    workers: opt.Workers = None,
    timeout: opt.Timeout = None,
    address: opt.Address = None,
    shard: opt.Shard = None,
    offline: opt.Offline = False,
    trust_remote_code: opt.TrustRemoteCode = False,
    out: opt.OutPlace = str(opt.DEFAULT_OUT),
    tracking_uri: opt.TrackingUri = None,
    experiment: opt.Experiment = opt.DEFAULT_EXPERIMENT,
    mlflow: opt.Mlflow = True,
    track: opt.FormerTrack = None,
    as_json: opt.AsJson = False,
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
    if track is not None:
        mlflow = track
        warning = "--track and --no-track are now --mlflow and --no-mlflow; version 0.3 removes the former spelling."
        Console(stderr=True).print_line(warning)
    planned = _plan(
        model,
        suite,
        data,
        images,
        tiers,
        tasks,
        n,
        seeds,
        encoder,
        model_arg,
        suite_arg,
        device,
        offline,
        trust_remote_code,
    )
    planned.require_chosen()

    from unipath_bench.pipeline.executors import Execution
    from unipath_bench.pipeline.place import Place
    from unipath_bench.views.output import OutputSettings

    place = Place.parse(out)
    execution = Execution(executor, workers, batch_size, timeout, address)
    if shard is not None:
        _carry_out_share(planned, place, execution, shard)
    else:
        carry_out_and_show(planned, place, execution, OutputSettings(mlflow, tracking_uri, experiment), as_json)


def _carry_out_share(planned: Plan, place: Place, execution: Execution, shard: str) -> None:
    from unipath_bench.cli.drawing import RichProgress
    from unipath_bench.pipeline.merge import note_part
    from unipath_bench.pipeline.run import run_part
    from unipath_bench.pipeline.work import Part

    part = Part(*opt.parse_part(shard))
    with RichProgress(Console(stderr=True)) as progress:
        run_part(planned, place, part, progress=progress, execution=execution)
    note_part(planned, place.folder, part)
    then = f"unipath-bench merge {place}" if place.url is None else "the same command without --part"
    Console().print_line(f"Part {part.number} of {part.of} is complete in {place}. When all are: {then}")


def carry_out_and_show(
    planned: Plan, place: Place, execution: Execution, settings: OutputSettings, as_json: bool
) -> None:
    """Evaluate with progress, and print the summary and the outputs or, with ``as_json``, the record as JSON."""
    from unipath_bench.api import evaluate
    from unipath_bench.cli.drawing import RichProgress
    from unipath_bench.views.terminal import print_summary

    with RichProgress(Console(stderr=True)) as progress:
        folder, lines = evaluate(planned, place, execution=execution, settings=settings, progress=progress)
    if as_json:
        write_json(folder.record.read_text(encoding="utf-8"))
        return
    console = Console()
    print_summary(folder.load_record(), console)
    for line in (f"Record  {folder.record}", *lines):
        console.print_line(line)


def plan(
    model: opt.Model = None,
    suite: opt.Suite = "phantom",
    data: opt.Data = None,
    images: opt.Images = None,
    tiers: opt.Tiers = "1-4",
    tasks: opt.Tasks = None,
    n: opt.Number = None,
    seeds: opt.Seeds = 1,
    encoder: opt.Encoder = None,
    model_arg: opt.ModelArg = None,
    suite_arg: opt.SuiteArg = None,
    device: opt.Device = "cpu",
    offline: opt.Offline = False,
    trust_remote_code: opt.TrustRemoteCode = False,
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
    from unipath_bench.pipeline.estimate import estimate

    planned = _plan(
        model,
        suite,
        data,
        images,
        tiers,
        tasks,
        n,
        seeds,
        encoder,
        model_arg,
        suite_arg,
        device,
        offline,
        trust_remote_code,
    )
    cost = estimate(planned, out)
    probed = None
    if probe:
        from unipath_bench.pipeline import probe as probing

        planned.require_chosen()
        found = probing.probe(planned, cost)
        probed = found, probing.forecast(planned, cost, found, out)
    if as_json:
        write_json(plan_as_json(planned, cost, probed))
    else:
        print_plan(planned, cost, Console(), probed)


def prompts(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Where to write the requests; - for standard output.")
    ],
    suite: opt.Suite = "phantom",
    data: opt.Data = None,
    n: opt.Number = None,
    seeds: opt.Seeds = 1,
    suite_arg: opt.SuiteArg = None,
    offline: opt.Offline = False,
) -> None:
    """Write the requests of a run, to generate the images with your own code.

    One row an image: the prompt, the seed, the size, the attributes, and the file name under which `run --images DIR`
    expects it.
    """
    from unipath_bench.core.csv_safety import escaped_row
    from unipath_bench.generators.folder import expected_file_name
    from unipath_bench.pipeline.options import Options
    from unipath_bench.pipeline.plan import plan_requests

    _stay_offline(offline)
    chosen = Options(
        model="folder",
        suite=suite,
        data=data,
        suite_arguments=opt.parse_arguments(suite_arg, "--suite-arg"),
        n=n,
        seeds=seeds,
        offline=offline,
    )
    requests = plan_requests(chosen)
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


def _plan(
    model: str | None,
    suite: str,
    data: str | None,
    images: Path | None,
    tiers: str,
    tasks: list[str] | None,
    n: int | None,
    seeds: int,
    encoder: list[str] | None,
    model_arg: list[str] | None,
    suite_arg: list[str] | None,
    device: str,
    offline: bool,
    trust_remote_code: bool,
) -> Plan:
    from unipath_bench.pipeline.options import Options
    from unipath_bench.pipeline.plan import make_plan

    _stay_offline(offline)
    name, arguments = opt.choose_model(model, images, opt.parse_arguments(model_arg, "--model-arg"))
    return make_plan(
        Options(
            model=name,
            model_arguments=arguments,
            suite=suite,
            data=data,
            suite_arguments=opt.parse_arguments(suite_arg, "--suite-arg"),
            tiers=opt.parse_tiers(tiers),
            tasks=opt.parse_names(tasks),
            n=n,
            seeds=seeds,
            encoders=opt.parse_names(encoder),
            device=device,
            offline=offline,
            trust_remote_code=trust_remote_code,
        )
    )


def _stay_offline(offline: bool) -> None:
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
