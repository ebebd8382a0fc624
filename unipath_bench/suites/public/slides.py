"""Cutting patches out of whole slides at the places that a table names (UniPath-1M).

Slides are read by OpenSlide where it is installed, otherwise by tifffile, which takes tiled TIFF and SVS files and
decodes only the tiles that a patch touches. Both read the full-resolution level.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Protocol

import numpy as np
from PIL import Image

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest, digest_file
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.public.spec import DataSet, Found, Layout
from unipath_bench.suites.public.tables import column_names, read_columns
from unipath_bench.suites.tabular import Row

SUFFIXES = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".vms")
_KEYS = ("slide", "x", "y")


class Slide(Protocol):
    """One slide at full resolution."""

    def region(self, x: int, y: int, side: int) -> RGBImage:
        """uint8 (side, side, 3) with its upper left corner at column ``x`` and row ``y``."""


@dataclass(frozen=True)
class Patches:
    """Squares of slides as images."""

    places: Sequence[tuple[Path, int, int]]
    side: int
    """Pixels a side on the slide."""
    pixels: int
    """Pixels a side of the image."""

    def read(self, index: int, name: str) -> RGBImage:
        """Read a patch from its slide, resized (bicubic, antialiased) where asked: uint8 (pixels, pixels, 3).

        Raises :class:`DataError` that calls it ``name`` where the patch leaves the slide.
        """
        file, x, y = self.places[index]
        patch = open_slide(file).region(x, y, self.side)
        if patch.shape != (self.side, self.side, 3):
            raise DataError(f"{name}: the patch leaves the slide {file.name}.", "Check x, y and side.")
        if self.pixels == self.side:
            return patch
        shrunk = Image.fromarray(patch).resize((self.pixels, self.pixels), Image.Resampling.BICUBIC)
        return np.array(shrunk, dtype=np.uint8)

    def size(self, index: int) -> tuple[int, int] | None:
        """(pixels, pixels) for every row."""
        return self.pixels, self.pixels

    def digests(self) -> Iterator[str]:
        """Digest of the sizes and corners of all patches, then SHA-256 of each slide's file by first use."""
        yield digest([self.side, self.pixels, [[x, y] for _, x, y in self.places]])
        for file in dict.fromkeys(file for file, _, _ in self.places):
            yield digest_file(file)


@dataclass(frozen=True)
class SlidePatches(Layout):
    """A CSV table with one row a patch, and a folder of slides.

    ``columns`` maps ``slide`` (file name, with or without its suffix), ``x`` and ``y`` (upper left corner in pixels of
    the full-resolution level), and as far as there are any ``text``, ``group``, ``split`` and attributes.
    """

    arguments: ClassVar[tuple[str, ...]] = ("table", "slides", "columns", "side", "pixels")

    def find(
        self,
        data_set: DataSet,
        data: str,
        problems: Problems,
        *,
        table: str | None = None,
        slides: str = ".",
        columns: Mapping[str, str] | None = None,
        side: int = 512,
        pixels: int | None = None,
    ) -> Found:
        """Find the slide of each row of a table of patches.

        ``table``: CSV in the data folder; ``slides``: folder of the slides, relative to it; ``side``: pixels that a
        patch has on the slide, ``pixels``: pixels that it is resized to (bicubic, antialiased).
        """
        root = Path(data).expanduser().resolve()
        if table is None or not (root / table).is_file():
            raise data_set.missing(
                f"there is no table of patches {root / table}" if table else "no table of patches was named (table=...)"
            )
        chosen = dict(columns or {})
        lacking = [key for key in _KEYS if key not in chosen]
        if lacking:
            raise UsageError(
                f"The columns of {data_set.name} are not published where this project could read them, so it does not "
                f"guess. {table} has {', '.join(column_names(root / table))}; {', '.join(lacking)} are to be named.",
                "--suite-arg 'columns={slide: COLUMN, x: COLUMN, y: COLUMN, text: COLUMN, group: COLUMN}'",
            )
        if side < 1 or (pixels is not None and pixels < 1):
            raise UsageError(f"side={side}, pixels={pixels}: both are positive.", "For example side=512 pixels=256.")
        cells = read_columns(root / table, list(chosen.values()))
        files = {path.name: path for path in sorted((root / slides).rglob("*")) if path.suffix.lower() in SUFFIXES}
        by_stem = {path.stem: path for path in files.values()}
        rows, places, absent, bad = [], [], [], []
        for i, name in enumerate(cells[chosen["slide"]]):
            where = f"{table} row {i + 1}"
            file = files.get(name) or by_stem.get(name)
            x, y = (_whole(cells[chosen[key]][i]) for key in "xy")
            if file is None:
                absent.append(f"{where}: {name}")
            elif x is None or y is None:
                bad.append(f"{where}: x={cells[chosen['x']][i]!r}, y={cells[chosen['y']][i]!r}")
            else:
                said = {key: cells[column][i] for key, column in chosen.items() if key not in _KEYS}
                rows.append(Row(where, f"{file.stem}/{x}-{y}", {"group": file.stem, **said}))
                places.append((file, x, y))
        problems.add_each(absent, "{n} slides are not there", f"Put them below {root / slides}.")
        problems.add_each(bad, "{n} rows have no whole numbers for x and y", "Pixels of the full-resolution level.")
        note = f"Patches of {side} pixels a side on the slide, {pixels or side} in the image."
        return Found(rows, Patches(places, side, pixels or side), (note,))


