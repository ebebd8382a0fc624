"""Who does items: it loads the generator and the encoders once, when the first item asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from unipath_bench.core.arrays import RGBImage
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.generate import GenerateStage
from unipath_bench.pipeline.work import Done, WorkItem


class Worker:
    """One process's hands."""

    def __init__(self, generate: GenerateStage, embed: EmbedStage) -> None:
        self.generate = generate
        self.embed = embed

    def lacks(self, item: WorkItem) -> bool:
        """Whether the store does not have the item whole."""
        return (self.generate if item.stage == "generate" else self.embed).lacks(item)

    def complete(self, item: WorkItem) -> Done:
        """Do what the item lacks."""
        if item.stage == "generate":
            return Done(item, generated=self.generate.complete(item))
        return Done(item, embedded=self.embed.complete(item))

    def complete_all(self, items: Iterable[WorkItem]) -> Iterator[Done]:
        """Do items in order; while one is embedded, the next one's images are read and decoded."""
        with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
            waiting: tuple[WorkItem, Future[list[RGBImage]]] | None = None
            for item in items:
                if item.stage == "generate" or not self.embed.lacks(item):
                    if waiting is not None:
                        yield self._embed(*waiting)
                        waiting = None
                    yield self.complete(item)
                    continue
                upcoming = pool.submit(self.embed.read, item)
                if waiting is not None:
                    yield self._embed(*waiting)
                waiting = item, upcoming
            if waiting is not None:
                yield self._embed(*waiting)

    def _embed(self, item: WorkItem, images: Future[list[RGBImage]]) -> Done:
        return Done(item, embedded=self.embed.complete(item, images.result()))
