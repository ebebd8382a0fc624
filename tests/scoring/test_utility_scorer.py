"""Tier 4, training on synthetic images: useful ones, useless ones, and copies of the test cases."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.scoring.scoring_worlds import CLASSES, World, feature_set
from tests.tables import table
from unipath_bench.contracts import ScoreInputs
from unipath_bench.core.errors import NotComputable, UsageError
from unipath_bench.schema.details import SameSize, SyntheticTraining
from unipath_bench.scoring.utility import IMAGES_NOTE, synthetic_training

FAST = {"budgets": (5, 10), "draws": 2, "folds": 4}


def test_images_as_good_as_reality_teach_as_reality_does() -> None:
    found = synthetic_training(World(distance=12).inputs(seeds=2), **FAST)
    assert found.values["synthetic_weighted_f1"] == 1.0
    chance, best = found.anchors["synthetic_weighted_f1"]
    assert best == 1.0
    # Three equal classes answered rightly and dealt out at random: 1/3 but for the sampling without replacement.
    assert chance == pytest.approx(1 / 3, abs=0.01)
    training = table(found, SyntheticTraining)
    assert [row.labels_per_class for row in training.budgets] == [5, 10]
    assert training.folds == 4
    # 240 images of 3 classes, three of four folds to train on: 60 a class wanted, and there.
    assert training.same_size["gland"] == SameSize(wanted=60, have=80)


def test_images_under_wrong_labels_teach_nothing() -> None:
    world = World(count=240, distance=12)
    rotated = [world.labels[(i + 1) % world.count] for i in range(world.count)]
    found = synthetic_training(world.inputs(generated=world.images(rotated)), **FAST)
    assert found.values["synthetic_weighted_f1"] == 0.0  # every answer is the class that the images show: always wrong
    assert found.values["augmentation_gain"] < -0.5


def test_many_good_images_help_where_real_ones_are_few() -> None:
    found = synthetic_training(World(count=240, dimension=60, distance=2.5).inputs(seeds=2), **FAST)
    rows = table(found, SyntheticTraining).budgets
    assert found.values["augmentation_gain"] == pytest.approx(np.mean([row.gain for row in rows]))
    for row in rows:
        assert row.gain == pytest.approx(row.real_plus_synthetic - row.real)
    assert rows[0].gain > 0.1
    assert rows[0].gain > rows[1].gain


def test_copies_of_the_test_cases_do_not_leak_into_the_score() -> None:
    # No class signal, more dimensions than images: a classifier trained on the copies knows each case by heart.
    rng = np.random.default_rng(0)
    labels = [("x", "y")[i] for i in rng.integers(0, 2, 120)]
    groups = [f"patient{i // 4}" for i in range(120)]
    noise = rng.normal(size=(120, 400))
    inputs = ScoreInputs(
        {
            "reference": feature_set(noise, labels, groups=groups),
            "generated": feature_set(noise, labels, groups=groups),
            "train": feature_set(rng.normal(size=(120, 400)), labels),
        }
    )
    found = synthetic_training(inputs, **FAST)
    # Without folds it would be 1. Binomial standard deviation at 1/2 with 120 cases: 0.046.
    assert found.values["synthetic_weighted_f1"] < 0.5 + 4 * 0.046


def test_no_group_is_trained_and_tested_on() -> None:
    # As above, but relatives share their features: leaving out the case alone would not do.
    rng = np.random.default_rng(1)
    per_group = [("x", "y")[i] for i in rng.integers(0, 2, 40)]
    labels = [label for label in per_group for _ in range(4)]
    groups = [f"patient{i // 4}" for i in range(160)]
    shared = np.repeat(rng.normal(size=(40, 400)), 4, axis=0) + 0.01 * rng.normal(size=(160, 400))
    inputs = ScoreInputs(
        {
            "reference": feature_set(shared, labels, groups=groups),
            "generated": feature_set(shared, labels, groups=groups),
            "train": feature_set(rng.normal(size=(160, 400)), labels),
        }
    )
    found = synthetic_training(inputs, **FAST)
    # 40 independent groups: standard deviation 0.079.
    assert found.values["synthetic_weighted_f1"] < 0.5 + 4 * 0.079


def test_budgets_beyond_the_training_split_are_left_out_and_said() -> None:
    found = synthetic_training(World(count=60).inputs(), budgets=(10, 41), draws=1, folds=3)
    # 120 training images of three classes: 40 each.
    training = table(found, SyntheticTraining)
    assert [row.labels_per_class for row in training.budgets] == [10]
    assert training.budgets_left_out == {"41": "the training split has 40 images of its rarest class"}
    none = synthetic_training(World(count=60).inputs(), budgets=(41,), draws=1, folds=3)
    assert "augmentation_gain" not in none.values
    assert "no budget can be met" in table(none, SyntheticTraining).not_reported["augmentation_gain"]


def test_what_cannot_be_taught_is_not_computable() -> None:
    world = World(count=30)
    inputs = world.inputs()
    one_class = feature_set(np.eye(30), ["gland"] * 30)
    with pytest.raises(NotComputable, match="one class"):
        synthetic_training(inputs.replaced(reference=one_class), **FAST)
    with pytest.raises(NotComputable, match="no images of the classes gland, stroma"):
        synthetic_training(inputs.replaced(train=feature_set(np.eye(8), ["necrosis"] * 8)), **FAST)
    by_class = feature_set(world.images(world.labels), world.labels, groups=world.labels)
    with pytest.raises(NotComputable, match=r"gland, necrosis, stroma.*come from one group each"):
        synthetic_training(inputs.replaced(reference=by_class), **FAST)


def test_folds_across_something_else_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="`across` is 'slides'") as caught:
        synthetic_training(World(count=30).inputs(), across="slides", **FAST)
    assert caught.value.remedy == "It is groups or images."


def test_folds_across_images_want_one_prompt_a_class() -> None:
    """Another wording may say something of the single image, which then helps on its own case."""
    inputs = World(count=30, distance=12).inputs()
    reference = inputs["reference"]
    found = synthetic_training(inputs, across="images", budgets=(), draws=1, folds=3)
    assert found.values["synthetic_weighted_f1"] == 1.0
    assert found.paired()["synthetic_weighted_f1"] == IMAGES_NOTE
    told = dataclasses.replace(reference, prompts=("tissue with a gland of patient 7", *reference.prompts[1:]))
    with pytest.raises(NotComputable, match="The classes gland have several prompts"):
        synthetic_training(inputs.replaced(reference=told), across="images", **FAST)


def test_a_class_of_one_block_of_patients_has_no_paired_difference() -> None:
    """Two patients have stroma: in each fold one of them is tested on, and the other taught it alone."""
    world = World(count=60, distance=12)
    labels = ["stroma" if i // 6 in (0, 5) else CLASSES[i % 2] for i in range(world.count)]
    inputs = world.inputs()
    sets = {
        name: dataclasses.replace(
            inputs[name], images=world.images(labels).astype(np.float32), labels={"tissue": tuple(labels)}
        )
        for name in ("reference", "generated")
    }
    found = synthetic_training(inputs.replaced(**sets), budgets=(), draws=1, folds=2)
    assert found.paired()["synthetic_weighted_f1"] == (
        "No paired difference: without some block of patients a class has no training images."
    )


@pytest.mark.integration
def test_the_same_inputs_give_the_same_numbers() -> None:
    inputs = World(count=60, distance=2).inputs()
    assert synthetic_training(inputs, **FAST) == synthetic_training(inputs, **FAST)
