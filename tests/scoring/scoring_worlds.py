"""Worlds of features whose truth is known, for the scorers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import FeatureSet, ScoreInputs

CLASSES = ("gland", "necrosis", "stroma")
WORDS = {"gland": "a gland", "necrosis": "dead tissue", "stroma": "loose stroma"}


def feature_set(
    images: object,
    labels: Sequence[str] | None = None,
    *,
    ids: Sequence[str] | None = None,
    prompts: Sequence[str] | None = None,
    texts: object = None,
    groups: Sequence[str] | None = None,
    replicates: Sequence[int] | None = None,
    pixels: Sequence[str] = (),
) -> FeatureSet:
    """A feature set with defaults: ids ``s0, s1, ...``, one group a sample, prompts that name the class."""
    matrix = np.asarray(images, dtype=np.float32)
    count = len(matrix)
    names = tuple(ids or (f"s{i}" for i in range(count)))
    return FeatureSet(
        ids=names,
        images=matrix,
        texts=None if texts is None else np.asarray(texts, dtype=np.float32),
        prompts=tuple(prompts or (f"tissue with {name}" for name in labels or names)),
        labels={"tissue": tuple(labels)} if labels is not None else {},
        groups=tuple(groups or names),
        replicates=tuple(replicates or (0,) * count),
        pixel_digests=tuple(pixels),
    )


def matrix_of(features: FeatureSet) -> npt.NDArray[np.float32]:
    """Features (n, D) of the images, which every set of these worlds has."""
    assert features.images is not None
    return features.images


class World:
    """Classes around distant centres; every set is drawn from the same truth with independent noise."""

    def __init__(
        self,
        count: int = 120,
        dimension: int = 8,
        distance: float = 6.0,
        seed: int = 0,
        classes: Sequence[str] = CLASSES,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.count = count
        self.classes = tuple(classes)
        kinds = len(self.classes)
        self.centres = np.zeros((kinds, dimension))
        self.centres[np.arange(kinds), np.arange(kinds)] = distance
        self.labels = [self.classes[i % kinds] for i in range(count)]
        self.groups = [f"patient{i // 6}" for i in range(count)]

    def images(self, labels: Sequence[str]) -> np.ndarray:
        centres = self.centres[[self.classes.index(label) for label in labels]]
        return centres + self.rng.normal(size=centres.shape)

    def texts(self, labels: Sequence[str]) -> np.ndarray:
        return self.centres[[self.classes.index(label) for label in labels]]

    def inputs(self, generated: np.ndarray | None = None, seeds: int = 1) -> ScoreInputs:
        """All sets; ``generated`` features replace those of a generator that is as good as reality."""
        labels = self.labels * seeds
        ids = [f"s{i}" for i in range(self.count)]
        answers = self.images(labels) if generated is None else generated
        return ScoreInputs(
            sets={
                "reference": feature_set(self.images(self.labels), self.labels, ids=ids, groups=self.groups),
                "heldout": feature_set(self.images(self.labels), self.labels, ids=ids),
                "train": feature_set(
                    self.images(self.labels * 2),
                    self.labels * 2,
                    ids=[f"t{i}" for i in range(2 * self.count)],
                    groups=[f"train{i // 6}" for i in range(2 * self.count)],
                ),
                "generated": feature_set(
                    answers,
                    labels,
                    ids=ids * seeds,
                    texts=self.texts(labels),
                    groups=self.groups * seeds,
                    replicates=[r for r in range(seeds) for _ in ids],
                ),
                "variants": feature_set(
                    self.images(self.labels * 2),
                    self.labels * 2,
                    ids=ids * 2,
                    prompts=[WORDS.get(label, f"{label} it is") for label in self.labels * 2],
                    replicates=[0] * self.count + [1] * self.count,
                ),
            }
        )
