"""Where the files of one finished run lie, and reading its record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unipath_bench.schema.base import parse_json
from unipath_bench.schema.record import RunRecord


@dataclass(frozen=True)
class RunFolder:
    """What a run itself writes; outputs put their files beside it."""

    path: Path

    @property
    def record(self) -> Path:
        """Path of ``record.json``, the run record."""
        return self.path / "record.json"

    @property
    def exhibits(self) -> Path:
        """Path of the folder of images that the report shows: samples and their nearest neighbours."""
        return self.path / "exhibits"

    def load_record(self) -> RunRecord:
        """The record; raises :class:`~unipath_bench.UsageError` where there is none, or it is no record."""
        return load_record(self.path)


def load_record(path: Path) -> RunRecord:
    """Read a run's record from its folder or from the JSON file itself.

    Examples:
        The record of a leaderboard's entry that comes with the package.

        >>> from unipath_bench.leaderboard.boards import find_board
        >>> record = load_record(find_board("phantom") / "entries" / "real")
        >>> record.plan.model.name, record.plan.suite.name
        ('real', 'phantom')
        >>> len(record.to_frame().query("headline")) > 0
        True
    """
    return parse_json(RunRecord, path / "record.json" if path.is_dir() else path)
