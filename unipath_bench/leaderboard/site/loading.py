"""Boards in their folders, as the site shows them."""

from __future__ import annotations

from pathlib import Path

from unipath_bench.core.errors import UsageError
from unipath_bench.leaderboard.boards import BOARD, entry_folders, load_board, load_entry
from unipath_bench.leaderboard.ranking import rank_entries
from unipath_bench.leaderboard.site.content import SiteBoard, SiteEntry

PICTURES = (".png", ".webp", ".jpg", ".jpeg")


def load_boards(folder: Path) -> list[SiteBoard]:
    """Every board under ``folder``, by name, with its entries ranked.

    Raises :class:`~unipath_bench.UsageError` where there is no board, or where something in one is not valid.
    """
    found = [path.parent for path in sorted(folder.glob(f"*/{BOARD}"))]
    if not found:
        raise UsageError(
            f"There is no board in {folder}.", f"A board is a folder with a {BOARD}; name their parent with --boards."
        )
    return [load_site_board(path) for path in found]


def load_site_board(folder: Path) -> SiteBoard:
    """One board from its folder; an entry's picture of samples is the file ``samples.*`` beside its record."""
    submitted = [(path, load_entry(path)) for path in entry_folders(folder)]
    standings = rank_entries(load_board(folder), [each for _, each in submitted])
    entries = {each.entry.name: SiteEntry(each.entry, each.record, _picture(path)) for path, each in submitted}
    return SiteBoard(standings, entries)


def _picture(entry: Path) -> Path | None:
    found = [path for path in sorted(entry.glob("samples.*")) if path.suffix.lower() in PICTURES]
    return next((path for path in found if path.is_file() and not path.is_symlink()), None)
