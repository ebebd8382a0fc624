"""What the site is made of: standings, and behind each row its entry and its record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unipath_bench.core.digest import digest
from unipath_bench.core.errors import DataError
from unipath_bench.schema.board import Board, BoardMetric, Cell, Entry, Standing, Standings
from unipath_bench.schema.record import RunRecord

_SAFE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class SiteEntry:
    """One submission as the site shows it."""

    entry: Entry
    record: RunRecord
    samples: Path | None = None
    """A picture of sample images (PNG, JPEG or WebP), if the entry has one."""


@dataclass(frozen=True, slots=True)
class SiteBoard:
    """A board's standings with the entries behind its rows, by name."""

    standings: Standings
    entries: Mapping[str, SiteEntry]

    @property
    def board(self) -> Board:
        """The board that these standings rank, with its rules and its metrics."""
        return self.standings.board

    @property
    def folder(self) -> str:
        """The board's folder in the site."""
        return file_stem(self.board.name)

    @property
    def ranked(self) -> list[Standing]:
        """The rows that have a rank, in the order of the standings."""
        return [row for row in self.standings.rows if row.rank is not None]

    @property
    def titles(self) -> dict[str, str]:
        """The entries' titles by name."""
        return {row.name: row.title for row in self.standings.rows}

    @property
    def headline(self) -> BoardMetric | None:
        """The metric that the standings are ordered by: the first headline metric, or else the first."""
        metrics = self.board.metrics
        return next((metric for metric in metrics if metric.headline), metrics[0] if metrics else None)

    def entry(self, row: Standing) -> SiteEntry:
        """What is behind a row; raises :class:`~unipath_bench.DataError` where nothing is."""
        if row.name not in self.entries:
            raise DataError(
                f"The standings of {self.board.name!r} list {row.name!r}, of which there is no entry.",
                "Rank the board anew from the entries in its folder.",
            )
        return self.entries[row.name]


@dataclass(frozen=True, slots=True)
class Appearance:
    """One submission of a model on one board: a line of the model's history."""

    board: SiteBoard
    row: Standing
    entry: Entry

    @property
    def cell(self) -> Cell:
        """The board's headline value."""
        metric = self.board.headline
        return self.row.cells.get(column_key(metric), Cell()) if metric else Cell()


def column_key(metric: BoardMetric) -> str:
    """The key of a metric's cells in a row of the standings."""
    return f"{metric.key}/{metric.value}"


def file_stem(name: str) -> str:
    """``name`` where it is safe as a file name on every system; else what is safe of it with a digest of the whole."""
    if _SAFE.fullmatch(name) and not name.endswith("."):
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{plain or 'entry'}-{digest(name)[:8]}"


def histories(boards: Sequence[SiteBoard]) -> dict[str, list[Appearance]]:
    """All submissions of each model on any board, by the model's name, the newest first."""
    found: dict[str, list[Appearance]] = {}
    for board in boards:
        for row in board.standings.rows:
            found.setdefault(row.model, []).append(Appearance(board, row, board.entry(row).entry))
    for appearances in found.values():
        appearances.sort(key=lambda a: (a.board.board.name, a.row.name))
        appearances.sort(key=lambda a: a.row.submitted_on, reverse=True)
    return found
