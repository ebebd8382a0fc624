"""Tier 3 where the classifier's task is easy, impossible or untaught."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tests.scoring.scoring_worlds import CLASSES, World
from tests.tables import table
from unipath_bench.contracts import FeatureSet, ScoreInputs
from unipath_bench.core.errors import NotComputable
from unipath_bench.schema.details import AttributeControl
from unipath_bench.schema.record import Contributions, Interval
from unipath_bench.scoring.classifiers.linear import GRID, choose_regularisation
from unipath_bench.scoring.control import attribute_control


def _with_attribute(inputs: ScoreInputs, name: str, **classes: list[str]) -> ScoreInputs:
    """Add an attribute to sets, given its classes in each."""
    sets: dict[str, FeatureSet] = {
        key: dataclasses.replace(inputs[key], labels={**inputs[key].labels, name: tuple(values)})
        for key, values in classes.items()
    }
    return inputs.replaced(**sets)


def test_images_as_good_as_reality_score_as_reality_does() -> None:
    found = attribute_control(World(distance=12).inputs(seeds=2))
    assert found.values == pytest.approx({"weighted_f1": 1.0, "percent_of_real": 100.0})
    tissue = table(found, AttributeControl).attributes["tissue"]
    assert tissue.real_weighted_f1 == 1.0
    assert tissue.real_accuracy == 1.0
    assert tissue.classes == CLASSES
    assert tissue.support == dict.fromkeys(CLASSES, 80)
    assert tissue.confusion == ((80, 0, 0), (0, 80, 0), (0, 0, 80))
    assert tissue.ece < 0.02  # all right, with confidence near 1
    assert found.n_images == 240


def test_a_generator_with_one_class_only_scores_that_class_alone() -> None:
    world = World(distance=12)
    found = attribute_control(world.inputs(generated=world.images(["gland"] * world.count)))
    # One class of three right: its F1 is 2 (1/3) 1 / (1/3 + 1) = 1/2, the others' 0, each weighing 1/3.
    assert found.values["weighted_f1"] == pytest.approx(1 / 6)
    # Constant answers are the same however they are dealt out: the bad end is the score itself.
    assert found.anchors["weighted_f1"] == pytest.approx((1 / 6, 1.0))
    assert table(found, AttributeControl).attributes["tissue"].confusion == ((40, 0, 0),) * 3


@pytest.mark.integration
def test_shuffled_images_are_at_the_computed_chance() -> None:
    world = World(count=600, distance=12)
    answers = list(np.random.default_rng(5).permutation(world.labels))
    found = attribute_control(world.inputs(generated=world.images(answers)))
    chance, best = found.anchors["weighted_f1"]
    assert best == 1.0
    # Dealt out at random: the mean over 200 permutations, within four of its standard errors.
    rng = np.random.default_rng(0)
    draws = [f1_score(world.labels, rng.permutation(answers), average="weighted", zero_division=0) for _ in range(200)]
    assert chance == pytest.approx(np.mean(draws), abs=4 * np.std(draws) / 200**0.5)
    assert found.values["weighted_f1"] == pytest.approx(chance, abs=4 * np.std(draws))


@pytest.mark.integration
def test_headline_is_the_mean_over_attributes_and_per_cent_a_ratio_of_means() -> None:
    world = World(distance=12)
    noise = {
        k: list(np.random.default_rng(i).choice(["x", "y"], n))
        for i, (k, n) in enumerate({"train": 240, "reference": 120, "generated": 120}.items())
    }
    found = attribute_control(_with_attribute(world.inputs(), "random", **noise))
    tables = table(found, AttributeControl).attributes
    score = (tables["tissue"].weighted_f1 + tables["random"].weighted_f1) / 2
    real = (tables["tissue"].real_weighted_f1 + tables["random"].real_weighted_f1) / 2
    assert tables["random"].real_weighted_f1 < 0.7  # nothing to learn
    assert found.values["weighted_f1"] == pytest.approx(score)
    assert found.values["percent_of_real"] == pytest.approx(100 * score / real)


def test_an_untaught_attribute_is_left_out_with_its_reason() -> None:
    world = World(distance=12)
    slides = {"train": ["slide1"] * 240, "reference": ["slide2"] * 120, "generated": ["slide2"] * 120}
    constant = {k: ["H&E"] * len(v) for k, v in slides.items()}
    inputs = _with_attribute(_with_attribute(world.inputs(), "slide", **slides), "stain", **constant)
    found = attribute_control(inputs)
    control = table(found, AttributeControl)
    assert list(control.attributes) == ["tissue"]
    assert control.not_computed == {
        "slide": "no training images of slide2",
        "stain": "the training images have one class only",
    }
    assert found.values["weighted_f1"] == 1.0
    with pytest.raises(NotComputable, match=r"No attribute can be scored: slide: no training images of slide2"):
        attribute_control(inputs, attributes=["slide"])


def test_an_attribute_that_the_suite_lacks_is_named() -> None:
    with pytest.raises(NotComputable, match="no attribute 'grade'") as caught:
        attribute_control(World().inputs(), attributes=["grade"])
    assert "tissue" in caught.value.remedy


def test_a_ratio_to_real_images_that_none_reads_right_is_left_out_with_the_reason() -> None:
    """The real images stand under each other's classes, so that nothing can be said in per cent of them."""
    world = World(count=48, distance=12)
    turned = [CLASSES[(CLASSES.index(label) + 1) % 3] for label in world.labels]
    inputs = world.inputs()
    wrong = dataclasses.replace(inputs["reference"], labels={"tissue": tuple(turned)})
    found = attribute_control(inputs.replaced(reference=wrong), regularisation=[1.0])
    assert set(found.values) == {"weighted_f1"}
    assert "read none of the real images right" in table(found, AttributeControl).not_reported["percent_of_real"]
    assert set(found.uncertainty()) == {"weighted_f1"}
    assert set(found.paired()) == {"weighted_f1"}


