"""``unipath-bench curate``: from a heap of tiles to training pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json

app = typer.Typer(
    help="Curate tiles: quality control, de-duplication, sampling, captions.",
    no_args_is_help=True,
    add_completion=False,
)

_KEEP, _CAPTION = "What to keep", "Captions"

Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Stages, report and the curated set.")]
Suite = Annotated[str, typer.Option("--suite", "-s", metavar="NAME|SUITE.yaml|MODULE:ATTR", help="How to read --data.")]
Split = Annotated[str | None, typer.Option("--split", help="Curate this split only.", rich_help_panel=_KEEP)]
BoundArg = Annotated[
    list[str] | None,
    typer.Option(
        "--bound",
        metavar="KEY=VALUE",
        help="Bound of quality control, e.g. least_focus=-1.2; repeatable.",
        rich_help_panel=_KEEP,
    ),
]
HashDistance = Annotated[
    int, typer.Option("--hash-distance", min=-1, max=31, help="Bits of 64; -1: no such pass.", rich_help_panel=_KEEP)
]
Encoder = Annotated[
    str,
    typer.Option("--encoder", "-e", metavar="NAME|MODULE:ATTR|none", help="Of the embedding.", rich_help_panel=_KEEP),
]
Similarity = Annotated[
    float, typer.Option("--similarity", help="Cosine of duplicates; above 1: no such pass.", rich_help_panel=_KEEP)
]
Target = Annotated[int | None, typer.Option("--target", min=1, help="Images to sample.", rich_help_panel=_KEEP)]
Clusters = Annotated[
    int | None,
    typer.Option(
        "--clusters", min=1, help="Of the sampling; default: the square root of the images.", rich_help_panel=_KEEP
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Of the sampling.", rich_help_panel=_KEEP)]
Captioner = Annotated[
    str,
    typer.Option(
        "--captioner", metavar="existing|http|MODULE:ATTR", help="Who writes the captions.", rich_help_panel=_CAPTION
    ),
]
CaptionerArg = Annotated[
    list[str] | None,
    typer.Option(
        "--captioner-arg", metavar="KEY=VALUE", help="Argument for the captioner; repeatable.", rich_help_panel=_CAPTION
    ),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Captions at a time.", rich_help_panel=_CAPTION)]
FormName = Annotated[str, typer.Option("--format", metavar="folder|parquet", help="Of the curated set.")]
Sheets = Annotated[bool, typer.Option("--sheets/--no-sheets", help="Draw sheets of dropped tiles.")]


@app.command()
def run(
    data: opt.Data,
    out: Out,
    suite: Suite = "folder",
    suite_arg: opt.SuiteArg = None,
    split: Split = None,
    bound: BoundArg = None,
    hash_distance: HashDistance = 6,
    encoder: Encoder = "texture",
    similarity: Similarity = 0.995,
    target: Target = None,
    clusters: Clusters = None,
    seed: Seed = 0,
    captioner: Captioner = "existing",
    captioner_arg: CaptionerArg = None,
    workers: Workers = 1,
    form: FormName = "folder",
    sheets: Sheets = True,
    device: opt.Device = "cpu",
    offline: opt.Offline = False,
) -> None:
    """Curate a folder, Parquet files or any suite.

    After an interruption the same command resumes where it stopped.

    Examples:
      unipath-bench curate run --data TILES/ --out CURATED/ --target 1000

      unipath-bench curate run --data TILES/ --out CURATED/ --captioner http --captioner-arg url=http://localhost:8000/v1
      --captioner-arg model=NAME
    """
    from typing import cast

    from reference_model.curation.captioners import load_captioner
    from reference_model.curation.contact_sheet import write_sheets
    from reference_model.curation.output import Form, write_dataset
    from reference_model.curation.pipeline import curate
    from reference_model.curation.quality import Bounds
    from reference_model.curation.records import Options
    from reference_model.curation.report import summary_table, write_report
    from unipath_bench import Context, UsageError
    from unipath_bench.cli.drawing import RichProgress
    from unipath_bench.schema.base import validate
    from unipath_bench.suites.card import load_suite

    if form not in ("folder", "parquet"):
        raise UsageError(f"--format {form} is not known.", "Use folder or parquet.")
    source = load_suite(suite, data, opt.parse_arguments(suite_arg, "--suite-arg"), offline=offline)
    options = Options(
        bounds=validate(Bounds, opt.parse_arguments(bound, "--bound"), "--bound"),
        hash_distance=None if hash_distance < 0 else hash_distance,
        encoder=None if encoder == "none" else encoder,
        similarity=None if similarity > 1 else similarity,
        target=target,
        clusters=clusters,
        seed=seed,
        split=split,
        workers=workers,
    )
    arguments = opt.parse_arguments(captioner_arg, "--captioner-arg")
    writer = load_captioner(captioner, arguments, out / "responses.jsonl", offline=offline)
    console = Console(stderr=True)
    with RichProgress(console) as progress:
        result = curate(source, out / "stages", options, writer, context=Context(device, offline), progress=progress)
    summary = write_report(result, options, out / "report")
    if sheets:
        write_sheets(source, result, out / "report")
    write_dataset(source, result, out / "dataset", cast(Form, form))
    Console().print(summary_table(summary))
    Console().print_line(f"--suite {form} --data {out / 'dataset'}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `curate run` wrote.")], as_json: opt.AsJson = False
) -> None:
    """Print what was dropped, and why, once more."""
    from reference_model.curation.report import read_summary, summary_table

    summary = read_summary(folder / "report" / "summary.json")
    if as_json:
        write_json(summary.model_dump_json(indent=2))
    else:
        Console().print(summary_table(summary))
