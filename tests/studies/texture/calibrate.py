"""Measure the origin and unit of every dimension on real tiles: prints the table that ``_units.py`` holds.

``python -m tests.studies.texture.calibrate DATA_DIR``, where ``DATA_DIR/train`` holds images in any
folders.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import BenchError, DataError
from unipath_bench.encoders.texture._features import texture_statistics_of

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})


def training_images(data: Path) -> list[Path]:
    """Every image under ``data/train``, sorted; :class:`DataError` where there are fewer than two."""
    found = sorted(path for path in (data / "train").rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(found) < 2:
        raise DataError(f"{data / 'train'} holds {len(found)} images.", "Name a folder with real tiles in train/.")
    return found


def read(path: Path) -> RGBImage:
    """Decode one RGB image; :class:`DataError` names it where it is not 8-bit RGB."""
    with Image.open(path) as image:
        if image.mode != "RGB":
            raise DataError(f"{path} is in mode {image.mode}.", "Convert it to 8-bit RGB.")
        return np.asarray(image)


def units(images: Iterable[RGBImage]) -> dict[str, tuple[float, float]]:
    """Return the mean and the standard deviation (n - 1) of each transformed statistic.

    Means are rounded to 4 decimals, standard deviations to 3 significant digits.
    """
    rows = [texture_statistics_of(image) for image in images]
    result: dict[str, tuple[float, float]] = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        result[name] = (round(float(values.mean()), 4), float(f"{values.std(ddof=1):.3g}"))
    return result


def main() -> int:
    """Parse the command line, measure, print; 0, or the exit code of what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    data: Path = parser.parse_args().data
    try:
        paths = training_images(data)
        measured = units(read(path) for path in paths)
    except BenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"# {len(paths)} tiles")
    for name, (location, scale) in measured.items():
        print(f'    "{name}": ({location:g}, {scale:g}),')
    return 0


if __name__ == "__main__":
    sys.exit(main())
