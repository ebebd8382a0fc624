"""The classifier behind tiers 3 and 4: a linear probe, the same everywhere, deterministic."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import ThreadpoolController

from unipath_bench.metrics import classification
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut, weighted_f1_without_units
from unipath_bench.scoring.features import Matrix
from unipath_bench.scoring.folds import grouped_folds
from unipath_bench.scoring.not_computable import NotComputable

Labels = npt.NDArray[np.str_]

GRID = (0.01, 0.1, 1.0, 10.0)
"""Values of scikit-learn's C, the inverse strength of the L2 penalty, among which cross-validation chooses.
"""

CHOOSING_FOLDS = 3
MAX_ITERATIONS = 2000


class LinearProbe:
    """Multinomial logistic regression on standardised features (training mean and standard deviation;
    L-BFGS).

    Dimensions that are constant in training carry no information and are left at zero. The same inputs in the
    same order give the same coefficients: there is no randomness in it, and the fit runs in one thread, since sums
    that are split over threads differ in the last bit (and threads cost more than they give on problems this small).
    """

    def __init__(self, features: Matrix, labels: Labels, regularisation: float) -> None:
        """Fit to features (N, D) and N class names of at least two kinds; ``ValueError`` with one class only.

        :class:`NotComputable` where the fit does not converge.
        """
        self._mean = features.mean(0)
        spread = features.std(0)
        self._scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
        self._model = LogisticRegression(C=regularisation, max_iter=MAX_ITERATIONS)
        with _thread_pools().limit(limits=1), warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                self._model.fit(self._standardise(features), labels)
            except ConvergenceWarning as warning:
                raise NotComputable(
                    f"A classifier on {len(features)} images did not converge in {MAX_ITERATIONS} iterations.",
                    "Leave the weakest penalties out of the task's parameter `regularisation`.",
                ) from warning

    @property
    def classes(self) -> list[str]:
        """Class names in alphabetical order: the columns of :meth:`probabilities`."""
        return [str(name) for name in self._model.classes_]

    def probabilities(self, features: Matrix) -> npt.NDArray[np.float64]:
        """Class probabilities, shape (N, classes)."""
        return np.asarray(self._model.predict_proba(self._standardise(features)), dtype=np.float64)

    def predict(self, features: Matrix) -> Labels:
        """The most probable class of each row."""
        return np.asarray(self._model.predict(self._standardise(features)), dtype=np.str_)

    def _standardise(self, features: Matrix) -> Matrix:
        return np.asarray((features - self._mean) * self._scale)


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()


def choose_regularisation(
    features: Matrix, labels: Labels, groups: Sequence[str], grid: Sequence[float], seed: int
) -> float:
    """The C of ``grid`` with the least log-loss in three-fold cross-validation by group; of equals the
    smallest.

    1.0 where the groups are too few to be cut into folds; the only one where the grid has one.
    """
    if len(grid) == 1:
        return grid[0]
    tests = grouped_folds(labels, groups, CHOOSING_FOLDS, seed)
    if not tests:
        return 1.0

    def loss(regularisation: float) -> float:
        total = 0.0
        for test in tests:
            probe = LinearProbe(np.delete(features, test, axis=0), np.delete(labels, test), regularisation)
            likely = probe.probabilities(features[test])[np.arange(len(test)), _columns(probe, labels[test])]
            total -= float(np.log(np.maximum(likely, np.finfo(np.float64).tiny)).sum())
        return total

    return min(sorted(grid), key=loss)


def weighted_f1(truth: Labels, answers: Labels) -> float:
    """Weighted F1 of class names; see :func:`unipath_bench.metrics.classification.weighted_f1`."""
    return classification.weighted_f1(*_codes(truth, answers))


def weighted_f1_without(truth: Labels, answers: Labels, units: npt.NDArray[np.int64]) -> LeaveOneOut:
    """Weighted F1 over all images and without each unit, for its interval."""
    return weighted_f1_without_units(*_codes(truth, answers), units)


def chance_weighted_f1(truth: Labels, answers: Labels) -> float:
    """Expected weighted F1 of the same answers dealt out at random."""
    return classification.chance_weighted_f1(*_codes(truth, answers))


def calibration_error(probe: LinearProbe, features: Matrix, truth: Labels) -> float:
    """Expected calibration error of a probe on images whose classes it was all taught."""
    return classification.expected_calibration_error(probe.probabilities(features), _columns(probe, truth))


def confusion(prompted: Labels, predicted: Labels, classes: Sequence[str]) -> list[list[int]]:
    """Counts: a row for each class that was asked for, a column for each that was seen."""
    return [[int(np.sum((prompted == row) & (predicted == column))) for column in classes] for row in classes]


def _columns(probe: LinearProbe, truth: Labels) -> npt.NDArray[np.int64]:
    """The column of :meth:`LinearProbe.probabilities` of each class name."""
    columns = {name: i for i, name in enumerate(probe.classes)}
    return np.asarray([columns[name] for name in truth.tolist()], dtype=np.int64)


def _codes(truth: Labels, answers: Labels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    _, codes = np.unique(np.concatenate([truth, answers]), return_inverse=True)
    return codes[: len(truth)].astype(np.int64), codes[len(truth) :].astype(np.int64)
