"""Intervals of the scorers: against brute force, by design, and what is said where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from tests.scoring.scoring_worlds import World, feature_set, matrix_of
from tests.tables import table
from unipath_bench.contracts import FeatureSet, Measurement, ScoreInputs
from unipath_bench.metrics.basis import PcaBasis
from unipath_bench.metrics.frechet import frechet_distance
from unipath_bench.metrics.frechet_uncertainty import frechet_estimate
from unipath_bench.schema.details import SetDistance
from unipath_bench.schema.record import Interval
from unipath_bench.scoring.alignment import clip_score, image_to_image_recall, text_to_image_recall
from unipath_bench.scoring.control import attribute_control
from unipath_bench.scoring.fidelity import frechet, kid, prdc
from unipath_bench.scoring.uncertainty import design, share_interval


def _without(feature_set: FeatureSet, group: str) -> FeatureSet:
    return feature_set.take([i for i, g in enumerate(feature_set.groups) if g != group])


def _by_hand(metric: Callable[[ScoreInputs], Measurement], inputs: ScoreInputs, name: str) -> tuple[float, float]:
    """The unit jackknife by measuring anew without each patient: figure and half width."""
    groups = sorted(set(inputs["generated"].groups))
    left = [
        metric(
            inputs.replaced(
                generated=_without(inputs["generated"], group), reference=_without(inputs["reference"], group)
            )
        ).values[name]
        for group in groups
    ]
    number = len(groups)
    error = math.sqrt((number - 1) / number * np.sum((np.array(left) - np.mean(left)) ** 2))
    return metric(inputs).values[name], stats.t.ppf(0.975, number - 1) * error


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize(
    ("metric", "name"),
    [(clip_score, "cosine"), (attribute_control, "weighted_f1"), (attribute_control, "percent_of_real")],
)
def test_unit_jackknife_equals_measuring_anew_without_each_patient(metric, name: str, seeds: int) -> None:
    # Near classes, so that no answer is perfect and the limits of the scale cut nothing off.
    inputs = World(count=72, distance=2).inputs(seeds=seeds)

    def measure(some: ScoreInputs) -> Measurement:
        return metric(some, **({"regularisation": [1.0]} if metric is attribute_control else {}))

    figure, reach = _by_hand(measure, inputs, name)
    found = measure(inputs).uncertainty()[name]
    assert isinstance(found, Interval)
    assert found.estimate == pytest.approx(figure, rel=1e-12)
    assert found.low == pytest.approx(figure - reach, rel=1e-9)
    assert found.high == pytest.approx(figure + reach, rel=1e-9)
    assert found.units == 12


def test_frechet_leaves_the_same_case_out_of_both_sets() -> None:
    inputs = World(count=240, dimension=4, distance=2).inputs()
    inputs = inputs.replaced(
        generated=feature_set(
            matrix_of(inputs["generated"]) * 1.5,
            inputs["generated"].labels["tissue"],
            ids=inputs["generated"].ids,
            groups=inputs["generated"].groups,
        )
    )
    found = frechet(inputs).uncertainty()["distance"]
    patients = np.arange(240) // 6
    expected = frechet_estimate(
        matrix_of(inputs["reference"]).astype(float),
        matrix_of(inputs["generated"]).astype(float),
        units_real=patients,
        units_generated=patients,
        matched=True,
    )
    assert isinstance(found, Interval)
    assert (found.estimate, found.low, found.high, found.units) == (
        expected.value,
        expected.lower,
        expected.upper,
        40,
    )
    assert found.kind == "two-sided"


def test_the_basis_is_that_of_the_training_images() -> None:
    inputs = World(count=120, dimension=6).inputs()
    real, generated, train = (matrix_of(inputs[name]).astype(float) for name in ("reference", "generated", "train"))
    basis = PcaBasis.fit(train, 3)
    found = frechet(inputs, basis=3)
    expected = frechet_distance(*((each - basis.mean) @ basis.components.T for each in (real, generated)))
    assert found.values["basis_distance"] == pytest.approx(expected, rel=1e-9)
    used = table(found, SetDistance).basis
    assert used is not None
    assert used.captured == pytest.approx(basis.captured)
    # All directions: a rotation and a shift, which the distance does not see. One fewer loses a little.
    assert frechet(inputs, basis=5).values["basis_distance"] <= found.values["distance"]
    wide = frechet(inputs, basis=6)
    assert "6 dimensions, no more than the basis of 6" in table(wide, SetDistance).not_reported["basis_distance"]
    bare = ScoreInputs({name: inputs[name] for name in ("reference", "generated")})
    assert "no training images" in table(frechet(bare, basis=3), SetDistance).not_reported["basis_distance"]


def test_sets_of_different_patients_are_not_matched() -> None:
    first = feature_set(np.zeros((4, 2)), groups=["a", "a", "b", "b"])
    assert design(first, feature_set(np.zeros((3, 2)), groups=["b", "a", "b"])).matched
    assert not design(first, feature_set(np.zeros((3, 2)), groups=["b", "a", "c"])).matched


def test_refusals_say_why_and_what_would_do() -> None:
    rng = np.random.default_rng(0)
    groups = [f"p{i // 10}" for i in range(100)]
    sets = {name: feature_set(rng.normal(size=(100, 20)), groups=groups) for name in ("reference", "generated")}
    found = frechet(ScoreInputs(sets)).uncertainty()["distance"]
    assert isinstance(found, Interval)
    assert (found.kind, found.estimate, found.low) == ("upper bound", None, None)
    assert found.high is not None
    # 20 dimensions ask for 40 patients; at 10 images a patient that is 400 images.
    assert "400 images from 40" in found.note
    wide = {name: feature_set(rng.normal(size=(30, 40))) for name in ("reference", "generated")}
    assert (
        "Not estimable: 40 dimensions are too many for 30 samples"
        in frechet(ScoreInputs(wide)).uncertainty()["distance"]
    )
    few = {name: feature_set(rng.normal(size=(40, 2)), groups=["p", "q"] * 20) for name in ("reference", "generated")}
    assert "come from 2 patients" in kid(ScoreInputs(few)).uncertainty()["distance"]
    assert "none has been shown to cover" in prdc(ScoreInputs(few)).uncertainty()["coverage"]


@pytest.mark.parametrize("metric", [image_to_image_recall, text_to_image_recall])
def test_recall_intervals_surround_the_recall(metric) -> None:
    inputs = World(count=120, distance=1.5).inputs(seeds=2)
    found = metric(inputs, ks=(1, 5))
    intervals = found.uncertainty()
    for name, value in found.values.items():
        assert intervals[name].estimate == pytest.approx(value, rel=1e-12)
        assert 0 <= intervals[name].low < value < intervals[name].high <= 1


def test_a_share_of_none_or_all_has_the_interval_of_clopper_and_pearson() -> None:
    units = np.arange(120) // 2
    none, every = share_interval(np.zeros(120, bool), units), share_interval(np.ones(120, bool), units)
    assert isinstance(none, Interval)
    assert isinstance(every, Interval)
    # (1 - p)^60 = 0.025 at the upper limit of none in 60.
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 60), rel=1e-9))
    assert (every.low, every.high) == (pytest.approx(0.025 ** (1 / 60), rel=1e-9), 1.0)
    assert none.units == 60
