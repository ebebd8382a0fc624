"""Fresh phantom tiles for the tests of the encoders: of a seed that no encoder was trained or evaluated on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unipath_bench.contracts import Sample
from unipath_bench.phantom import PhantomSuite

SEED = 990


@dataclass(frozen=True)
class FreshTiles:
    """Rendered tiles and what is known of them."""

    images: np.ndarray
    samples: list[Sample]

    def labels(self, attribute: str) -> np.ndarray:
        return np.array([sample.labels[attribute] for sample in self.samples])


def fresh_tiles(split: str, n: int) -> FreshTiles:
    suite = PhantomSuite(train=n if split == "train" else 0, test=n if split == "test" else 4, seed=SEED)
    samples = [sample for sample in suite.samples() if sample.split == split]
    return FreshTiles(np.stack([suite.load(sample) for sample in samples]), samples)
