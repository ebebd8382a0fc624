"""Figures of class names that were answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from unipath_bench.metrics import classification
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut, weighted_f1_without_units

Labels = npt.NDArray[np.str_]
"""Class names, shape (N,)."""


def weighted_f1(truth: Labels, answers: Labels) -> float:
    """Weighted F1 of class names; see :func:`unipath_bench.metrics.classification.weighted_f1`."""
    return classification.weighted_f1(*_codes(truth, answers))


def weighted_f1_without(truth: Labels, answers: Labels, units: npt.NDArray[np.int64]) -> LeaveOneOut:
    """Weighted F1 over all images and without each unit, for its interval."""
    return weighted_f1_without_units(*_codes(truth, answers), units)


def chance_weighted_f1(truth: Labels, answers: Labels) -> float:
    """Expected weighted F1 of the same answers dealt out at random."""
    return classification.chance_weighted_f1(*_codes(truth, answers))


def confusion(prompted: Labels, predicted: Labels, classes: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Counts: a row for each class that was asked for, a column for each that was seen."""
    return tuple(tuple(int(np.sum((prompted == row) & (predicted == column))) for column in classes) for row in classes)


def _codes(truth: Labels, answers: Labels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    _, codes = np.unique(np.concatenate([truth, answers]), return_inverse=True)
    return codes[: len(truth)].astype(np.int64), codes[len(truth) :].astype(np.int64)