def test_other_patients_than_the_prompts_have_an_interval_but_none_of_the_ratio() -> None:
    world = World(count=60, distance=6)
    inputs = world.inputs()
    fewer = inputs.replaced(reference=inputs["reference"].take(range(54)))
    found = attribute_control(fewer, regularisation=[1.0])
    intervals, contributions = found.uncertainty(), found.paired()
    assert isinstance(intervals["weighted_f1"], Interval)
    assert intervals["percent_of_real"] == (
        "No interval: the generated images do not answer the prompts of the same patients."
    )
    assert isinstance(contributions["weighted_f1"], Contributions)
    assert "do not answer the prompts of the reference images' patients" in str(contributions["percent_of_real"])


def test_seven_patients_are_too_few_for_an_interval_and_for_a_difference() -> None:
    found = attribute_control(World(count=42, distance=6).inputs(), regularisation=[1.0])
    reason = "the images come from 7 patients or slides, and at least 8 are needed."
    assert found.uncertainty() == dict.fromkeys(("weighted_f1", "percent_of_real"), f"No interval: {reason}")
    assert found.paired() == dict.fromkeys(("weighted_f1", "percent_of_real"), f"No paired difference: {reason}")


@pytest.mark.integration
def test_the_same_inputs_give_the_same_numbers() -> None:
    inputs = World(distance=2).inputs()
    assert attribute_control(inputs) == attribute_control(inputs)


@pytest.mark.integration
def test_the_penalty_is_chosen_on_training_images_by_group() -> None:
    # Each group has a look of its own that says nothing of the class. Whoever has seen the group knows it by heart, so
    # the weakest penalty is best; for new groups the best answer is "one half", which the strongest is nearest to.
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.choice(["x", "y"], 40), 6)
    groups = [f"patient{i // 6}" for i in range(240)]
    features = np.repeat(rng.normal(size=(40, 60)), 6, axis=0) + 0.01 * rng.normal(size=(240, 60))
    assert choose_regularisation(features, labels, groups, GRID, 0) == min(GRID)
    assert choose_regularisation(features, labels, [str(i) for i in range(240)], GRID, 0) == max(GRID)
    assert choose_regularisation(features, labels, groups, [0.5], 0) == 0.5
    assert choose_regularisation(features, labels, ["one"] * 240, GRID, 0) == 1.0


def test_a_classifier_that_does_not_converge_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unipath_bench.scoring.classifiers.linear.MAX_ITERATIONS", 1)
    with pytest.raises(NotComputable, match="did not converge in 1 iterations"):
        attribute_control(World(distance=2).inputs())
