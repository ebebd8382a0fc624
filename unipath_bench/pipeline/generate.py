"""Stage 1: requests to images, shard by shard."""

from __future__ import annotations

from collections.abc import Sequence

from unipath_bench.contracts import Generator, Request
from unipath_bench.digest import pixel_digest
from unipath_bench.errors import BenchError, GeneratorError
from unipath_bench.generated import validate_generated
from unipath_bench.images import encode_png
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.progress import Progress
from unipath_bench.pipeline.requests import request_key
from unipath_bench.pipeline.store import SampleFamily, SampleRow, Store, positions

DEFAULT_BATCH = 8


class GenerateStage:
    """Generates what the store lacks. The generator is set up only if something is lacking."""

    def __init__(self, plan: Plan, store: Store, progress: Progress, batch_size: int | None = None) -> None:
        self.plan = plan
        self.store = store
        self.progress = progress
        self.batch_size = batch_size or DEFAULT_BATCH
        self.generated = 0
        self._ready = False

    def run(self) -> None:
        """Complete every family of the plan."""
        families = self.plan.generated
        self.progress.start("Generate", sum(len(requests) for requests in families.values()))
        for name, requests in families.items():
            self._complete(self.store.samples(self.plan.model_digest, name), requests)
        self.progress.finish()

    def _complete(self, family: SampleFamily, requests: Sequence[Request]) -> None:
        keys = [request_key(self.plan.model_digest, r) for r in requests]
        for position, rows in positions(len(requests)):
            here = keys[rows]
            if not family.path(position, here).exists():
                self._fill(family, position, requests[rows], here)
            self.progress.advance(len(here))

    def _fill(self, family: SampleFamily, position: int, requests: Sequence[Request], keys: Sequence[str]) -> None:
        have = family.find(position, keys)
        lacking = [i for i, key in enumerate(keys) if key not in have]
        try:
            for start in range(0, len(lacking), self.batch_size):
                batch = lacking[start : start + self.batch_size]
                for i, row in zip(batch, self._generate([requests[i] for i in batch]), strict=True):
                    have[keys[i]] = row
        finally:
            finished = [have[key] for key in keys if key in have]
            if finished:
                family.put(position, finished)

    def _generate(self, requests: list[Request]) -> list[SampleRow]:
        if not self._ready:
            self.plan.generator.setup(self.plan.context())
            self._ready = True
        images = validate_generated(call_generator(self.plan.generator, requests), requests)
        self.generated += len(images)
        return [
            SampleRow(
                request_key(self.plan.model_digest, r), r.sample_id, r.replicate, r.prompt, r.seed, encode_png(image),
                pixel_digest(image),
            )
            for r, image in zip(requests, images, strict=True)
        ]  # fmt: skip


def call_generator(generator: Generator, requests: list[Request]) -> object:
    """Call an adapter; whatever it raises becomes a :class:`GeneratorError` that names the requests.

    The adapter is foreign code, so every exception is caught here, and re-raised with its cause.
    """
    try:
        return generator.generate(requests)
    except BenchError:
        raise
    except Exception as error:
        names = ", ".join(f"{r.sample_id} (replicate {r.replicate})" for r in requests[:3])
        more = f" and {len(requests) - 3} more" if len(requests) > 3 else ""
        raise GeneratorError(
            f"The generator {generator.card.name!r} raised {type(error).__name__}: {error}\n"
            f"while it generated {names}{more}.",
            "Mend the adapter and run the same command again: finished images are kept. --debug shows the traceback.",
        ) from error
