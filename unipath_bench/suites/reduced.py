"""Another suite's images at fewer pixels: for generators that draw smaller images than it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from unipath_bench.contracts import Sample, Suite
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.images import middle_square
from unipath_bench.suites.card import load_suite


class ReducedSuite(Suite):
    """The middle squares of another suite's images, reduced by Lanczos to ``side`` pixels a side.

    ``suite``: a registered name, a card or ``module:attribute``; ``data`` and all further arguments are its own.
    Microns a pixel grow accordingly, where the suite's images have one size. An image smaller than ``side`` is a
    :class:`~unipath_bench.DataError`.
    """

    def __init__(
        self, data: str | None = None, *, side: int, suite: str = "folder", offline: bool = False, **arguments: Any
    ) -> None:
        if isinstance(side, bool) or not isinstance(side, int) or side < 1:
            raise UsageError(f"side={side!r} is no number of pixels.", "Give a whole number, as in side=64.")
        if suite == "reduced":
            raise UsageError(
                "A reduced suite is not reduced again.", "Name the whole suite, and the smaller side alone."
            )
        self._suite = load_suite(suite, data, arguments, offline=offline)
        self._side = side
        card = self._suite.card
        edge = min(card.height, card.width) if card.height and card.width else None
        if edge is not None and edge < side:
            raise DataError(
                f"The images of {card.name} have {card.height} x {card.width} pixels, fewer than side={side}.",
                "Give a smaller side; nothing is magnified.",
            )
        self._factor = None if edge is None else edge / side
        self.computed = self._suite.computed
        note = f"Middle squares at {side} x {side} pixels, reduced by Lanczos."
        self.card = card.model_copy(
            update={
                "name": f"{card.name}-{side}px",
                "title": f"{card.title}, {side} pixels a side",
                "height": side,
                "width": side,
                "microns_per_pixel": self._coarser(card.microns_per_pixel),
                "notes": f"{card.notes} {note}".strip(),
            }
        )

    @property
    def revision(self) -> str:
        """Digest of the whole suite's revision, the side and the filter."""
        return digest({"reduced": self._suite.revision, "side": self._side, "filter": "lanczos"})

    def samples(self) -> Sequence[Sample]:
        """The whole suite's samples, with micrometres per pixel scaled, or None where its images have several sizes."""
        return self._samples

    @cached_property
    def _samples(self) -> tuple[Sample, ...]:
        return tuple(
            replace(sample, microns_per_pixel=self._coarser(sample.microns_per_pixel))
            for sample in self._suite.samples()
        )

    def load(self, sample: Sample) -> RGBImage:
        """The image's middle square at uint8 (side, side, 3). Raises ``DataError`` where the image is smaller."""
        return middle_square(self._suite.load(sample), self._side)

    def _coarser(self, microns_per_pixel: float | None) -> float | None:
        return None if microns_per_pixel is None or self._factor is None else microns_per_pixel * self._factor
