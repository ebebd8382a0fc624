"""What every classifier is: a recipe that can be settled and trained, and what comes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from unipath_bench.core.artifact_cache import Artifact
from unipath_bench.schema.base import Document
from unipath_bench.scoring.features import Matrix
from unipath_bench.scoring.folds import Rows

Labels = npt.NDArray[np.str_]
"""Class names, shape (N,)."""


@dataclass(frozen=True)
class Labelled:
    """Images as features (N, D), each with its class and the group (patient, slide) that it comes from."""

    features: Matrix
    labels: Labels
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Rows) -> Labelled:
        """The rows ``rows``, in that order."""
        return Labelled(self.features[rows], self.labels[rows], tuple(self.groups[i] for i in rows.tolist()))

    def without(self, rows: Rows) -> Labelled:
        """All but the rows ``rows``."""
        return self.take(np.delete(np.arange(len(self)), rows))

    def with_others(self, other: Labelled) -> Labelled:
        """These images, then the others."""
        return Labelled(
            np.vstack([self.features, other.features]),
            np.concatenate([self.labels, other.labels]),
            self.groups + other.groups,
        )


class Classifier(ABC):
    """Trained on features, it reads the classes of others."""

    @property
    @abstractmethod
    def classes(self) -> list[str]:
        """Class names in alphabetical order: the columns of :meth:`probabilities`."""

    @abstractmethod
    def probabilities(self, features: Matrix) -> npt.NDArray[np.float64]:
        """Class probabilities of features (N, D), shape (N, classes); rows sum to 1."""

    def predict(self, features: Matrix) -> Labels:
        """The most probable class of each row; of equals the first."""
        return np.asarray(np.asarray(self.classes)[self.probabilities(features).argmax(1)], dtype=np.str_)

    @abstractmethod
    def artifact(self) -> Artifact:
        """What :meth:`Recipe.restore` makes the same classifier of, given the same training images."""


class Recipe(Document, ABC):
    """How to train a classifier. A document: its fields are the keys of a task's parameter ``classifier``."""

    @abstractmethod
    def settled(self, images: Labelled, seed: int) -> Self:
        """The recipe with one value where it left several, chosen by cross-validation over groups of ``images``."""

    @abstractmethod
    def fit(self, images: Labelled, seed: int) -> Classifier:
        """Train a settled recipe on images of at least two classes.

        The same images in the same order with the same ``seed`` give the same classifier, bit by bit on one platform.
        Raises :class:`~unipath_bench.NotComputable` where that cannot be done.
        """

    @abstractmethod
    def restore(self, artifact: Artifact, images: Labelled) -> Classifier:
        """The classifier that :meth:`fit` made of ``images``, from what was artifact of it."""

    def described(self) -> dict[str, JsonValue]:
        """The recipe as it stands in a score's details."""
        return self.model_dump(mode="json")


def columns_of(classifier: Classifier, truth: Labels) -> npt.NDArray[np.int64]:
    """The column of :meth:`Classifier.probabilities` of each class name; ``KeyError`` for one that was not taught."""
    columns = {name: i for i, name in enumerate(classifier.classes)}
    return np.asarray([columns[name] for name in truth.tolist()], dtype=np.int64)


def log_loss(classifier: Classifier, images: Labelled) -> float:
    """Sum over images of minus the log-probability of the true class."""
    likely = classifier.probabilities(images.features)[np.arange(len(images)), columns_of(classifier, images.labels)]
    return -float(np.log(np.maximum(likely, np.finfo(np.float64).tiny)).sum())
