"""The units one after the other in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.generate import GenerateStage
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.store import Store
from unipath_bench.pipeline.work import Done, Unit
from unipath_bench.pipeline.worker import Worker


class Local:
    """The default."""

    def __init__(self, plan: Plan, store: Store, embed: EmbedStage, batch_size: int | None = None) -> None:
        self._worker = Worker(GenerateStage(plan, store, batch_size), embed)

    def carry_out(self, units: Sequence[Unit]) -> Iterator[Done]:
        """Do every unit in order, the next one's images being decoded meanwhile."""
        return self._worker.complete_all(units)

    def close(self) -> None:
        """Nothing to free."""
