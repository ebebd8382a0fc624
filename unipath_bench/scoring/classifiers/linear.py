"""The linear probe: multinomial logistic regression."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import ThreadpoolController

from unipath_bench.core.artifact_cache import Artifact
from unipath_bench.core.errors import NotComputable
from unipath_bench.scoring.classifiers.interface import Classifier, Labelled, Labels, Recipe, log_loss
from unipath_bench.scoring.classifiers.scaling import Scaling, scaling_of
from unipath_bench.scoring.features import Matrix
from unipath_bench.scoring.folds import grouped_folds

GRID = (0.01, 0.1, 1.0, 10.0)
"""Values of scikit-learn's C, the inverse strength of the L2 penalty, among which cross-validation chooses.
"""

CHOOSING_FOLDS = 3
MAX_ITERATIONS = 2000


class LinearProbe(Classifier):
    """Multinomial logistic regression on standardised features (training mean and standard deviation; L-BFGS).

    The same inputs in the same order give the same coefficients: there is no randomness in it, and the fit runs in one
    thread, since sums that are split over threads differ in the last bit (and threads cost more than they give on
    problems this small).
    """

    def __init__(self, features: Matrix, labels: Labels, regularisation: float) -> None:
        """Fit to features (N, D) and N class names of at least two kinds; ``ValueError`` with one class only.

        :class:`NotComputable` where the fit does not converge.
        """
        self._scaling = scaling_of(features)
        self._model = LogisticRegression(C=regularisation, max_iter=MAX_ITERATIONS)
        with _thread_pools().limit(limits=1), warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                self._model.fit(self._scaling(features), labels)
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
        return np.asarray(self._model.predict_proba(self._scaling(features)), dtype=np.float64)

    def predict(self, features: Matrix) -> Labels:
        """The most probable class of each row."""
        return np.asarray(self._model.predict(self._scaling(features)), dtype=np.str_)

    def artifact(self) -> Artifact:
        """Class names; coefficients, intercepts and scaling."""
        arrays = {
            "coefficients": np.ascontiguousarray(self._model.coef_),
            "intercepts": np.ascontiguousarray(self._model.intercept_),
            "mean": self._scaling.mean,
            "scale": self._scaling.scale,
        }
        return Artifact({"classes": self.classes, "regularisation": float(self._model.C)}, arrays)

    @classmethod
    def restored(cls, artifact: Artifact) -> Self:
        """The probe that ``artifact`` was artifact of."""
        probe = cls.__new__(cls)
        probe._scaling = Scaling(artifact.arrays["mean"], artifact.arrays["scale"])
        probe._model = _fitted(
            artifact.settings["regularisation"],
            artifact.settings["classes"],
            artifact.arrays["coefficients"],
            artifact.arrays["intercepts"],
        )
        return probe


def _fitted(
    regularisation: float,
    classes: Sequence[str],
    coefficients: npt.NDArray[np.float64],
    intercepts: npt.NDArray[np.float64],
) -> Any:
    model = LogisticRegression(C=regularisation, max_iter=MAX_ITERATIONS)
    model.classes_ = np.asarray(classes, dtype=np.str_)
    model.coef_, model.intercept_, model.n_features_in_ = coefficients, intercepts, coefficients.shape[1]
    return model


class Linear(Recipe):
    """The recipe of a :class:`LinearProbe`."""

    kind: Literal["linear"] = "linear"
    regularisation: tuple[float, ...] = Field(default=GRID, min_length=1, description="Values of C to choose among.")

    def settled(self, images: Labelled, seed: int) -> Self:
        """One C."""
        chosen = choose_regularisation(images.features, images.labels, images.groups, self.regularisation, seed)
        return self.model_copy(update={"regularisation": (chosen,)})

    def fit(self, images: Labelled, seed: int) -> LinearProbe:
        """Train with the first C; the seed plays no part."""
        return LinearProbe(images.features, images.labels, self.regularisation[0])

    def restore(self, artifact: Artifact, images: Labelled) -> LinearProbe:
        """From its coefficients."""
        return LinearProbe.restored(artifact)


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()


def choose_regularisation(
    features: Matrix, labels: Labels, groups: Sequence[str], grid: Sequence[float], seed: int
) -> float:
    """The C of ``grid`` with the least log-loss in three-fold cross-validation by group; of equals the smallest.

    1.0 where the groups are too few to be cut into folds; the only one where the grid has one.
    """
    if len(grid) == 1:
        return grid[0]
    tests = grouped_folds(labels, groups, CHOOSING_FOLDS, seed)
    if not tests:
        return 1.0
    images = Labelled(features, labels, tuple(groups))

    def loss(regularisation: float) -> float:
        total = 0.0
        for test in tests:
            taught = images.without(test)
            total += log_loss(LinearProbe(taught.features, taught.labels, regularisation), images.take(test))
        return total

    return min(sorted(grid), key=loss)
