"""Directions of features: what cosines compare."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unipath_bench import DataError
from unipath_bench.core.arrays import Features


def unit_rows(features: Features, what: str) -> npt.NDArray[np.float64]:
    """Rows divided by their Euclidean length, float64 (N, D).

    Raises :class:`~unipath_bench.DataError`, naming ``what`` and the row, where a row is zero and has no direction.
    """
    rows = np.asarray(features, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if (lengths == 0).any():
        raise DataError(
            f"The features of {what} are all zero in row {int(np.argmin(lengths))}: they have no direction.",
            "Look at what was embedded there, or choose another encoder.",
        )
    unit: npt.NDArray[np.float64] = rows / lengths
    return unit
