"""Stage 1: requests to images, shard by shard."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from unipath_bench.contracts import Generator, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.errors import BenchError, GeneratorError
from unipath_bench.core.images import encode_png
from unipath_bench.generators.validation import validate_generated
from unipath_bench.pipeline.batch_size import BatchSize
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.requests import request_key
from unipath_bench.pipeline.store import SampleRow, SampleShardSet, Store, shard_slice, shard_slices
from unipath_bench.pipeline.work import WorkItem

ENCODERS = min(4, os.cpu_count() or 1)
"""Threads that turn images into PNG, which is work without the interpreter's lock."""

Watch = Callable[[str], None]
"""Told what is about to be done, so that somebody outside can say what hangs."""


class GenerateStage:
    """Generates the images that the store does not have yet.

    A batch is encoded while the next one is generated. The generator is set up only if an image is missing.
    """

    def __init__(self, plan: Plan, store: Store, batch_size: int | None = None, watch: Watch | None = None) -> None:
        self.plan = plan
        self.store = store
        self.watch = watch
        self.batches = BatchSize(store, plan, batch_size)
        self._ready = False

    def items(self) -> Iterator[WorkItem]:
        """Every shard of every family of the plan."""
        for family, requests in self.plan.generated.items():
            for position, rows in shard_slices(len(requests)):
                yield WorkItem("generate", family, position, len(requests[rows]))

    def lacks(self, item: WorkItem) -> bool:
        """Whether the store does not have it yet."""
        shards, _, keys = self._resolve(item)
        return not shards.has(item.position, keys)

    def complete(self, item: WorkItem) -> int:
        """Generate what the item lacks and store it; returns how many images that took."""
        shards, requests, keys = self._resolve(item)
        if shards.has(item.position, keys):
            return 0
        return self._fill(shards, item.position, requests, keys)

    def _resolve(self, item: WorkItem) -> tuple[SampleShardSet, Sequence[Request], Sequence[str]]:
        requests = self.plan.generated[item.family][shard_slice(item.position)]
        keys = [request_key(self.plan.model_digest, r) for r in requests]
        return self.store.samples(self.plan.model_digest, item.family), requests, keys

    def _fill(self, shards: SampleShardSet, position: int, requests: Sequence[Request], keys: Sequence[str]) -> int:
        have = {row.key: row for row in shards.find(position, keys)}
        lacking = [i for i, key in enumerate(keys) if key not in have]
        todo = deque(lacking)
        encoded: list[Future[list[SampleRow]]] = []
        with ThreadPoolExecutor(ENCODERS, thread_name_prefix="encode") as pool:
            try:
                while todo:
                    batch = [requests[i] for i in islice(todo, self.batches.size)]
                    try:
                        images = self._generate(batch)
                    except GeneratorError as error:
                        if not self.batches.back_off(len(batch), error):
                            raise
                        continue
                    kept = [image.copy() for image in images]  # An adapter may draw its next batch into the same array.
                    encoded.append(pool.submit(self._encode, batch, kept))
                    for _ in batch:
                        todo.popleft()
            finally:
                have.update((row.key, row) for rows in encoded for row in rows.result())
                finished = [have[key] for key in keys if key in have]
                if finished:
                    shards.put(position, finished)
        return len(lacking)

    def _generate(self, requests: list[Request]) -> list[RGBImage]:
        if not self._ready:
            self.plan.generator.setup(self.plan.context())
            self._ready = True
        if self.watch is not None:
            self.watch(f"the generator {self.plan.generator.card.name!r} at {named(requests)}")
        return validate_generated(call_generator(self.plan.generator, requests), requests)

    def _encode(self, requests: list[Request], images: list[RGBImage]) -> list[SampleRow]:
        return [
            SampleRow(
                request_key(self.plan.model_digest, r),
                r.sample_id,
                r.replicate,
                r.prompt,
                r.seed,
                encode_png(image),
                pixel_digest(image),
            )
            for r, image in zip(requests, images, strict=True)
        ]


def call_generator(generator: Generator, requests: list[Request]) -> object:
    """Call an adapter; whatever it raises becomes a :class:`GeneratorError` that names the requests.

    The adapter is foreign code, so every exception is caught here, and re-raised with its cause.
    """
    try:
        return generator.generate(requests)
    except BenchError:
        raise
    except Exception as error:
        raise GeneratorError(
            f"The generator {generator.card.name!r} raised {type(error).__name__}: {error}\n"
            f"while it generated {named(requests)}.",
            "Mend the adapter and run the same command again: finished images are kept. --debug shows the traceback.",
        ) from error


def named(requests: Sequence[Request]) -> str:
    """The first three by name, and how many more."""
    names = ", ".join(f"{r.sample_id} (replicate {r.replicate})" for r in requests[:3])
    return f"{names} and {len(requests) - 3} more" if len(requests) > 3 else names
