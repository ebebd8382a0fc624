"""``data check``: what is wrong with a suite's data, before a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from unipath_bench import api
from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json
from unipath_bench.core.errors import EXIT_BAD_DATA

if TYPE_CHECKING:
    from unipath_bench.cli.drawing import RichProgress
    from unipath_bench.contracts import Suite
    from unipath_bench.suites.checking.look import Look
    from unipath_bench.suites.checking.report import DataReport, Finding

app = typer.Typer(help="Look at a suite's data before a run.", no_args_is_help=True, add_completion=False)

_SHOWN = 10
_WITHOUT_WEIGHTS = "texture"
"""The encoder that compares the splits where patients are not known and none is named: it is always at hand."""
_COLOURS = {"ok": "green", "note": "yellow", "not checked": "yellow", "wrong": "bold red"}

Number = Annotated[int | None, typer.Option("--n", "-n", min=1, metavar="N", help="Images to decode; default: all.")]
Encoder = Annotated[
    str | None, typer.Option("--encoder", "-e", metavar="NAME|MODULE:ATTR", help="Compare splits in this space too.")
]
Similarity = Annotated[float, typer.Option("--similarity", max=1.0, help="Cosine from which --encoder names pairs.")]


@app.callback()
def _root() -> None:
    """Look at a suite's data before a run."""


@app.command()
def check(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="Name, SUITE.yaml or MODULE:ATTR.")],
    data: opt.Data = None,
    suite_arg: opt.SuiteArg = None,
    n: Number = None,
    encoder: Encoder = None,
    similarity: Similarity = 0.995,
    device: opt.Device = "cpu",
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
) -> None:
    """Counts, sizes, scale, duplicates and leakage between splits. Exit code 4 where something is wrong.

    The last line says which tasks the data allow, with the reasons of the others, as `plan` would.

    Leakage is looked for by patient or slide where the suite knows them, otherwise in the features of an encoder, and
    by images that look like copies, turned and mirrored ones too. The scale is estimated from the size of nuclei,
    which tells a factor of two and no less.

    Examples:
      unipath-bench data check nct-crc --data DIR

      unipath-bench data check folder --data TILES/ --suite-arg microns_per_pixel=0.5 --json
    """
    from unipath_bench.cli.drawing import RichProgress
    from unipath_bench.suites.card import load_suite
    from unipath_bench.suites.checking.check import check_data

    loaded = load_suite(suite, data, opt.parse_arguments(suite_arg, "--suite-arg"), offline=offline)
    with RichProgress(Console(stderr=True)) as progress:
        report, seen = check_data(loaded, n, _Stages(progress))
        found = None
        if encoder is not None:
            found = _compare(loaded, seen, encoder, similarity, device, offline, progress)
        elif _by_images_alone(seen):
            found = _compare_without_weights(loaded, seen, similarity, progress)
    findings = (*report.findings, *([found] if found is not None else []), api.check_tasks(loaded, offline=offline))
    report = report.model_copy(update={"findings": findings})
    if as_json:
        write_json(report.model_dump_json(indent=2))
    else:
        print_report(report, Console())
    if not report.is_sound:
        raise typer.Exit(EXIT_BAD_DATA)


def print_report(report: DataReport, console: Console) -> None:
    """Draw a report: counts first, then what was found."""
    splits = list(report.splits)
    counts = Table(title=f"{report.suite}: {report.samples} samples", title_justify="left")
    for column in ("", *splits):
        counts.add_column(column, justify="left" if not column else "right")
    counts.add_row("images", *(str(report.splits[split]) for split in splits))
    if report.groups:
        counts.add_row("groups", *(str(report.groups.get(split, 0)) for split in splits))
    for name, labels in report.classes.items():
        for label, by_split in labels.items():
            counts.add_row(f"{name}: {label}", *(str(by_split.get(split, 0)) for split in splits))
    console.print(counts)
    sizes = ", ".join(f"{size} ({count})" for size, count in list(report.sizes.items())[:_SHOWN])
    console.print_line(f"{report.looked_at} images looked at; height x width: {sizes or 'none'}")
    for finding in report.findings:
        line = Text.assemble((f"{finding.verdict:>11}", _COLOURS[finding.verdict]), f"  {finding.check}: ")
        console.print_line(line.append(finding.summary))
        for item in finding.items[:_SHOWN]:
            console.print_line(Text(f"{'':13}- {item}"))
        if len(finding.items) > _SHOWN:
            console.print_line(f"{'':13}- ... and {len(finding.items) - _SHOWN} more (--json has all)")


class _Stages:
    """Draws the stages of a check one after the other."""

    def __init__(self, progress: RichProgress) -> None:
        self._progress = progress
        self._done = 0

    def __call__(self, name: str, total: int) -> Callable[[int, int], None]:
        self._progress.finish()
        self._progress.start(name, total)
        self._done = 0
        return self._tell

    def _tell(self, done: int, total: int) -> None:
        self._progress.advance(done - self._done)
        self._done = done


def _by_images_alone(seen: Look) -> bool:
    """Whether patients are not known, so that a leak can show in the images alone."""
    return len({s.split for s in seen.samples}) > 1 and any(s.group is None for s in seen.samples)


def _compare_without_weights(suite: Suite, seen: Look, similarity: float, progress: RichProgress) -> Finding:
    """Compare in the encoder that needs no weights; images that it cannot read are said, and are no error."""
    from unipath_bench.core.errors import DataError
    from unipath_bench.suites.checking.report import Finding

    try:
        return _compare(suite, seen, _WITHOUT_WEIGHTS, similarity, "cpu", True, progress)
    except DataError as error:
        progress.finish()
        check = f"similar across splits in {_WITHOUT_WEIGHTS}"
        return Finding(check=check, verdict="not checked", summary=error.message)


def _compare(
    suite: Suite, seen: Look, name: str, similarity: float, device: str, offline: bool, progress: RichProgress
) -> Finding:
    """Embed what was looked at, image size by image size in the encoder's fixed batches, and compare the splits."""
    import numpy as np

    from unipath_bench.contracts import Context, ImageEncoder
    from unipath_bench.core.errors import MissingError, UsageError
    from unipath_bench.core.registries import ENCODERS
    from unipath_bench.encoders.embedding import embed_images
    from unipath_bench.suites.checking.copies import similar_across_splits

    encoder = ENCODERS.get(name)()
    if not isinstance(encoder, ImageEncoder):
        raise UsageError(f"{name} embeds no images.", "Choose an image encoder: `unipath-bench list encoders`.")
    context = Context(device, offline)
    remedy = encoder.missing(context)
    if remedy is not None:
        raise MissingError(f"The encoder {name!r} cannot be loaded.", remedy)
    encoder.setup(context)
    card, count = encoder.card, len(seen.samples)
    features = np.empty((count, card.dimension), np.float32)
    order = sorted(range(count), key=lambda i: seen.sizes[i])
    progress.start("Embed", count)
    for start in range(0, count, card.micro_batch):
        rows = order[start : start + card.micro_batch]
        samples = [seen.samples[i] for i in rows]
        features[rows] = embed_images(encoder, [suite.load(s) for s in samples], [s.id for s in samples])
        progress.advance(len(rows))
    progress.finish()
    return similar_across_splits(seen.samples, features, similarity, card.name)
