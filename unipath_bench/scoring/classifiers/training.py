"""Settling, training and calibrating a recipe, once for the same images.

Where an :class:`~unipath_bench.core.artifact_cache.ArtifactCache` is given, what is found is put there under a digest
of the recipe, the features, classes and groups of the images and the seed, and taken from there the next time.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple, TypeVar

import numpy as np

from unipath_bench.core.artifact_cache import Artifact, ArtifactCache
from unipath_bench.core.digest import digest, digest_strings, seed_from
from unipath_bench.scoring.classifiers.calibration import fit_temperature
from unipath_bench.scoring.classifiers.interface import Classifier, Labelled, Recipe, columns_of
from unipath_bench.scoring.folds import grouped_folds

CALIBRATION_FOLDS = 3

RecipeT = TypeVar("RecipeT", bound=Recipe)


class Calibration(NamedTuple):
    """A temperature, and on how many held-out training images it was fitted."""

    temperature: float
    images: int


def settle(recipe: RecipeT, images: Labelled, seed: int, artifacts: ArtifactCache | None = None) -> RecipeT:
    """The recipe with its hyperparameters chosen on ``images``."""
    key = _key("settle", recipe, images, seed) if artifacts else ""
    found = artifacts.find(key) if artifacts else None
    if found is not None:
        return type(recipe).model_validate(found.settings)
    settled = recipe.settled(images, seed)
    if artifacts:
        artifacts.put(key, Artifact(settled.model_dump(mode="json")))
    return settled


def fit(recipe: Recipe, images: Labelled, seed: int, artifacts: ArtifactCache | None = None) -> Classifier:
    """The classifier that a settled recipe makes of ``images``."""
    key = _key("fit", recipe, images, seed) if artifacts else ""
    found = artifacts.find(key) if artifacts else None
    if found is not None:
        return recipe.restore(found, images)
    classifier = recipe.fit(images, seed)
    if artifacts:
        artifacts.put(key, classifier.artifact())
    return classifier


def calibrate(
    recipe: Recipe, images: Labelled, seed: int, artifacts: ArtifactCache | None = None
) -> Calibration | None:
    """Fit the temperature of a settled recipe on a third of the groups of ``images``.

    The classifier that is calibrated was trained on the other groups. None where the groups are too few to be cut.
    """
    folds = grouped_folds(images.labels, images.groups, CALIBRATION_FOLDS, seed_from("calibration", seed))
    if not folds:
        return None
    key = _key("calibrate", recipe, images, seed) if artifacts else ""
    found = artifacts.find(key) if artifacts else None
    if found is not None:
        return Calibration(**found.settings)
    held = images.take(folds[0])
    classifier = recipe.fit(images.without(folds[0]), seed)
    columns = columns_of(classifier, held.labels)
    calibration = Calibration(fit_temperature(classifier.probabilities(held.features), columns), len(held))
    if artifacts:
        artifacts.put(key, Artifact(calibration._asdict()))
    return calibration


def _key(what: str, recipe: Recipe, images: Labelled, seed: int) -> str:
    features = np.ascontiguousarray(images.features, dtype="<f8")
    return digest(
        [
            what,
            recipe.model_dump(mode="json"),
            seed,
            list(features.shape),
            hashlib.sha256(features.tobytes()).hexdigest(),
            digest_strings(images.labels.tolist()),
            digest_strings(images.groups),
        ]
    )
