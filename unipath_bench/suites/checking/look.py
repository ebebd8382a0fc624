"""One pass over the images of a suite: everything that the checks need of them, and no pixels kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import Progress, Sample, Suite
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.errors import DataError
from unipath_bench.suites.checking.hashing import Thumbnail, thumbnail

SCALED = 48
"""Images whose nuclei are measured."""
_THREADS = 2
_CHUNK = 256


@dataclass(frozen=True)
class Look:
    """What was seen. ``samples``, ``digests``, ``thumbnails`` and ``sizes`` are in one order: images that decode."""

    samples: tuple[Sample, ...]
    digests: tuple[str, ...]
    """Of size and pixels, whatever the file format."""
    thumbnails: npt.NDArray[np.uint8]
    """(N, 32, 32)"""
    sizes: tuple[tuple[int, int], ...]
    unreadable: tuple[str, ...]
    """One line each."""
    for_scale: tuple[RGBImage, ...]
    """The first :data:`SCALED` images."""


def look(suite: Suite, samples: Sequence[Sample], progress: Progress | None = None) -> Look:
    """Decode ``samples`` on two threads; ``progress`` is called in the calling thread after each image."""
    kept: list[tuple[Sample, str, Thumbnail, tuple[int, int]]] = []
    unreadable: list[str] = []
    for_scale: list[RGBImage] = []
    done = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="look") as pool:
        for start in range(0, len(samples), _CHUNK):
            chunk = samples[start : start + _CHUNK]
            for sample, image in zip(chunk, pool.map(lambda s: _load(suite, s), chunk), strict=True):
                done += 1
                if isinstance(image, str):
                    unreadable.append(image)
                else:
                    kept.append((sample, pixel_digest(image), thumbnail(image), (image.shape[0], image.shape[1])))
                    if len(for_scale) < SCALED:
                        for_scale.append(image)
                if progress is not None:
                    progress(done, len(samples))
    small = np.array([item[2] for item in kept], dtype=np.uint8).reshape(-1, 32, 32)
    return Look(
        tuple(item[0] for item in kept),
        tuple(item[1] for item in kept),
        small,
        tuple(item[3] for item in kept),
        tuple(unreadable),
        tuple(for_scale),
    )


def _load(suite: Suite, sample: Sample) -> RGBImage | str:
    try:
        return suite.load(sample)
    except DataError as error:
        return error.message if sample.id in error.message else f"{sample.id}: {error.message}"
