"""``submit`` and ``leaderboard``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json
from unipath_bench.core.errors import UsageError

if TYPE_CHECKING:
    from unipath_bench.leaderboard.validation.validate import Outcome, Request

app = typer.Typer(help="Boards: validate, rank and add submissions.", no_args_is_help=True)

Board = Annotated[
    str | None,
    typer.Option("--board", metavar="NAME|DIR", help="The board. Default: the one here of the run's suite and n."),
]
Cache = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", help="Keep the features of the suite's real images here for next time."),
]
Regenerate = Annotated[
    int,
    typer.Option(
        "--regenerate",
        metavar="K",
        min=0,
        help="Make K of the images anew with the adapter. This runs the submitter's code: install and read it first.",
    ),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|MODULE:ATTR",
        help="The adapter to regenerate with, where it is not registered under the card's name.",
    ),
]


def submit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as `run` printed it.")],
    to: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.zip", help="The archive to write.")],
    licence_statement: Annotated[
        str,
        typer.Option(
            "--licence-statement",
            metavar="TEXT",
            help="Under what terms the images may be shown and the model was used.",
        ),
    ] = "",
    store: Annotated[
        Path | None, typer.Option("--store", metavar="DIR", help="Samples and features; default: the run's.")
    ] = None,
) -> None:
    """Write a run's submission: record, card, features, digests and a sample of the images in one archive.

    No code and no pickles. The same run gives the same bytes.
    """
    from unipath_bench.leaderboard.submission.writing import build_archive

    built = build_archive(run, to, licence_statement, store)
    console = Console(stderr=True)
    console.print_line(f"Archive  {built.path}  {built.bytes:,} bytes, {built.images} images")
    console.print_line(f"SHA-256  {built.sha256}")
    if not licence_statement.strip():
        console.print_line("It has no licence statement, which most boards ask for: --licence-statement")


@app.command()
def validate(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.zip|ENTRY",
            help="An archive, or an entry's folder: then its archive is fetched from where the entry says.",
        ),
    ],
    board: Board = None,
    data: opt.Data = None,
    regenerate: Regenerate = 0,
    model: Adapter = None,
    cache: Cache = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
) -> None:
    """Hold a submission to what it claims, as if it were hostile.

    Exits 0 where every check passed, 4 where one failed, and 3 where nothing failed but something could not be checked
    for want of weights, data or a board.
    """
    from unipath_bench.leaderboard.boards import ENTRY, find_board, load_entry
    from unipath_bench.leaderboard.entries import hold_entry
    from unipath_bench.leaderboard.fetching import fetch_archive
    from unipath_bench.leaderboard.validation.terminal import show_report
    from unipath_bench.leaderboard.validation.validate import Request

    folder = file if (file / ENTRY).is_file() else None
    chosen = find_board(board) if board is not None else folder.resolve().parents[1] if folder is not None else None
    with TemporaryDirectory(prefix="unipath-bench-") as temporary:
        archive = file
        if folder is not None:
            archive = fetch_archive(load_entry(folder).entry, folder, Path(temporary), offline=offline)
        outcome = _validated(Request(archive, chosen, data, cache, offline, regenerate, model))
    if folder is not None:
        outcome = hold_entry(folder, outcome)
    if as_json:
        write_json(outcome.report.to_json())
    else:
        Console().print(show_report(outcome.report))
    raise typer.Exit(outcome.report.exit_code)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="An archive.")],
    board: Annotated[str, typer.Option("--board", metavar="NAME|DIR", help="The board.")],
    submitter: Annotated[str, typer.Option("--submitter", metavar="NAME", help="Who vouches for it.")],
    archive: Annotated[
        str | None,
        typer.Option(
            "--archive",
            metavar="URL",
            help="Where it is hosted: https://..., a path, or "
            "hf://datasets/OWNER/NAME@COMMIT/FILE. Default: the file's path from the entry's folder.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="SLUG", help="Default: the model and its revision.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Default: the card's.")] = None,
    notes: Annotated[str, typer.Option("--notes", help="Shown beside the entry.")] = "",
    data: opt.Data = None,
    cache: Cache = None,
    offline: opt.Offline = False,
) -> None:
    """Write the folder of an entry, for a pull request: entry, record, card and fingerprints. Validates first."""
    import os

    from unipath_bench.leaderboard.boards import ENTRIES, find_board
    from unipath_bench.leaderboard.entries import add_entry
    from unipath_bench.leaderboard.validation.terminal import show_report
    from unipath_bench.leaderboard.validation.validate import Request

    folder = find_board(board)
    outcome = _validated(Request(file, folder, data, cache, offline))
    if outcome.report.refused:
        Console(stderr=True).print(show_report(outcome.report))
        raise typer.Exit(outcome.report.exit_code)
    place = archive or os.path.relpath(file.resolve(), (folder / ENTRIES / "NAME").resolve())
    written = add_entry(folder, outcome, name=name, title=title, submitter=submitter, archive=place, notes=notes)
    console = Console(stderr=True)
    console.print_line(f"Entry  {written}")
    if not outcome.report.complete:
        console.print_line("Not everything could be checked: `leaderboard validate` says what.")


@app.command()
def rank(
    board: Annotated[str, typer.Argument(metavar="BOARD", help="A board's name or folder.")],
    as_json: opt.AsJson = False,
) -> None:
    """Rank a board's entries by paired differences."""
    from unipath_bench.leaderboard.boards import find_board
    from unipath_bench.leaderboard.ranking import rank_board
    from unipath_bench.leaderboard.terminal import show_standings

    standings = rank_board(find_board(board))
    if as_json:
        write_json(standings.model_dump_json(indent=2))
    else:
        Console().print(show_standings(standings))


def _validated(request: Request) -> Outcome:
    from unipath_bench.cli.drawing import RichProgress
    from unipath_bench.leaderboard.validation.validate import validate_archive

    if not request.archive.is_file():
        raise UsageError(f"{request.archive}: no such file.", "Give an archive that `unipath-bench submit` wrote.")
    with RichProgress(Console(stderr=True)) as progress:
        return validate_archive(request, progress)
