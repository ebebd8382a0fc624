"""The items one after the other in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unipath_bench.pipeline.executors.job import Job
from unipath_bench.pipeline.work import Done, WorkItem


class Local:
    """The default."""

    def __init__(self, job: Job) -> None:
        job.accept()
        self._worker = job.worker()

    def carry_out(self, items: Sequence[WorkItem]) -> Iterator[Done]:
        """Do every item in order, the next one's images being decoded meanwhile."""
        return self._worker.complete_all(items)

    def close(self) -> None:
        """Nothing to free."""
