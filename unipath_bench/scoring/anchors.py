"""The ends of a scale: the same metric on inputs whose quality is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from unipath_bench.contracts import FeatureSet, Measurement, Metric, ScoreInputs
from unipath_bench.core.digest import seed_from
from unipath_bench.core.errors import NotComputable
from unipath_bench.schema.task import Anchor, TaskSpec
from unipath_bench.scoring.features import replicate_rows
from unipath_bench.suites.roles import shuffling_classes


@dataclass(frozen=True)
class Anchored:
    """The ends of a value's scale, each with where it comes from; None where there is none."""

    bad_end: float | None = None
    bad_end_source: str = ""
    good_end: float | None = None
    good_end_source: str = ""


NEEDED = {
    "real": "heldout.images",
    "constant": "heldout.images",
    "shuffled": "heldout.images",
    "reference": "reference.images",
}
"""What an anchor reads beyond the metric's own needs."""

_SOURCES = {
    "real": "held-out real images in the generator's place",
    "constant": "one held-out real image for every prompt",
    "shuffled": "held-out real images under the wrong prompts",
    "reference": "the reference images under their own prompts",
    "analytic": "computed by the metric",
}


def required(spec: TaskSpec, metric: Metric) -> frozenset[str]:
    """All that the metric and the anchors of a task read."""
    kinds = {anchor for value in spec.values.values() for anchor in (value.bad_end, value.good_end)}
    return metric.needs | {NEEDED[kind] for kind in kinds if isinstance(kind, str) and kind in NEEDED}


def anchored(
    metric: Metric, inputs: ScoreInputs, parameters: Mapping[str, Any], spec: TaskSpec
) -> tuple[Measurement, dict[str, Anchored]]:
    """Measure, then measure each anchor that the task asks for once; anchors by value name.

    Raises what the metric raises on ``inputs``. An anchor that is :class:`NotComputable` is None, with the
    reason as its source. With several images a prompt, the real anchors still have one: their set is then the
    smaller one.
    """
    measured = metric(inputs, **parameters)
    cache: dict[str, Measurement | str] = {}

    def look_up(name: str, kind: Anchor, side: Literal[0, 1]) -> tuple[float | None, str]:
        if isinstance(kind, (int, float)):
            return float(kind), "by definition"
        if kind == "none":
            return None, ""
        if kind == "analytic":
            value = measured.anchors.get(name, (None, None))[side]
            return value, _SOURCES[kind] if value is not None else "not known for these inputs"
        if kind not in cache:
            cache[kind] = _measure(metric, inputs, parameters, kind)
        found = cache[kind]
        if isinstance(found, str):
            return None, found
        if name not in found.values:
            return None, f"{_SOURCES[kind]}: the value is not defined there"
        return found.values[name], _SOURCES[kind]

    anchors = {}
    for name, value in spec.values.items():
        bad, bad_source = look_up(name, value.bad_end, 0)
        good, good_source = look_up(name, value.good_end, 1)
        anchors[name] = Anchored(bad, bad_source, good, good_source)
    return measured, anchors


def position(value: float, bad_end: float | None, good_end: float | None) -> float | None:
    """Where ``value`` lies on its scale, in per cent of the way from its bad end to its good end.

    Not clipped: beyond the ends it is negative or over 100. None where an end is not known, or both are the same.
    """
    if bad_end is None or good_end is None or bad_end == good_end:
        return None
    return 100.0 * ((value - bad_end) / (good_end - bad_end))


def in_generators_place(inputs: ScoreInputs, source: FeatureSet) -> FeatureSet:
    """The images of ``source``, matched by id, as the answers to the prompts; one image a prompt.

    Prompts, their text features, labels and groups are those of the generated set's first replicate.
    """
    generated = inputs["generated"]
    first = generated.take(next(iter(replicate_rows(generated).values())))
    row_of = {sample: i for i, sample in enumerate(source.ids)}
    images = source.take([row_of[sample] for sample in first.ids])
    return FeatureSet(
        ids=first.ids,
        images=images.images,
        texts=first.texts,
        prompts=first.prompts,
        labels=first.labels,
        groups=first.groups,
        replicates=(0,) * len(first),
        pixel_digests=images.pixel_digests,
    )


