"""``gate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipath_bench import api
from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json
from unipath_bench.core.errors import EXIT_REGRESSION, UsageError


def gate(
    run: Annotated[Path, typer.Argument(metavar="RUN|BENCH.json", help="A run's folder; with --speed a timing file.")],
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="BASELINE", help="A baseline file, or another run's folder."),
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option("--write-baseline", metavar="FILE", help="Keep RUN as a baseline file instead.")
    ] = None,
    margin: Annotated[
        list[str] | None,
        typer.Option(
            "--margin",
            metavar="TASK=NUMBER",
            help="How much worse is nothing to mind, in the value's unit; "
            "repeatable. Default: 1% of the value's scale.",
        ),
    ] = None,
    speed: Annotated[bool, typer.Option("--speed", help="Compare pytest-benchmark files, not runs.")] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            min=0.0,
            help="With --speed: share by which a benchmark may "
            "become slower relative to the reference kernel. Default: 0.25.",
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="NAME", help="With --speed: the reference kernel's benchmark.")
    ] = None,
    as_json: opt.AsJson = False,
) -> None:
    """Exit 5 where a run is worse than a baseline beyond noise and margin; 4 where they cannot be compared."""
    if (against is None) == (write_baseline is None):
        raise UsageError("gate needs one of --against and --write-baseline.", "Add --against BASELINE.")
    _check_options(speed, write_baseline, margin, tolerance, reference)
    if write_baseline is not None:
        _write(run, write_baseline)
        return
    if against is None:
        return
    if speed:
        from unipath_bench.gate import REFERENCE, TOLERANCE, judge_speed, read_times, show_speed

        timed = judge_speed(
            read_times(run), read_times(against), reference or REFERENCE, TOLERANCE if tolerance is None else tolerance
        )
        text, shown, regressed = timed.to_json(), show_speed(timed), timed.regressed
    else:
        from unipath_bench.gate import judge, load_side, parse_margins, show

        verdict = judge(load_side(run), load_side(against), parse_margins(margin or []))
        text, shown, regressed = verdict.to_json(), show(verdict, Console().width), verdict.regressed
    if as_json:
        write_json(text)
    else:
        Console().print(shown)
    if regressed:
        raise typer.Exit(EXIT_REGRESSION)


def _check_options(
    speed: bool, write_baseline: Path | None, margin: list[str] | None, tolerance: float | None, reference: str | None
) -> None:
    if speed and (write_baseline is not None or margin):
        raise UsageError(
            "--margin and --write-baseline do not go with --speed.",
            "A timing file is its own baseline; use --tolerance.",
        )
    if not speed and (tolerance is not None or reference is not None):
        raise UsageError("--tolerance and --reference go with --speed.", "Add --speed, or use --margin.")


def _write(run: Path, to: Path) -> None:
    from unipath_bench.gate import write_baseline

    write_baseline(api.load_record(run), to)
    Console(stderr=True).print_line(f"Baseline  {to}")
