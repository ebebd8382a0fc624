"""A file of the store that does not hold what was written: found by its digest, set aside, computed anew."""

from __future__ import annotations

from pathlib import Path

from unipath_bench.core.errors import DataError


class DamagedShard(DataError):
    """Names the file and what is wrong with it."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"The file {path} is damaged ({problem}).",
            "Delete this file and run the same command again: only what it held is computed anew.",
        )
        self.path = path
        self.problem = problem

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.path, self.problem)

    def set_aside(self) -> Path:
        """Rename the file so that it is out of the way and can still be looked at; returns its new place."""
        place = self.path.with_name(f"{self.path.name}.damaged")
        self.path.replace(place)
        return place
