"""Tier 4: does the generator hand out its training images?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from unipath_bench.contracts import FeatureSet, Measurement, ScoreInputs, metric
from unipath_bench.metrics.memorisation import copied_fraction, copy_threshold, nearest_neighbours
from unipath_bench.schema.details import Memorisation, Pair, Quantiles
from unipath_bench.schema.record import Contributions, Interval
from unipath_bench.scoring.features import Matrix, image_features, images_required
from unipath_bench.scoring.paired import mean_contributions
from unipath_bench.scoring.uncertainty import Codes, share_interval, unit_codes

PAIRS = 12
"""Nearest pairs that the report shows."""

_BLOCK = 256
_PERCENTILES = np.linspace(0, 1, 101)


@metric(
    *("train.images", "reference.images", "heldout.images", "generated.images"),
    purposes={"copied_fraction": "copying", "authenticity": "authenticity"},
    requires=images_required(2, "A distance in units of the training images' spread", "train"),
)
def memorisation(
    inputs: ScoreInputs, *, quantile: float = 0.01, flag_share: float = 0.05, confidence: float = 0.99
) -> Measurement:
    """Distances of generated images to their nearest training image, judged by those of unseen real images.

    Features are standardised by the training images' mean and standard deviation; distances are Euclidean. An
    image counts as copied where it is nearer to a training image than the ``quantile`` of the reference and
    held-out images are (which are in no training set, so a share of about ``quantile`` is what honest images
    get). Values: ``copied_fraction``, the share of generated images that are copied, and ``authenticity``,
    the share that are farther from their nearest training image than that image is from the nearest training
    image of another group (Alaa et al., "How faithful is your synthetic data?", ICML 2022; leaving out the
    group is ours).

    ``details.flagged`` is true where the one-sided ``confidence`` lower bound (Clopper-Pearson) of the
    copied share is above ``flag_share``. ``exact_copies`` counts images whose pixels equal a training
    image's.
    """
    train_set, generated_set = inputs["train"], inputs["generated"]
    train, generated, real = _standardised(inputs)
    distance_columns, nearest_columns = nearest_neighbours(generated, train)
    distances, nearest = distance_columns[:, 0], nearest_columns[:, 0]
    real_distances = nearest_neighbours(real, train)[0][:, 0]
    threshold = copy_threshold(real_distances, quantile)
    share = copied_fraction(distances, threshold, confidence=confidence)
    copied = (distances < threshold) | (distances == 0)
    values = {"copied_fraction": share.fraction}
    not_reported = {}
    authentic: npt.NDArray[np.bool_] | None = None
    if len(set(train_set.groups)) > 1:
        authentic = _authentic(distances, nearest, train, train_set.groups)
        values["authenticity"] = float(authentic.mean())
    else:
        not_reported["authenticity"] = "all training images are of one group"
    groups = np.asarray(train_set.groups, dtype=np.str_)
    return Measurement(
        values=values,
        n_images=len(generated_set),
        dimension=train.shape[1],
        details=Memorisation(
            threshold=threshold,
            quantile=quantile,
            flagged=bool(share.lower > flag_share),
            copied_fraction_lower_bound=share.lower,
            flag_share=flag_share,
            exact_copies=_exact_copies(generated_set, train_set),
            copied_groups=len(set(groups[nearest[copied]].tolist())),
            train_groups=len(set(groups.tolist())),
            pairs=_pairs(generated_set, train_set, distances, nearest, copied),
            distances=Quantiles(generated=_quantiles(distances), real=_quantiles(real_distances)),
            not_reported=not_reported,
        ),
        uncertainty=lambda: _intervals(copied, authentic, unit_codes(generated_set)),
        paired=lambda: _contributions(copied, authentic, generated_set),
    )


def _intervals(
    copied: npt.NDArray[np.bool_], authentic: npt.NDArray[np.bool_] | None, units: Codes
) -> dict[str, Interval | str]:
    found = {"copied_fraction": share_interval(copied, units)}
    if authentic is not None:
        found["authenticity"] = share_interval(authentic, units)
    return found


def _contributions(
    copied: npt.NDArray[np.bool_], authentic: npt.NDArray[np.bool_] | None, generated: FeatureSet
) -> dict[str, Contributions | str]:
    found = {"copied_fraction": mean_contributions(copied.astype(np.float64), generated)}
    if authentic is not None:
        found["authenticity"] = mean_contributions(authentic.astype(np.float64), generated)
    return found


def _standardised(inputs: ScoreInputs) -> tuple[Matrix, Matrix, Matrix]:
    """Training, generated and unseen real features; dimensions that are constant in training are left out."""
    train = image_features(inputs, "train")
    mean, spread = train.mean(0), train.std(0)
    varies = spread > 0

    def scale(features: Matrix) -> Matrix:
        return np.asarray((features[:, varies] - mean[varies]) / spread[varies])

    unseen = np.vstack([image_features(inputs, "reference"), _distinct(inputs["heldout"], inputs)])
    return scale(train), scale(image_features(inputs, "generated")), scale(unseen)


def _distinct(heldout: FeatureSet, inputs: ScoreInputs) -> Matrix:
    """Each held-out image once, although it may stand for several prompts."""
    features = image_features(inputs, "heldout")
    if not heldout.pixel_digests:
        return np.unique(features, axis=0)
    _, first = np.unique(np.asarray(heldout.pixel_digests), return_index=True)
    return features[np.sort(first)]


def _authentic(
    distances: npt.NDArray[np.float64], nearest: npt.NDArray[np.int64], train: Matrix, groups: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """Which images are farther from their nearest training image than that one is from those of other groups."""
    names = np.asarray(groups, dtype=np.str_)
    originals, inverse = np.unique(nearest, return_inverse=True)
    own = np.empty(len(originals))
    for start in range(0, len(originals), _BLOCK):
        rows = originals[start : start + _BLOCK]
        block = cdist(train[rows], train)
        block[names[rows][:, None] == names[None, :]] = np.inf
        own[start : start + _BLOCK] = block.min(1)
    return np.asarray(distances > own[inverse])


def _exact_copies(generated: FeatureSet, train: FeatureSet) -> int | None:
    """Generated images whose pixels equal a training image's; None where the pixels are not known."""
    if not generated.pixel_digests or not train.pixel_digests:
        return None
    known = set(train.pixel_digests)
    return sum(digest in known for digest in generated.pixel_digests)


def _pairs(
    generated: FeatureSet,
    train: FeatureSet,
    distances: npt.NDArray[np.float64],
    nearest: npt.NDArray[np.int64],
    copied: npt.NDArray[np.bool_],
) -> tuple[Pair, ...]:
    return tuple(
        Pair(
            generated=generated.ids[row],
            replicate=int(generated.replicates[row]) if generated.replicates else 0,
            train=train.ids[nearest[row]],
            distance=float(distances[row]),
            copied=bool(copied[row]),
        )
        for row in np.argsort(distances, kind="stable")[:PAIRS].tolist()
    )


def _quantiles(distances: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(q) for q in np.quantile(distances, _PERCENTILES))
