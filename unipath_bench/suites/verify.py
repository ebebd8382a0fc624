"""Opening and checking every image of a suite before a run."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from unipath_bench.contracts import Progress, Sample, Suite
from unipath_bench.core.errors import DataError, listed
from unipath_bench.suites.problems import LISTED

_THREADS = 2
_CHUNK = 256


def verify_by_loading(suite: Suite, progress: Progress | None = None) -> None:
    """Decode every sample through ``suite.load`` on two threads and check dtype, shape and the card's size.

    Images are dropped as soon as they are checked. ``progress`` is called in the calling thread after each image.
    Raises one :class:`~unipath_bench.DataError` that lists all bad images (up to 200 are spelt out) with the
    remedies.
    """
    samples = suite.samples()
    if not samples:
        raise DataError(f"The suite {suite.card.name!r} has no images.", "Check where its data lie.")
    problems: list[str] = []
    remedies: dict[str, None] = {}
    done = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="verify") as pool:
        for start in range(0, len(samples), _CHUNK):
            for found in pool.map(lambda sample: _check(suite, sample), samples[start : start + _CHUNK]):
                done += 1
                if found is not None:
                    problems.append(found[0])
                    remedies[found[1]] = None
                if progress is not None:
                    progress(done, len(samples))
    if problems:
        raise DataError(
            f"{len(problems)} of {len(samples)} images of the suite {suite.card.name!r} cannot be used:\n"
            + listed(problems, LISTED),
            "\n".join(remedies),
        )


def _check(suite: Suite, sample: Sample) -> tuple[str, str] | None:
    try:
        image: object = suite.load(sample)
    except DataError as error:
        text = error.message if sample.id in error.message else f"{sample.id}: {error.message}"
        return text, error.remedy
    except OSError as error:
        return f"{sample.id} cannot be read: {error}", "Check the file and its permissions."
    if not isinstance(image, np.ndarray):
        return f"{sample.id}: the suite returned a {type(image).__name__}, not an array", _CONTRACT
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        return f"{sample.id}: the suite returned {image.dtype} of shape {image.shape}{_oddity(image)}", _CONTRACT
    return _check_size(suite, sample, image.shape)


_CONTRACT = "Suite.load() returns uint8 RGB of shape (H, W, 3)."


def _oddity(image: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        return " with NaN or infinite values"
    return ""


def _check_size(suite: Suite, sample: Sample, shape: Sequence[int]) -> tuple[str, str] | None:
    height, width = suite.card.height, suite.card.width
    if height in (None, shape[0]) and width in (None, shape[1]):
        return None
    return (
        f"{sample.id} has {shape[0]} x {shape[1]} pixels (height x width), the suite {height} x {width}",
        "Cut all images to one size, or allow several: --suite-arg size=any.",
    )
