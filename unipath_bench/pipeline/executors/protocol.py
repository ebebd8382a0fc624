"""What an executor is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from unipath_bench.core.errors import BenchError
from unipath_bench.pipeline.work import Done, WorkItem


class Executor(Protocol):
    """Does work items, in any order and on any machine that sees the store."""

    def carry_out(self, items: Sequence[WorkItem]) -> Iterator[Done]:
        """Do every item; each is yielded once, when the store has it. Raises what the work raised."""

    def close(self) -> None:
        """Free processes and devices."""


class LostWork(BenchError):
    """An executor ended without having done all that it was given: a defect of the executor, never passed over."""

    def __init__(self, lost: int, total: int) -> None:
        super().__init__(
            f"{lost} of {total} work items came to no end, and no error was reported.",
            "Finished shards are kept: run the same command again. If it recurs, use --executor local and report it.",
        )
        self.counts = (lost, total)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self.counts
