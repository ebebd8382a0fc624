"""``leaderboard build``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipath_bench.core.console import Console


def build(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="A new folder, or an earlier site.")],
    boards: Annotated[
        Path | None,
        typer.Option("--boards", metavar="DIR", help="Folder of the boards; default: this installation's own."),
    ] = None,
) -> None:
    """Build the static site: one page a board, one an entry. It asks nothing of the network.

    Example: unipath-bench leaderboard build --boards leaderboards --out site
    """
    from unipath_bench.leaderboard.boards import boards_folder
    from unipath_bench.leaderboard.site import build_site
    from unipath_bench.leaderboard.site.loading import load_boards

    found = load_boards(boards or boards_folder())
    page = build_site(found, out)
    entries = sum(len(board.standings.rows) for board in found)
    Console(stderr=True).print_line(f"{len(found)} boards with {entries} entries.")
    Console().print_line(f"Site  {page}")
