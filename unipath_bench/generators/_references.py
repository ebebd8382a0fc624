"""Real training images that a generator is conditioned on, chosen by what a prompt asks for."""

from __future__ import annotations

from pathlib import Path

from unipath_bench.contracts import Request, Sample
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import seed_from
from unipath_bench.core.errors import DataError
from unipath_bench.suites.folder import FolderSuite


class References:
    """The ``train`` split of an image folder (see the ``folder`` suite), whose images must be ``height`` x ``width``.

    Only training images: a test image as its own reference would be shown to the model that is measured on it. Raises
    :class:`DataError` where there are none, or they have another size.
    """

    def __init__(self, folder: Path, height: int, width: int) -> None:
        self._suite = FolderSuite(folder)
        self._samples = [s for s in self._suite.samples() if s.split == "train"]
        if not self._samples:
            raise DataError(f"{folder} has no training images to take as references.", "Put them below train/.")
        card = self._suite.card
        if (card.height, card.width) != (height, width):
            raise DataError(
                f"The references in {folder} are {card.width} x {card.height} pixels, and the model reads "
                f"{width} x {height}.",
                "Crop them yourself at the model's scale: the benchmark never resizes.",
            )

    @property
    def revision(self) -> str:
        """Digest of every reference and its labels."""
        return self._suite.revision

    def choose(self, request: Request) -> Sample:
        """A reference with the labels that the request asks for, drawn by the request's seed."""
        fitting = [
            s
            for s in self._samples
            if s.labels.keys() & request.labels.keys()
            and all(s.labels[name] == value for name, value in request.labels.items() if name in s.labels)
        ]
        if not fitting:
            wanted = ", ".join(f"{name}={value}" for name, value in sorted(request.labels.items())) or "no labels"
            raise DataError(
                f"No reference has the labels of {request.sample_id} ({wanted}).",
                "References need the suite's label columns: name the suite's own folder, or one laid out alike.",
            )
        return fitting[seed_from(request.sample_id, request.seed) % len(fitting)]

    def load(self, sample: Sample) -> RGBImage:
        """Decode one reference: uint8 (H, W, 3)."""
        return self._suite.load(sample)
