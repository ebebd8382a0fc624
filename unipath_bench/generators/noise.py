"""No tissue at all: the bad end of every tier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import Context, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.generators._oracle import OracleGenerator
from unipath_bench.schema.cards import GeneratorCard
from unipath_bench.suites.roles import Roles

COLOUR_TILES = 256
"""Colour statistics are taken over this many real images, the first in the suite's seeded order."""


@dataclass(frozen=True)
class Colour:
    """Mean and standard deviation of each channel over all pixels, float64 (3,), in grey levels."""

    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]


class NoiseGenerator(OracleGenerator):
    """White Gaussian noise, seeded by the request, with the mean and spread of the training images' colours.

    Colours come from ``train``, or from ``heldout`` in a suite that has no training split.
    """

    card = GeneratorCard(
        name="noise",
        title="Coloured noise",
        adapter="noise",
        revision="1",
        licence="Apache-2.0",
        conditions_on=("attributes",),
        oracle=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._colour: Colour | None = None

    def setup(self, context: Context) -> None:
        """Assign the roles and forget the colours of any earlier suite."""
        super().setup(context)
        self._colour = None

    def lacking(self, roles: Roles) -> str | None:
        """The remedy where there is no real image to take colours from."""
        if roles.train or roles.heldout:
            return None
        return "Add images in a split named 'train': this baseline takes the mean and spread of their colours."

    def answer(self, request: Request) -> RGBImage:
        """Noise of the size asked for."""
        if self._colour is None:
            self._colour = self._measure()
        generator = np.random.Generator(np.random.PCG64(request.seed))
        noise = generator.standard_normal((request.height, request.width, 3))
        return np.clip(np.rint(noise * self._colour.std + self._colour.mean), 0, 255).astype(np.uint8)

    def _measure(self) -> Colour:
        """Exact integer sums, so that the order of the images does not matter."""
        count, total, squares = 0, np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
        for sample in (self.roles.train or self.roles.heldout)[:COLOUR_TILES]:
            pixels = self.suite.load(sample).reshape(-1, 3).astype(np.int64)
            count += len(pixels)
            total += pixels.sum(axis=0)
            squares += np.square(pixels).sum(axis=0)
        mean = total / count
        return Colour(mean, np.sqrt(np.maximum(squares / count - mean**2, 0.0)))
