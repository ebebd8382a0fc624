"""Standardising features by the training images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unipath_bench.scoring.features import Matrix


class Scaling(NamedTuple):
    """Training mean (D,) and the inverse of the training standard deviation (D,).

    Dimensions that are constant in training carry no information: their scale is zero.
    """

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    def __call__(self, features: Matrix) -> Matrix:
        """Features (N, D), standardised."""
        return np.asarray((features - self.mean) * self.scale)


def scaling_of(features: Matrix) -> Scaling:
    """The scaling of training features (N, D)."""
    spread = features.std(0)
    return Scaling(features.mean(0), np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0))
