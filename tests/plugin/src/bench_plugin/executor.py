"""An executor: the units in this process, the last one first."""

from collections.abc import Iterator, Sequence

from unipath_bench.pipeline.executors import Job
from unipath_bench.pipeline.work import Done, Unit


class Backwards:
    """Takes none of the settings."""

    def __init__(self, job: Job) -> None:
        job.accept()
        self._worker = job.worker()

    def carry_out(self, units: Sequence[Unit]) -> Iterator[Done]:
        return self._worker.complete_all(units[::-1])

    def close(self) -> None:
        """Nothing to free."""
