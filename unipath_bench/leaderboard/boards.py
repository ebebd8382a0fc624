"""Boards and their entries, read from their folders.

``leaderboards/NAME/board.yaml`` holds a board's rules, ``leaderboards/NAME/entries/ENTRY/`` an entry: ``entry.json``
(where its archive lies and who vouches for it), ``record.json`` (the run record) and ``card.yaml`` (the generator's
card).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unipath_bench.core.errors import UsageError
from unipath_bench.core.registry import suggest
from unipath_bench.core.resources import data_folder
from unipath_bench.schema.base import load_yaml, parse_json
from unipath_bench.schema.board import Board, Entry
from unipath_bench.schema.record import RunRecord

BOARD = "board.yaml"
ENTRIES = "entries"
ENTRY, RECORD, CARD, FINGERPRINTS = "entry.json", "record.json", "card.yaml", "fingerprints.json"


@dataclass(frozen=True, slots=True)
class Submitted:
    """One entry of a board: who sent it, and what was measured."""

    entry: Entry
    record: RunRecord


def boards_folder() -> Path:
    """Where this installation keeps its boards."""
    return data_folder("leaderboards")


def list_boards() -> list[Path]:
    """The folder of every board of this installation, by name."""
    return [path.parent for path in sorted(boards_folder().glob(f"*/{BOARD}"))]


def find_board(name: str) -> Path:
    """The folder of a board: of the installation by name, or by the path of its folder or of its ``board.yaml``.

    Raises :class:`UsageError` where there is none.
    """
    path = Path(name).expanduser()
    folder = path.parent if path.name == BOARD else path
    if (folder / BOARD).is_file():
        return folder
    known = {found.name: found for found in list_boards()}
    if name not in known:
        raise UsageError(
            f"There is no board {name!r}.",
            suggest(name, list(known), "board") + f" The path of a folder with a {BOARD} works too.",
        )
    return known[name]


def load_board(folder: Path) -> Board:
    """The rules of the board in a folder; raises :class:`UsageError` where they are not valid or not the folder's."""
    board = load_yaml(Board, folder / BOARD)
    if board.name != folder.resolve().name:
        raise UsageError(
            f"{folder / BOARD} is the board {board.name!r} in a folder called {folder.resolve().name!r}.",
            "Give both one name.",
        )
    if not board.metrics:
        raise UsageError(f"{folder / BOARD} has no metrics.", "Name at least one.")
    return board


def load_entry(folder: Path) -> Submitted:
    """An entry from its folder; raises :class:`UsageError` for what is lacking or not valid."""
    for name in (ENTRY, RECORD, CARD, FINGERPRINTS):
        if (folder / name).is_symlink():
            raise UsageError(f"{folder / name} is a symbolic link.", "Put the file itself there.")
    entry = parse_json(Entry, folder / ENTRY)
    if entry.name != folder.name:
        raise UsageError(
            f"{folder / ENTRY} is the entry {entry.name!r} in a folder called {folder.name!r}.", "Give both one name."
        )
    return Submitted(entry, parse_json(RunRecord, folder / RECORD))


def entry_folders(board: Path) -> list[Path]:
    """The folders of a board's entries, by name."""
    entries = board / ENTRIES
    return [path for path in sorted(entries.iterdir()) if path.is_dir()] if entries.is_dir() else []


def load_entries(board: Path) -> list[Submitted]:
    """All entries of the board in a folder, by name."""
    return [load_entry(folder) for folder in entry_folders(board)]
