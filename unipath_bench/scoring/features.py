"""Reading feature sets: what every scorer checks and picks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import FeatureSet, ScoreInputs
from unipath_bench.core.errors import DataError, NotComputable, listed

Matrix = npt.NDArray[np.float64]
"""float64, shape (N, D)."""


def image_features(inputs: ScoreInputs, name: str) -> Matrix:
    """Image features of a set in float64, shape (N, D); checked to be finite."""
    feature_set = inputs[name]
    require_finite(feature_set, name)
    if feature_set.images is None:
        raise ValueError(f"the set {name!r} has no image features: the metric's needs do not name {name}.images")
    return np.asarray(feature_set.images, dtype=np.float64)


def text_features(inputs: ScoreInputs, name: str) -> Matrix:
    """Text features of a set in float64, shape (N, D); checked to be finite."""
    feature_set = inputs[name]
    require_finite(feature_set, name)
    if feature_set.texts is None:
        raise ValueError(f"the set {name!r} has no text features: the metric's needs do not name {name}.texts")
    return np.asarray(feature_set.texts, dtype=np.float64)


def require_finite(feature_set: FeatureSet, name: str) -> None:
    """Raise :class:`DataError` naming every sample of the set ``name`` whose features are NaN or infinite."""
    for kind, features in (("image", feature_set.images), ("text", feature_set.texts)):
        if features is None:
            continue
        bad = ~np.isfinite(features).all(axis=1)
        if bad.any():
            names = [sample_name(feature_set, i) for i in np.flatnonzero(bad).tolist()]
            raise DataError(
                f"{len(names)} of {len(feature_set)} {kind} features of the {name} set are NaN or infinite:\n"
                + listed(names),
                "Look at these images, and at the encoder: scores of such features would mean nothing.",
            )


def sample_name(feature_set: FeatureSet, row: int) -> str:
    """The sample id of a row, with its replicate where there are several."""
    replicates = feature_set.replicates
    return f"{feature_set.ids[row]} (replicate {replicates[row]})" if any(replicates) else feature_set.ids[row]


def require_images(feature_set: FeatureSet, name: str, at_least: int, why: str) -> None:
    """Raise :class:`NotComputable` where a set has fewer than ``at_least`` images."""
    if len(feature_set) < at_least:
        raise NotComputable(
            f"{why} needs at least {at_least} images; the {name} set has {len(feature_set)}.",
            "Raise --n, or --seeds for more generated images." if name == "generated" else "Raise --n.",
        )


def images_required(at_least: int, why: str, *sets: str) -> Callable[[ScoreInputs], None]:
    """A metric's requirement: so many images in each of these sets."""

    def require(inputs: ScoreInputs) -> None:
        for name in sets:
            require_images(inputs[name], name, at_least, why)

    return require


def replicate_rows(feature_set: FeatureSet) -> dict[int, npt.NDArray[np.int64]]:
    """Row numbers of each replicate, in ascending order of the replicate."""
    replicates = np.asarray(feature_set.replicates or (0,) * len(feature_set))
    return {int(r): np.flatnonzero(replicates == r) for r in np.unique(replicates)}


def prompts_by_id(feature_set: FeatureSet) -> Mapping[str, str]:
    """Prompt by sample id."""
    return dict(zip(feature_set.ids, feature_set.prompts, strict=True))


def unit_rows(features: Matrix, feature_set: FeatureSet, name: str) -> Matrix:
    """Rows divided by their Euclidean length; a zero row has no direction and raises :class:`DataError`."""
    lengths = np.linalg.norm(features, axis=1)
    zero = np.flatnonzero(lengths == 0)
    if zero.size:
        raise DataError(
            f"{zero.size} features of the {name} set are all zero, so they have no direction:\n"
            + listed([sample_name(feature_set, i) for i in zero.tolist()]),
            "Look at these images: an encoder gives zeros for no tissue.",
        )
    return np.asarray(features / lengths[:, None])


def codes(*names: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    """Strings as integers, equal ones alike in all of the sequences."""
    number: dict[str, int] = {}
    return [np.asarray([number.setdefault(n, len(number)) for n in sequence], dtype=np.int64) for sequence in names]


def one_label(feature_set: FeatureSet, attribute: str) -> npt.NDArray[np.str_]:
    """The classes of one attribute as an array of strings, shape (N,)."""
    return np.asarray(feature_set.labels[attribute], dtype=np.str_)


def attribute_names(inputs: ScoreInputs, chosen: Sequence[str]) -> list[str]:
    """The attributes to score: ``chosen``, or all that the prompts have, the primary one first.

    Raises :class:`NotComputable` where there are none, or a chosen one is not among them.
    """
    have = list(inputs["generated"].labels)
    absent = [a for a in chosen if a not in have]
    if absent or not have:
        raise NotComputable(
            f"The suite has no attribute {', '.join(map(repr, absent))}." if absent else "The prompts have no labels.",
            f"Its attributes are: {', '.join(have)}." if have else "Add label columns to the suite's metadata.",
        )
    return list(chosen) or have
