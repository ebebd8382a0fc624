"""A suite that lives in memory, and the requests that a run would make of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unipath_bench.contracts import Request, Sample, Suite
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest, pixel_digest, seed_from
from unipath_bench.schema.cards import SuiteCard
from unipath_bench.suites.roles import seeded_order

HEIGHT, WIDTH = 12, 16


class MemorySuite(Suite):
    """``counts`` images a class in each split, every one with other pixels."""

    def __init__(self, counts: dict[str, dict[str, int]]) -> None:
        self.card = SuiteCard(
            name="memory",
            title="In memory",
            kind="phantom",
            licence="Apache-2.0",
            height=HEIGHT,
            width=WIDTH,
            attributes=("tissue",),
        )
        self._samples = [
            Sample(f"{split}/{tissue}/{i:03d}.png", split, f"H&E of {tissue}", {"tissue": tissue})
            for split, classes in counts.items()
            for tissue, count in classes.items()
            for i in range(count)
        ]

    @property
    def revision(self) -> str:
        return digest([s.id for s in self._samples])

    def samples(self) -> Sequence[Sample]:
        return self._samples

    def load(self, sample: Sample) -> RGBImage:
        return np.random.default_rng(seed_from(sample.id)).integers(60, 250, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def make_requests(suite: Suite, replicate: int = 0) -> list[Request]:
    """One request for every test sample, in the run's order."""
    return [
        Request(s.id, s.prompt, seed_from(s.id, replicate), replicate, HEIGHT, WIDTH, dict(s.labels))
        for s in seeded_order(s for s in suite.samples() if s.split == "test")
    ]


def by_digest(suite: Suite) -> dict[str, Sample]:
    """Every sample of the suite by the digest of its pixels."""
    return {pixel_digest(suite.load(s)): s for s in suite.samples()}
