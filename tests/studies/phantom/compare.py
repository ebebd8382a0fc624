"""``python -m tests.studies.phantom.compare REAL_DIR --out sheet.png``: the phantom beside real tissue.

Draws a contact sheet (left half real tiles, right half phantom tiles) and prints a table of colour, nuclear and texture
statistics in both.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.studies.phantom.statistics import Comparison, compare
from unipath_bench.core.arrays import RGBBatch, RGBImage
from unipath_bench.core.errors import BenchError, DataError
from unipath_bench.phantom.attributes import sample_attributes
from unipath_bench.phantom.optics import slide_appearance
from unipath_bench.phantom.rendering import render
from unipath_bench.phantom.streams import Stream

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})


def real_tiles(folder: Path, n: int, size: int, microns_per_pixel: float, native: float, seed: int) -> RGBBatch:
    """Cut ``n`` crops out of the images under ``folder``, reduced by box averaging: uint8 (n, size, size, 3).

    Images are drawn without replacement, the same number from each directory as far as it has them, so that a large
    slide does not outweigh a small one.

    Args:
        folder: searched at all depths for PNG, JPEG and TIFF files.
        n: number of tiles.
        size: pixels along each side of a tile.
        microns_per_pixel: scale of the tiles.
        native: scale of the files.
        seed: which images and which crops.

    Raises:
        DataError: fewer images than asked for, one that cannot be read, or one smaller than the crop.
    """
    by_directory: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _SUFFIXES:
            by_directory.setdefault(path.parent, []).append(path)
    total = sum(len(paths) for paths in by_directory.values())
    if total < n:
        raise DataError(f"{folder} holds {total} images, {n} are asked for", "Give another folder, or a smaller --n.")
    stream = Stream(seed, "real tiles")
    queues = [[paths[int(i)] for i in stream.permutation(len(paths))] for paths in by_directory.values()]
    chosen: list[Path] = []
    while len(chosen) < n:
        for queue in queues:
            if queue and len(chosen) < n:
                chosen.append(queue.pop())
    side = round(size * microns_per_pixel / native)
    tiles = np.empty((n, size, size, 3), dtype=np.uint8)
    for k, path in enumerate(chosen):
        try:
            with Image.open(path) as opened:
                image = opened.convert("RGB")
        except OSError as error:
            raise DataError(f"cannot read {path}: {error}", "Remove the file or replace it.") from error
        if min(image.size) < side:
            raise DataError(
                f"{path} is {image.width} x {image.height} pixels, a crop of {side} is needed",
                "Choose a smaller --size or --microns-per-pixel.",
            )
        left, top = (stream.integer(extent - side + 1) for extent in image.size)
        crop = image.crop((left, top, left + side, top + side))
        tiles[k] = np.asarray(crop.resize((size, size), Image.Resampling.BOX))
    return tiles


def phantom_tiles(n: int, size: int, microns_per_pixel: float, seed: int) -> RGBBatch:
    """``n`` tiles, each of its own slide: uint8 (n, size, size, 3)."""
    return np.stack(
        [
            render(
                seed * 1_000_003 + k,
                sample_attributes(Stream(seed, "compare", k)),
                size,
                microns_per_pixel,
                slide_appearance(seed * 1_000_003 + k),
            )
            for k in range(n)
        ]
    )


def contact_sheet(real: RGBBatch, phantom: RGBBatch, columns: int = 8, rows: int = 8, zoom: int = 2) -> RGBImage:
    """Real tiles on the left, phantom tiles on the right, each ``columns`` by ``rows``, with a gutter between."""

    def block(tiles: RGBBatch) -> RGBImage:
        size = tiles.shape[1]
        out = np.full((rows * (size + 2), columns * (size + 2), 3), 255, dtype=np.uint8)
        for k, tile in enumerate(tiles[: rows * columns]):
            top, left = k // columns * (size + 2) + 1, k % columns * (size + 2) + 1
            out[top : top + size, left : left + size] = tile
        return out

    left, right = block(real), block(phantom)
    gutter = np.zeros((left.shape[0], 6, 3), dtype=np.uint8)
    sheet = np.concatenate([left, gutter, right], axis=1)
    big = Image.fromarray(sheet).resize((sheet.shape[1] * zoom, sheet.shape[0] * zoom), Image.Resampling.BICUBIC)
    return np.asarray(big)


def format_table(rows: Sequence[Comparison]) -> str:
    """The comparison as a Markdown table."""
    lines = [
        "| statistic | real 5% | 50% | 95% | phantom 5% | 50% | 95% | phantom tiles in real 1-99% | within |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        figures = " | ".join(f"{value:.3g}" for value in (*row.real, *row.phantom))
        lines.append(f"| {row.name} | {figures} | {row.share:.0%} | {'yes' if row.within else 'NO'} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.phantom.compare", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of real H&E tiles")
    parser.add_argument("--out", type=Path, help="PNG file for the contact sheet")
    parser.add_argument("--n", type=int, default=512, help="tiles of each kind for the table")
    parser.add_argument("--size", type=int, default=64, help="pixels a side")
    parser.add_argument("--microns-per-pixel", type=float, default=1.0)
    parser.add_argument("--native", type=float, default=0.5, help="microns per pixel of the files")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    try:
        real = real_tiles(
            options.folder, options.n, options.size, options.microns_per_pixel, options.native, options.seed
        )
        phantom = phantom_tiles(options.n, options.size, options.microns_per_pixel, options.seed)
    except BenchError as error:
        print(error)
        return error.exit_code
    print(format_table(compare(real, phantom, options.microns_per_pixel)))
    if options.out is not None:
        Image.fromarray(contact_sheet(real, phantom)).save(options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
