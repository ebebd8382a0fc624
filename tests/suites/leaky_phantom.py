"""A phantom with planted faults, for ``data check``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unipath_bench.contracts import Sample
from unipath_bench.core.arrays import RGBImage
from unipath_bench.phantom.suite import PhantomSuite


class LeakyPhantom(PhantomSuite):
    """One test tile is a mirrored training tile, one is a training tile itself, and the card's scale is off by four."""

    def __init__(self) -> None:
        super().__init__(train=24, test=12, paraphrases=0)
        self.card = self.card.model_copy(update={"microns_per_pixel": 0.25})
        every = {
            split: [s for s in super(LeakyPhantom, self).samples() if s.split == split] for split in ("train", "test")
        }
        self.mirrored = every["test"][0].id, every["train"][0]
        self.copied = every["test"][1].id, every["train"][1]

    def samples(self) -> Sequence[Sample]:
        return [replace(sample, microns_per_pixel=None) for sample in super().samples()]

    def load(self, sample: Sample) -> RGBImage:
        if sample.id == self.mirrored[0]:
            return np.ascontiguousarray(super().load(self.mirrored[1])[:, ::-1])
        return super().load(self.copied[1] if sample.id == self.copied[0] else sample)
