"""What the scorers declare: the paired error is that of their intervals, and runs of the same prompts fit together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.scoring.scoring_worlds import World
from unipath_bench.contracts import FeatureSet, Measurement, Metric, ScoreInputs
from unipath_bench.metrics.paired import paired_difference
from unipath_bench.metrics.unit_uncertainty import MINIMUM_UNITS
from unipath_bench.schema.record import Contributions, Interval
from unipath_bench.scoring.alignment import (
    clip_score,
    image_to_image_recall,
    terminology_robustness,
    text_to_image_recall,
)
from unipath_bench.scoring.control import attribute_control
from unipath_bench.scoring.fidelity import frechet, kid, prdc
from unipath_bench.scoring.memorisation import memorisation
from unipath_bench.scoring.paired import MOST_BLOCKS, cut, numbers
from unipath_bench.scoring.utility import synthetic_training

CHEAP: dict[str, dict[str, Any]] = {
    "attribute_control": {"regularisation": [1.0]},
    "synthetic_training": {"regularisation": [1.0], "budgets": [], "draws": 1},
}
HEADLINES = [
    (frechet, "distance"),
    (kid, "distance"),
    (prdc, "coverage"),
    (clip_score, "cosine"),
    (image_to_image_recall, "recall@10"),
    (text_to_image_recall, "recall@10"),
    (terminology_robustness, "paraphrased"),
    (attribute_control, "weighted_f1"),
    (memorisation, "copied_fraction"),
    (synthetic_training, "synthetic_weighted_f1"),
]


def measured(metric: Metric, inputs: ScoreInputs) -> Measurement:
    return metric(inputs, **CHEAP.get(metric.name, {}))


def contributions(metric: Metric, inputs: ScoreInputs, name: str) -> Contributions:
    found = measured(metric, inputs).paired()[name]
    assert isinstance(found, Contributions), found
    return found


def answering(inputs: ScoreInputs, images: np.ndarray) -> ScoreInputs:
    """The same prompts, answered by other images."""
    old = inputs["generated"]
    fields = {name: getattr(old, name) for name in ("ids", "texts", "prompts", "labels", "groups", "replicates")}
    return inputs.replaced(generated=FeatureSet(images=images.astype(np.float32), **fields))


@pytest.fixture(scope="module")
def world() -> World:
    return World(count=120, distance=2.0)


@pytest.fixture(scope="module")
def inputs(world: World) -> ScoreInputs:
    return world.inputs()


@pytest.mark.parametrize(("metric", "name"), HEADLINES, ids=lambda x: getattr(x, "name", x))
def test_every_headline_fits_another_run_of_the_same_prompts(world, inputs, metric: Metric, name: str) -> None:
    other = answering(inputs, world.images(world.labels))
    first, second = (contributions(metric, each, name) for each in (inputs, other))
    assert first.blocks == second.blocks
    parts = numbers(first).parts
    assert MINIMUM_UNITS <= len(parts) <= MOST_BLOCKS
    assert parts.sum() == pytest.approx(0.0, abs=1e-5 * max(1.0, abs(first.estimate)))
    found = paired_difference(numbers(first), numbers(second))
    again = paired_difference(numbers(first), numbers(first))
    assert math.isfinite(found.standard_error)
    assert (again.value, again.standard_error) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("metric", "name", "reach"),
    [(clip_score, "cosine", 2.093), (attribute_control, "percent_of_real", 2.093), (frechet, "distance", None)],
    ids=["cosine", "percent", "frechet"],
)
def test_the_error_is_that_of_the_interval(inputs, metric: Metric, name: str, reach: float | None) -> None:
    """20 patients are 20 blocks: t(0.975, 19) = 2.093; a Frechet interval has 20 blocks too."""
    found = measured(metric, inputs)
    interval, own = found.uncertainty()[name], numbers(contributions(metric, inputs, name))
    assert isinstance(interval, Interval)
    error = math.sqrt(20 / 19 * float((own.parts**2).sum()))
    assert own.estimate == pytest.approx(interval.estimate)
    assert interval.estimate is not None
    assert interval.high is not None
    if reach is not None:
        assert interval.high - interval.estimate == pytest.approx(reach * error, rel=1e-3)
    else:
        # At zero the bound is one-sided: t(0.95, 19) = 1.729.
        assert interval.kind == "at zero"
        assert interval.high == pytest.approx(max(0.0, own.estimate + 1.729 * error), rel=1e-3)


def test_other_prompts_are_another_cut(inputs) -> None:
    generated = inputs["generated"]
    assert cut(generated).digest == cut(generated).digest
    assert cut(generated.take(range(119, -1, -1))).digest != cut(generated).digest
    assert cut(generated.take(range(114))).digest != cut(generated).digest


def test_too_few_patients_and_unmatched_sets_have_none(world, inputs) -> None:
    few = inputs.replaced(generated=inputs["generated"].take(range(30)), reference=inputs["reference"].take(range(30)))
    for metric, name in ((clip_score, "cosine"), (kid, "distance"), (prdc, "coverage")):
        reason = metric(few).paired()[name]
        assert isinstance(reason, str)
        assert "at least 8" in reason
    alone = inputs.replaced(reference=inputs["reference"].take(range(60)))
    for metric in (kid, prdc, frechet):
        reasons = [each for each in metric(alone).paired().values() if isinstance(each, str)]
        assert any("do not answer the prompts" in reason for reason in reasons)


def test_training_noise_counts(world, inputs) -> None:
    """The paired error of training on synthetic images is larger than that of the classifiers as they are."""
    found = measured(synthetic_training, inputs)
    interval = found.uncertainty()["synthetic_weighted_f1"]
    own = numbers(contributions(synthetic_training, inputs, "synthetic_weighted_f1"))
    error = math.sqrt(10 / 9 * float((own.parts**2).sum()))
    assert isinstance(interval, Interval)
    assert interval.estimate is not None
    assert interval.high is not None
    assert error > 0.5 * (interval.high - interval.estimate) / 2.093
    assert len(own.parts) == 10
