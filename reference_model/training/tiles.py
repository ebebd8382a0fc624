"""Training tiles: decoded once, kept as one array, seen in their eight orientations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unipath_bench import DataError, Sample, Suite
from unipath_bench.core.arrays import RGBBatch
from unipath_bench.core.files import replace_file
from unipath_bench.core.images import middle_square
from unipath_bench.core.progress import Progress

ORIENTATIONS = 8


@dataclass(frozen=True)
class Tiles:
    """Images and what is known of each; all of length N."""

    images: RGBBatch
    """uint8 (N, side, side, 3)."""
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.images)


def load_tiles(suite: Suite, count: int | None, side: int, folder: Path, progress: Progress) -> Tiles:
    """The first ``count`` images (None: all) of the train split, ``side`` pixels square.

    An image is cut to its middle square and, where it is larger, reduced by Lanczos. They are read from ``folder``
    where they were decoded before. Raises :class:`~unipath_bench.DataError` for too few images or a file that is cut
    short.
    """
    samples = tuple(sample for sample in suite.samples() if sample.split == "train")[:count]
    if not samples or (count is not None and len(samples) < count):
        raise DataError(
            f"The train split of {suite.card.name} has {len(samples)} images, and {count or 'some'} are asked for.",
            "Give more training images, or ask for fewer tiles.",
        )
    path = folder / f"tiles-{suite.revision[:16]}-{len(samples)}-{side}.npy"
    if path.is_file():
        images = _read(path, (len(samples), side, side, 3))
    else:
        images = np.empty((len(samples), side, side, 3), np.uint8)
        progress.start("Tiles", len(samples))
        for row, sample in enumerate(samples):
            images[row] = middle_square(suite.load(sample), side)
            progress.advance(1)
        progress.finish()
        write_array(path, images)
    return Tiles(images, samples)


def to_pixels(images: RGBBatch) -> Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def oriented(pixels: Tensor, orientation: int) -> Tensor:
    """(N, C, H, W) turned by ``orientation`` % 4 quarters and, from 4 on, mirrored."""
    turned = torch.rot90(pixels, orientation % 4, (2, 3))
    return turned.flip(3) if orientation >= 4 else turned


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a ``.npy`` file whole."""

    def write(target: Path) -> None:
        with target.open("wb") as stream:
            np.save(stream, array)

    replace_file(path, write)


def _read(path: Path, shape: tuple[int, ...]) -> RGBBatch:
    try:
        images = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}", "Delete it: it is made again.") from error
    if images.shape != shape or images.dtype != np.uint8:
        raise DataError(f"{path} holds {images.dtype} of shape {images.shape}.", "Delete it: it is made again.")
    found: RGBBatch = images
    return found