def _whole(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number >= 0 and number == int(number) else None


@lru_cache(maxsize=8)
def open_slide(file: Path) -> Slide:
    """The slide by OpenSlide or tifffile. Raises :class:`MissingError` where neither is installed."""
    for module, opened in (("openslide", _OpenSlide), ("tifffile", _Tiff)):
        try:
            reader = importlib.import_module(module)
        except (ModuleNotFoundError, OSError):
            continue
        return opened(reader, file)
    raise MissingError(
        "Reading slides needs OpenSlide or tifffile.", "pip install openslide-python openslide-bin, or tifffile."
    )


class _OpenSlide:
    def __init__(self, openslide: Any, file: Path) -> None:
        try:
            self._slide = openslide.OpenSlide(str(file))
        except (openslide.OpenSlideError, OSError) as error:
            raise DataError(f"{file} is no slide that OpenSlide reads: {error}", "Copy it again.") from error

    def region(self, x: int, y: int, side: int) -> RGBImage:
        width, height = self._slide.dimensions
        if x + side > width or y + side > height:
            return np.empty((0, 0, 3), np.uint8)
        return np.array(self._slide.read_region((x, y), 0, (side, side)).convert("RGB"), dtype=np.uint8)


class _Tiff:
    """The first page of a TIFF of tiles, of which only the tiles that a patch touches are decoded."""

    def __init__(self, tifffile: Any, file: Path) -> None:
        try:
            self._page = tifffile.TiffFile(file).pages.first
        except (tifffile.TiffFileError, OSError) as error:
            raise DataError(f"{file} is no TIFF slide: {error}", "Copy it again, or install OpenSlide.") from error
        if not self._page.is_tiled or self._page.samplesperpixel != 3 or self._page.dtype != np.uint8:
            raise DataError(f"{file} is not a tiled 8-bit RGB TIFF.", "Install OpenSlide to read other formats.")
        self._file = file
        self._lock = Lock()

    def region(self, x: int, y: int, side: int) -> RGBImage:
        page = self._page
        tall, wide = page.tilelength, page.tilewidth
        if x + side > page.imagewidth or y + side > page.imagelength:
            return np.empty((0, 0, 3), np.uint8)
        across = -(-page.imagewidth // wide)
        first_row, last_row = y // tall, (y + side - 1) // tall
        first_column, last_column = x // wide, (x + side - 1) // wide
        canvas = np.zeros(
            ((last_row - first_row + 1) * tall, (last_column - first_column + 1) * wide, 3), dtype=np.uint8
        )
        for row in range(first_row, last_row + 1):
            for column in range(first_column, last_column + 1):
                tile = self._tile(row * across + column)
                top, left = (row - first_row) * tall, (column - first_column) * wide
                canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
        top, left = y - first_row * tall, x - first_column * wide
        return np.ascontiguousarray(canvas[top : top + side, left : left + side])

    def _tile(self, index: int) -> RGBImage:
        page = self._page
        handle = page.parent.filehandle
        with self._lock:
            handle.seek(page.dataoffsets[index])
            data = handle.read(page.databytecounts[index])
        try:
            tile = page.decode(data, index, jpegtables=page.jpegtables)[0]
        except (ValueError, RuntimeError, TypeError) as error:
            raise DataError(
                f"{self._file}: tile {index} cannot be decoded: {error}",
                "JPEG and JPEG 2000 tiles need 'imagecodecs' beside tifffile: pip install imagecodecs, or OpenSlide.",
            ) from error
        return np.asarray(tile, dtype=np.uint8).reshape(*np.shape(tile)[-3:])