def medoid(features: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> int:
    """Return the row with the least sum of squared distances to all rows, i.e. the one nearest to the mean.

    Of equals it is the first.
    """
    wide = features.astype(np.float64)
    return int(np.argmin(np.square(wide - wide.mean(0)).sum(1)))


def derangement(feature_set: FeatureSet, seed: int) -> list[int]:
    """For each row another row whose prompt asks for something else.

    Rows are in classes by their first labels (:func:`~unipath_bench.suites.roles.shuffling_classes`; by prompt where
    all labels are the same, by id where the prompts are too). Rows in seeded order within their class, classes in order
    of name, take the row that is one largest class further on: no row stays in its class as long as none holds more
    than half of them, and no row stays in its place.
    """
    strata = _strata(feature_set)
    shuffled = np.random.default_rng(seed_from("derangement", seed)).permutation(len(feature_set))
    ranked = sorted((int(i) for i in shuffled), key=lambda i: strata[i])
    shift = max(Counter(strata).values())
    if shift == len(ranked):
        shift = len(ranked) // 2
    taken = {row: ranked[(rank + shift) % len(ranked)] for rank, row in enumerate(ranked)}
    return [taken[i] for i in range(len(ranked))]


def _strata(feature_set: FeatureSet) -> list[tuple[str, ...]]:
    candidates = [
        list(zip(*feature_set.labels.values(), strict=True)) if feature_set.labels else [],
        [(prompt,) for prompt in feature_set.prompts],
    ]
    for strata in candidates:
        if len(set(strata)) > 1:
            return shuffling_classes(strata)
    return [(sample,) for sample in feature_set.ids]


def _real(inputs: ScoreInputs) -> FeatureSet:
    return in_generators_place(inputs, inputs["heldout"])


def _reference(inputs: ScoreInputs) -> FeatureSet:
    return in_generators_place(inputs, inputs["reference"])


def _constant(inputs: ScoreInputs) -> FeatureSet:
    return _with_images_of(_real(inputs), lambda real: [medoid(_images(real))] * len(real))


def _shuffled(inputs: ScoreInputs) -> FeatureSet:
    return _with_images_of(_real(inputs), lambda real: derangement(real, inputs.seed))


_REPLACEMENTS: dict[str, Callable[[ScoreInputs], FeatureSet]] = {
    "real": _real,
    "reference": _reference,
    "constant": _constant,
    "shuffled": _shuffled,
}


def _with_images_of(prompts: FeatureSet, choose: Callable[[FeatureSet], list[int]]) -> FeatureSet:
    """The same prompts answered by other rows' images."""
    images = prompts.take(choose(prompts))
    return FeatureSet(
        ids=prompts.ids,
        images=images.images,
        texts=prompts.texts,
        prompts=prompts.prompts,
        labels=prompts.labels,
        groups=prompts.groups,
        replicates=prompts.replicates,
        pixel_digests=images.pixel_digests,
    )


def _images(feature_set: FeatureSet) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    if feature_set.images is None:
        raise ValueError("the set has no image features")
    return feature_set.images


def _measure(metric: Metric, inputs: ScoreInputs, parameters: Mapping[str, Any], kind: str) -> Measurement | str:
    """The metric with the anchor in the generator's place, or the reason why there is none."""
    name = NEEDED[kind].partition(".")[0]
    source = inputs.sets.get(name)
    if source is None or source.images is None:
        return f"not computed: the suite has no {name} images"
    try:
        return metric(inputs.replaced(generated=_REPLACEMENTS[kind](inputs)), **parameters)
    except NotComputable as reason:
        return f"not computed: {reason.message}"
