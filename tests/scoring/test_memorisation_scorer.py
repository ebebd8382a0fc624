"""The memorisation audit on copies, on honest images, and by hand in one dimension."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.scoring.scoring_worlds import World, feature_set, matrix_of
from tests.tables import table
from unipath_bench.contracts import FeatureSet, ScoreInputs
from unipath_bench.core.errors import DataError
from unipath_bench.schema.details import Memorisation, Pair
from unipath_bench.scoring.memorisation import memorisation


def test_training_images_handed_out_are_caught() -> None:
    world = World()
    inputs = world.inputs()
    train = dataclasses.replace(inputs["train"], pixel_digests=tuple(f"p{i}" for i in range(240)))
    generated = dataclasses.replace(
        inputs["generated"], images=matrix_of(train)[:120], pixel_digests=tuple(f"p{i}" for i in range(120))
    )
    found = memorisation(inputs.replaced(train=train, generated=generated))
    assert found.values == {"copied_fraction": 1.0, "authenticity": 0.0}
    audit = table(found, Memorisation)
    assert audit.flagged is True
    assert audit.exact_copies == 120
    assert (audit.copied_groups, audit.train_groups) == (20, 40)  # six images a group
    assert audit.pairs[0] == Pair(generated="s0", replicate=0, train="t0", distance=0.0, copied=True)
    assert len(audit.pairs) == 12


def test_honest_images_are_copied_at_about_the_quantile_and_not_flagged() -> None:
    found = memorisation(World(count=900).inputs())
    # Generated and real distances are alike: 900 draws under an estimated 1% quantile.
    assert found.values["copied_fraction"] < 0.025
    audit = table(found, Memorisation)
    assert audit.flagged is False
    assert audit.exact_copies is None  # no pixels were given
    assert audit.distances.generated[50] == pytest.approx(audit.distances.real[50], rel=0.05)
    assert len(audit.distances.real) == 101


def test_one_in_ten_copied_is_flagged_and_one_in_twenty_is_not() -> None:
    world = World(count=300)
    inputs = world.inputs()
    far = matrix_of(inputs["generated"]) + np.float32(50)
    for share, flagged in ((30, True), (15, False)):
        images = far.copy()
        images[:share] = matrix_of(inputs["train"])[:share]
        found = memorisation(inputs.replaced(generated=dataclasses.replace(inputs["generated"], images=images)))
        assert found.values["copied_fraction"] == pytest.approx(share / 300)
        # P(X >= 30) for 300 at 5% is 0.0003 < 1%; P(X >= 15) is about one half.
        assert table(found, Memorisation).flagged is flagged


def test_authenticity_by_hand_in_one_dimension() -> None:
    train = feature_set([[0.0], [1.0], [10.0]], groups=["a", "a", "b"])
    other = feature_set([[5.0], [6.0]])
    inputs = ScoreInputs(
        {"train": train, "reference": other, "heldout": other, "generated": feature_set([[4.0], [-20.0]])}
    )
    found = memorisation(inputs)
    # 4 is 3 from its nearest, 1, which is 9 from the nearest of another group (10): not authentic. -20 is 20 from its
    # nearest, 0, which is 10 from the other group: authentic. Scaling by the spread changes no comparison.
    assert found.values["authenticity"] == 0.5
    spread = np.std([0, 1, 10])
    assert [pair.distance for pair in table(found, Memorisation).pairs] == pytest.approx([3 / spread, 20 / spread])
    alone = dataclasses.replace(train, groups=("a", "a", "a"))
    lone = table(memorisation(inputs.replaced(train=alone)), Memorisation)
    assert "one group" in lone.not_reported["authenticity"]


def test_a_held_out_image_that_stands_for_many_prompts_counts_once() -> None:
    train = feature_set([[0.0], [1.0]], groups=["a", "b"])
    reference = feature_set([[2.0], [3.0]])
    once = feature_set([[101.0]])
    often = feature_set([[101.0]] * 50, pixels=["same"] * 50)
    common = {"train": train, "reference": reference, "generated": feature_set([[9.0]])}
    thresholds = [
        table(memorisation(ScoreInputs({**common, "heldout": heldout}), quantile=0.5), Memorisation).threshold
        for heldout in (once, often)
    ]
    # Distances 1, 2 and 100 in units of the spread (1/2): the median is 4 in both.
    assert thresholds == pytest.approx([4.0, 4.0])


def test_constant_dimensions_are_left_out() -> None:
    def wide(column: list[float]) -> FeatureSet:
        return feature_set([[x, 7.0] for x in column], groups=[f"g{i}" for i in range(len(column))])

    sets = {
        "train": wide([0.0, 2.0]),
        "reference": wide([1.0, 3.0]),
        "heldout": wide([5.0, 6.0]),
        "generated": wide([4.0]),
    }
    found = memorisation(ScoreInputs(sets))
    assert found.dimension == 1
    assert table(found, Memorisation).pairs[0].distance == pytest.approx(2.0)  # 4 - 2, in units of the spread 1


def test_the_flags_bound_in_closed_form() -> None:
    world = World(count=30)
    inputs = world.inputs()
    copies = dataclasses.replace(inputs["generated"], images=matrix_of(inputs["train"])[:30])
    # All of n copied: the bound p solves p^n = 1 - confidence.
    found = memorisation(inputs.replaced(generated=copies), confidence=0.9)
    assert table(found, Memorisation).copied_fraction_lower_bound == pytest.approx(0.1 ** (1 / 30))


def test_nan_in_the_training_set_names_the_image() -> None:
    inputs = World().inputs()
    images = matrix_of(inputs["train"]).copy()
    images[3, 0] = np.nan
    with pytest.raises(DataError, match=r"(?s)train set.*t3"):
        memorisation(inputs.replaced(train=dataclasses.replace(inputs["train"], images=images)))
