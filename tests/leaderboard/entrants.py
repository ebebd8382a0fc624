"""Generators that hand in submissions: an honest one, one that hands out training images, and a copyist."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.adapters import Painter
from unipath_bench import Generator, GeneratorCard, Request
from unipath_bench.phantom import PhantomSuite

SUITE = {"train": 64, "test": 32}
"""Arguments of the phantom that all tests of submissions use: 8 test patients."""


class Honest(Painter):
    """Pink ground with dark squares, from the request's seed."""

    card = GeneratorCard(name="honest", revision="1", licence="MIT")


class Other(Painter):
    """As honest, and another model: bluish ground."""

    card = GeneratorCard(name="other", revision="1", licence="MIT")

    def generate(self, requests: Sequence[Request]) -> list[np.ndarray]:
        return [np.roll(image, 1, axis=2) for image in super().generate(requests)]


class Copyist(Honest):
    """The honest model's images under a new name."""

    card = GeneratorCard(name="copyist", revision="1", licence="MIT")


class Retoucher(Honest):
    """The honest model's images with one grey level more in each corner, under a new name."""

    card = GeneratorCard(name="retoucher", revision="1", licence="MIT")

    def generate(self, requests: Sequence[Request]) -> list[np.ndarray]:
        images = super().generate(requests)
        for image in images:
            image[:2, :2] = np.minimum(image[:2, :2], 254) + 1
        return images


class Thief(Generator):
    """Training images, handed out as its own."""

    card = GeneratorCard(name="thief", revision="1", licence="MIT")

    def generate(self, requests: Sequence[Request]) -> list[np.ndarray]:
        suite = PhantomSuite(train=SUITE["train"], test=SUITE["test"])
        train = [sample for sample in suite.samples() if sample.split == "train"]
        return [suite.load(train[request.seed % len(train)]) for request in requests]
