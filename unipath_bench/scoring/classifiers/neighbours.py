"""Classification by the nearest training images."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveInt

from unipath_bench.core.artifact_cache import Artifact
from unipath_bench.scoring.classifiers.interface import Classifier, Labelled, Labels, Recipe, log_loss
from unipath_bench.scoring.classifiers.scaling import scaling_of
from unipath_bench.scoring.features import Matrix
from unipath_bench.scoring.folds import Rows, grouped_folds

CHOOSING_FOLDS = 3
ROWS_AT_ONCE = 512
PLAIN_K = 5
"""Where the groups are too few to choose a k by."""


class NearestNeighbours(Classifier):
    """Votes of the k training images that are nearest in Euclidean distance between standardised features.

    Every neighbour has one vote. Probabilities are (votes + 1) / (k + classes), Laplace's rule, so that none is zero.
    Of classes with equally many votes the one with the nearest image is answered.
    """

    def __init__(self, features: Matrix, labels: Labels, k: int) -> None:
        """Take features (N, D) and N class names.

        ``k`` is cut down to the number of images of the rarest class, since with more the commonest classes would
        outvote it whatever is near.
        """
        names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        self._names = [str(name) for name in names]
        self._codes: npt.NDArray[np.int64] = codes.astype(np.int64)
        self._scaling = scaling_of(features)
        self._taught = self._scaling(features)
        self._squares = np.einsum("nd,nd->n", self._taught, self._taught)
        self.k = min(k, int(counts.min()))

    @property
    def classes(self) -> list[str]:
        """Class names in alphabetical order."""
        return list(self._names)

    def probabilities(self, features: Matrix) -> npt.NDArray[np.float64]:
        """Votes by Laplace's rule, shape (N, classes)."""
        return (self._votes(self._nearest(features)) + 1) / (self.k + len(self._names))

    def predict(self, features: Matrix) -> Labels:
        """The class with most votes; of equals the one with the nearest image."""
        nearest = self._nearest(features)
        votes = self._votes(nearest)
        voted = self._codes[nearest]
        leading = np.take_along_axis(votes, voted, axis=1) == votes.max(1)[:, None]
        first = voted[np.arange(len(voted)), leading.argmax(1)]
        return np.asarray(np.asarray(self._names)[first], dtype=np.str_)

    def artifact(self) -> Artifact:
        """Nothing but k: the training images are the classifier."""
        return Artifact({"k": self.k})

    def _nearest(self, features: Matrix) -> Rows:
        """Training rows of the k nearest, nearest first, of equally near ones the first rows; shape (N, k)."""
        wanted = self._scaling(features)
        found = np.empty((len(wanted), self.k), dtype=np.int64)
        for start in range(0, len(wanted), ROWS_AT_ONCE):
            block = wanted[start : start + ROWS_AT_ONCE]
            # The query's own square is the same for all training images and is left out.
            distances = self._squares - 2 * (block @ self._taught.T)
            found[start : start + ROWS_AT_ONCE] = np.argsort(distances, axis=1, kind="stable")[:, : self.k]
        return found

    def _votes(self, nearest: Rows) -> npt.NDArray[np.float64]:
        votes = np.zeros((len(nearest), len(self._names)))
        np.add.at(votes, (np.arange(len(nearest))[:, None], self._codes[nearest]), 1.0)
        return votes


class Neighbours(Recipe):
    """The recipe of :class:`NearestNeighbours`."""

    kind: Literal["knn"] = "knn"
    k: tuple[PositiveInt, ...] = Field(default=(1, 5, 10, 20), min_length=1, description="Values to choose among.")

    def settled(self, images: Labelled, seed: int) -> Self:
        """The k with the least log-loss in three-fold cross-validation by group; of equals the smallest.

        5 where the groups are too few to be cut into folds; the only one where there is one.
        """
        if len(self.k) == 1:
            return self
        tests = grouped_folds(images.labels, images.groups, CHOOSING_FOLDS, seed)

        def loss(k: int) -> float:
            total = 0.0
            for test in tests:
                taught = images.without(test)
                total += log_loss(NearestNeighbours(taught.features, taught.labels, k), images.take(test))
            return total

        chosen = min(sorted(self.k), key=loss) if tests else PLAIN_K
        return self.model_copy(update={"k": (chosen,)})

    def fit(self, images: Labelled, seed: int) -> NearestNeighbours:
        """Remember the images; the seed plays no part."""
        return NearestNeighbours(images.features, images.labels, self.k[0])

    def restore(self, artifact: Artifact, images: Labelled) -> NearestNeighbours:
        """From the images."""
        return NearestNeighbours(images.features, images.labels, int(artifact.settings["k"]))
