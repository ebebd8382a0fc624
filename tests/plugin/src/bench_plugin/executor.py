"""An executor: the items in this process, the last one first."""

from collections.abc import Iterator, Sequence

from unipath_bench.pipeline.executors import Job
from unipath_bench.pipeline.work import Done, WorkItem


class Backwards:
    """Takes none of the settings."""

    def __init__(self, job: Job) -> None:
        job.accept()
        self._worker = job.worker()

    def carry_out(self, items: Sequence[WorkItem]) -> Iterator[Done]:
        return self._worker.complete_all(items[::-1])

    def close(self) -> None:
        """Nothing to free."""
