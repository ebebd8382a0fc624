"""Where pixels lie: image files, and arrays of many images in HDF5 or NumPy files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest_file
from unipath_bench.core.errors import DataError
from unipath_bench.core.images import image_size, read_image, refuse_bomb


@dataclass(frozen=True)
class Files:
    """One image file a row."""

    paths: Sequence[Path]

    def read(self, index: int, name: str) -> RGBImage:
        """Decode the file of row ``index``: uint8 (H, W, 3). Raises :class:`DataError` that calls it ``name``."""
        return read_image(self.paths[index], name)

    def size(self, index: int) -> tuple[int, int] | None:
        """(height, width) from the file's header; None where it cannot be read."""
        return image_size(self.paths[index])

    def digests(self) -> Iterator[str]:
        """SHA-256 of each file in order. Raises :class:`DataError` naming a file that cannot be read."""
        for path in self.paths:
            yield _digest(path)

    def path(self, index: int) -> Path:
        """The file of row ``index``."""
        return self.paths[index]


@dataclass(frozen=True)
class Stack:
    """One array of images, (N, H, W, 3), in a file; opened at first use and read image by image."""

    file: Path
    count: int
    opened: Callable[[], Any]
    """Gives something that ``[index]`` reads one image from, such as an HDF5 data set or a memory-mapped array."""

    @cached_property
    def array(self) -> Any:
        """What ``opened`` gave at the first use, with shape (N, H, W, 3)."""
        return self.opened()


class Stacks:
    """Rows that run through several stacks, one after the other."""

    def __init__(self, stacks: Sequence[Stack]) -> None:
        self._stacks = list(stacks)
        self._starts = [0, *accumulate(stack.count for stack in stacks)]

    def read(self, index: int, name: str) -> RGBImage:
        """Read row ``index``: uint8 (H, W, 3).

        Raises :class:`DataError` that calls it ``name`` where it cannot be read, is too large, or is not an 8-bit RGB
        image.
        """
        place = bisect_right(self._starts, index) - 1
        array = self._stacks[place].array
        refuse_bomb(int(array.shape[1]), int(array.shape[2]), name)
        if array.shape[3] != 3:
            raise DataError(f"{name} has {array.shape[3]} channels, not 3.", "Copy the file again from its source.")
        try:
            image = np.asarray(array[index - self._starts[place]])
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{name} cannot be read: {error}", "Copy the file again from its source.") from error
        return _as_image(image, name)

    def size(self, index: int) -> tuple[int, int] | None:
        """(height, width) of the stack that row ``index`` lies in, from the array's shape."""
        shape = self._stacks[bisect_right(self._starts, index) - 1].array.shape
        return int(shape[1]), int(shape[2])

    def digests(self) -> Iterator[str]:
        """SHA-256 of each stack's file in order. Raises :class:`DataError` naming a file that cannot be read."""
        for stack in self._stacks:
            yield _digest(stack.file)


def _as_image(array: np.ndarray[Any, Any], name: str) -> RGBImage:
    """uint8 (H, W, 3). Floats are taken where they are whole numbers from 0 to 255, as PanNuke stores them."""
    if array.ndim != 3 or array.shape[2] != 3:
        raise DataError(f"{name} has the shape {array.shape}, not (H, W, 3).", "Copy the file again from its source.")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    whole = np.rint(array)
    if not (array.dtype.kind in "fiu" and np.isfinite(array).all() and (whole == array).all()):
        raise DataError(f"{name} holds {array.dtype} that are no whole numbers.", "Images are stored from 0 to 255.")
    if array.min() < 0 or array.max() > 255:
        raise DataError(f"{name} holds values from {array.min():g} to {array.max():g}.", "They go from 0 to 255.")
    return np.ascontiguousarray(whole.astype(np.uint8))


def _digest(path: Path) -> str:
    try:
        return digest_file(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Check the file and its permissions.") from error
