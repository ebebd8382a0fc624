"""A generator and an encoder whose costs are known: on a clock that they turn themselves, or asleep."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from tests.adapters import Painter
from unipath_bench import EncoderCard, GeneratorCard, ImageEncoder, Request
from unipath_bench.contracts import Context

NOW = [0.0]
"""Seconds on the clock that the adapters turn."""


class Ticking(Painter):
    """Ten seconds to set up, three a batch."""

    card = GeneratorCard(name="ticking", revision="1", licence="MIT")

    def setup(self, context: Context) -> None:
        NOW[0] += 10.0

    def generate(self, requests: Sequence[Request]) -> list[np.ndarray]:
        NOW[0] += 3.0
        return super().generate(requests)


class Sleeping(Painter):
    """Sleeps for ``nap`` seconds a batch."""

    card = GeneratorCard(name="sleeping", revision="1", licence="MIT")

    def __init__(self, nap: float) -> None:
        super().__init__()
        self.nap = nap

    def generate(self, requests: Sequence[Request]) -> list[np.ndarray]:
        time.sleep(self.nap)
        return super().generate(requests)


class TickingEncoder(ImageEncoder):
    """Five seconds to set up, half a second a micro-batch of four images."""

    card = EncoderCard(name="tests.pipeline.probe_adapters:TickingEncoder", revision="1", dimension=3, micro_batch=4)

    def setup(self, context: Context) -> None:
        NOW[0] += 5.0

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        NOW[0] += 0.5
        return images.mean(axis=(1, 2)).astype(np.float32)
