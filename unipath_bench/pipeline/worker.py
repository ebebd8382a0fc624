"""Who does units: it loads the generator and the encoders once, when the first unit asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from unipath_bench.core.arrays import RGBImage
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.generate import GenerateStage
from unipath_bench.pipeline.work import Done, Unit


class Worker:
    """One process's hands."""

    def __init__(self, generate: GenerateStage, embed: EmbedStage) -> None:
        self.generate = generate
        self.embed = embed

    def lacks(self, unit: Unit) -> bool:
        """Whether the store does not have the unit whole."""
        return (self.generate if unit.stage == "generate" else self.embed).lacks(unit)

    def complete(self, unit: Unit) -> Done:
        """Do what the unit lacks."""
        if unit.stage == "generate":
            return Done(unit, generated=self.generate.complete(unit))
        return Done(unit, embedded=self.embed.complete(unit))

    def complete_all(self, units: Iterable[Unit]) -> Iterator[Done]:
        """Do units in order; while one is embedded, the next one's images are read and decoded."""
        with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
            waiting: tuple[Unit, Future[list[RGBImage]]] | None = None
            for unit in units:
                if unit.stage == "generate" or not self.embed.lacks(unit):
                    if waiting is not None:
                        yield self._embed(*waiting)
                        waiting = None
                    yield self.complete(unit)
                    continue
                upcoming = pool.submit(self.embed.read, unit)
                if waiting is not None:
                    yield self._embed(*waiting)
                waiting = unit, upcoming
            if waiting is not None:
                yield self._embed(*waiting)

    def _embed(self, unit: Unit, images: Future[list[RGBImage]]) -> Done:
        return Done(unit, embedded=self.embed.complete(unit, images.result()))
