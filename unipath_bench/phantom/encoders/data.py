"""Training tiles: phantom suites of seeds that the benchmark does not use, rendered once and kept in a file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from unipath_bench.core.arrays import RGBBatch
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.files import replace_file
from unipath_bench.phantom import CLASSES, Attributes, PhantomSuite, slide_appearance

BENCHMARK_SEED = 0
"""Seed of the suite that scores are computed on. No tile of it is ever trained on."""

EVALUATION_SEED = 105
"""Seed of the suite that the cards' held-out figures are measured on; nothing is trained on it either."""

SIDE = 64
"""Pixels a side of every training tile, at one micrometre a pixel."""

Advance = Callable[[int], None]
"""Called with the number of items that were just finished."""


@dataclass(frozen=True)
class Tiles:
    """Rendered tiles with their truth, all of length N."""

    images: RGBBatch
    """uint8 (N, 64, 64, 3)."""
    labels: npt.NDArray[np.int64]
    """Class number of each attribute in the order of ``CLASSES``, (N, 10)."""
    appearance: npt.NDArray[np.float32]
    """Stain and scanner, :data:`APPEARANCE` in order, (N, 9)."""

    def __len__(self) -> int:
        return len(self.images)

    def first(self, n: int) -> Tiles:
        """The first ``n`` tiles, or all where there are fewer."""
        return Tiles(self.images[:n], self.labels[:n], self.appearance[:n])

    def attributes(self, row: int) -> Attributes:
        """The attributes of one tile."""
        return Attributes.from_labels(
            {name: CLASSES[name][int(code)] for name, code in zip(CLASSES, self.labels[row], strict=True)}
        )


APPEARANCE = (
    "hematoxylin red",
    "hematoxylin blue",
    "hematoxylin strength",
    "eosin red",
    "eosin blue",
    "eosin strength",
    "white green",
    "blur",
    "noise",
)
"""What of a slide's stain and scanner varies."""


def training_tiles(seed: int, n: int, folder: Path, advance: Advance) -> Tiles:
    """``n`` tiles of the training split of ``PhantomSuite(seed=seed)``, each of its own patient and slide.

    They are read from ``folder`` where they were rendered before; a file that is cut short is refused.

    Raises:
        UsageError: the seed is the benchmark's.
        DataError: the file of tiles in ``folder`` cannot be read.
    """
    return _tiles(seed, "train", n, folder, advance)


def evaluation_tiles(n: int, split: str, folder: Path, advance: Advance) -> Tiles:
    """Return ``n`` tiles of a split of the evaluation suite: ``train``, for fitting probes, or ``test``.

    Otherwise as :func:`training_tiles`.
    """
    return _tiles(EVALUATION_SEED, split, n, folder, advance)


def _tiles(seed: int, split: str, n: int, folder: Path, advance: Advance) -> Tiles:
    if seed == BENCHMARK_SEED:
        raise UsageError(
            f"Tiles of phantom seed {seed} are what the benchmark scores on: no encoder may be trained on them.",
            "Choose another data seed.",
        )
    suite = PhantomSuite(
        train=n if split == "train" else 0,
        test=n if split == "test" else 1,
        tiles_per_patient=1,
        size=SIDE,
        paraphrases=0,
        seed=seed,
    )
    path = folder / f"phantom-{seed}-{split}-{n}-{suite.revision[:16]}.npz"
    if path.is_file():
        tiles = _read(path)
        advance(n)
        return tiles
    tiles = _render(suite, split, n, advance)

    def write(target: Path) -> None:
        with target.open("wb") as stream:
            np.savez(stream, images=tiles.images, labels=tiles.labels, appearance=tiles.appearance)

    replace_file(path, write)
    return tiles


def _render(suite: PhantomSuite, split: str, n: int, advance: Advance) -> Tiles:
    samples = [sample for sample in suite.samples() if sample.split == split]
    images = np.empty((n, SIDE, SIDE, 3), np.uint8)
    labels = np.empty((n, len(CLASSES)), np.int64)
    appearance = np.empty((n, len(APPEARANCE)), np.float32)
    for row, sample in enumerate(samples):
        images[row] = suite.load(sample)
        labels[row] = [CLASSES[name].index(value) for name, value in sample.labels.items()]
        look = slide_appearance(suite.recipe(sample).slide_seed)
        appearance[row] = (
            look.hematoxylin[0],
            look.hematoxylin[2],
            look.hematoxylin_strength,
            look.eosin[0],
            look.eosin[2],
            look.eosin_strength,
            look.white[1],
            look.blur,
            look.noise,
        )
        advance(1)
    return Tiles(images, labels, appearance)


def _read(path: Path) -> Tiles:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Tiles(stored["images"], stored["labels"], stored["appearance"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read as training tiles: {error}", "Delete it: it is rendered again."
        ) from error
