"""Whether a classifier's confidence can be believed: reliability, calibration error, temperature."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from unipath_bench.metrics.classification import expected_calibration_error
from unipath_bench.schema.details import ReliabilityBin

Probabilities = npt.NDArray[np.float64]
"""float64, shape (N, classes); rows sum to 1."""

BINS = 15
RANGE = (0.05, 20.0)
"""Temperatures that are considered."""

TINY = float(np.finfo(np.float64).tiny)


def with_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Return the softmax of the log-probabilities divided by ``temperature``: above 1 less sure, below 1 surer.

    The order of the classes in a row stays (Guo et al. 2017, arXiv 1706.04599, section 4.2).
    """
    return np.asarray(softmax(_logs(probabilities) / temperature, axis=1))


def fit_temperature(probabilities: Probabilities, columns: npt.NDArray[np.int64]) -> float:
    """The temperature with the least log-loss on images whose classes are ``columns`` (N,), within 0.05 to 20."""
    logs = _logs(probabilities)
    rows = np.arange(len(columns))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logs / np.exp(log_temperature), axis=1)[rows, columns].mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(RANGE)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def calibration_error(probabilities: Probabilities, columns: npt.NDArray[np.int64]) -> float:
    """Expected calibration error of the top class in 15 bins."""
    return expected_calibration_error(probabilities, columns, BINS)


def reliability(probabilities: Probabilities, columns: npt.NDArray[np.int64]) -> tuple[ReliabilityBin, ...]:
    """Return a row for each of the 15 bins of confidence that holds images.

    A row has the bin's ends (lower open, upper closed), the number of images, their mean confidence in the top class
    and the share of them for which that class is right. The calibration error is the sum over rows of images / N times
    |accuracy - confidence|.
    """
    confidence = probabilities.max(1)
    correct = probabilities.argmax(1) == columns
    place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return tuple(
        ReliabilityBin(
            above=b / BINS,
            up_to=(b + 1) / BINS,
            images=int((place == b).sum()),
            confidence=float(confidence[place == b].mean()),
            accuracy=float(correct[place == b].mean()),
        )
        for b in np.unique(place).tolist()
    )


def _logs(probabilities: Probabilities) -> Probabilities:
    return np.asarray(np.log(np.maximum(probabilities, TINY)))
