"""The ends of a scale by substitution, and the positions between them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scoring.scoring_worlds import World, feature_set, matrix_of
from unipath_bench.contracts import FeatureSet, Measurement, ScoreInputs, metric
from unipath_bench.core.errors import NotComputable
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.anchors import (
    anchored,
    derangement,
    in_generators_place,
    medoid,
    position,
    required,
)


def _spec(**anchors: object) -> TaskSpec:
    values = {name: {"title": name, "direction": "higher", "good_end": kind} for name, kind in anchors.items()}
    return TaskSpec.model_validate(
        {
            "name": "probe",
            "tier": 1,
            "version": 1,
            "title": "t",
            "summary": "s",
            "metric": "m",
            "headline": next(iter(values)),
            "values": values,
        }
    )


@metric("generated.images")
def first_column(inputs: ScoreInputs) -> Measurement:
    """Mean of the first feature, weighted so that the order of the images matters."""
    column = matrix_of(inputs["generated"])[:, 0].astype(float)
    value = float(column @ np.arange(1, len(column) + 1))
    return Measurement({"value": value, "again": value}, n_images=len(column), anchors={"value": (None, 3.5)})


def _inputs() -> ScoreInputs:
    labels = ["a", "b", "a", "b"]
    ids = ["s0", "s1", "s2", "s3"]
    return ScoreInputs(
        {
            "generated": feature_set(np.zeros((8, 1)), labels * 2, ids=ids * 2, replicates=[0] * 4 + [1] * 4),
            # Other row orders than the prompts': rows are matched by id.
            "reference": feature_set([[10.0], [20], [30], [40]], labels[::-1], ids=ids[::-1]),
            "heldout": feature_set([[2.0], [0.0], [1.0], [7.0]], ["b", "a", "a", "b"], ids=["s1", "s0", "s2", "s3"]),
        }
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (0.25, 0.25),
        ("none", None),
        ("analytic", 3.5),
        # held out, in the order of the prompts: 0, 2, 1, 7 times 1, 2, 3, 4
        ("real", 0 + 4 + 3 + 28),
        # reference: 40, 30, 20, 10
        ("reference", 40 + 60 + 60 + 40),
        # the mean of 0, 2, 1, 7 is 2.5: 2 is nearest, times 10
        ("constant", 20),
    ],
)
def test_each_kind_of_anchor(kind: object, expected: float | None) -> None:
    measured, anchors = anchored(first_column, _inputs(), {}, _spec(value=kind))
    assert measured.n_images == 8
    assert anchors["value"].good_end == expected
    assert (anchors["value"].good_end_source != "") == (expected is not None)
    assert anchors["value"].bad_end is None


def test_shuffled_gives_every_prompt_an_image_of_the_other_class() -> None:
    seen = []

    @metric("generated.images")
    def spy(inputs: ScoreInputs) -> Measurement:
        seen.append(inputs["generated"])
        return Measurement({"value": 0.0}, n_images=1)

    anchored(spy, _inputs(), {}, _spec(value="shuffled"))
    shuffled: FeatureSet = seen[1]
    assert shuffled.ids == ("s0", "s1", "s2", "s3")
    assert shuffled.labels == {"tissue": ("a", "b", "a", "b")}
    # s0 and s2 (class a) hold the values 0 and 1, s1 and s3 (class b) 2 and 7: they have changed places.
    assert {float(x) for x in matrix_of(shuffled)[[0, 2], 0]} == {2.0, 7.0}
    assert {float(x) for x in matrix_of(shuffled)[[1, 3], 0]} == {0.0, 1.0}


def test_an_anchor_is_measured_once_for_all_values() -> None:
    calls = []

    @metric("generated.images")
    def counted(inputs: ScoreInputs) -> Measurement:
        calls.append(len(inputs["generated"]))
        return Measurement({"value": 1.0, "again": 2.0}, n_images=1)

    _, anchors = anchored(counted, _inputs(), {}, _spec(value="real", again="real"))
    assert calls == [8, 4]
    assert (anchors["value"].good_end, anchors["again"].good_end) == (1.0, 2.0)


def test_an_anchor_that_cannot_be_computed_says_why() -> None:
    @metric("generated.images")
    def wants_eight(inputs: ScoreInputs) -> Measurement:
        if len(inputs["generated"]) < 8:
            raise NotComputable("eight are needed.")
        return Measurement({"value": 1.0}, n_images=8)

    _, anchors = anchored(wants_eight, _inputs(), {}, _spec(value="real"))
    assert anchors["value"].good_end is None
    assert anchors["value"].good_end_source == "not computed: eight are needed."
    without = ScoreInputs({"generated": _inputs()["generated"]})
    _, anchors = anchored(first_column, without, {}, _spec(value="real"))
    assert anchors["value"].good_end_source == "not computed: the suite has no heldout images"


def test_the_generators_place_keeps_prompts_texts_and_labels() -> None:
    world = World(count=6)
    inputs = world.inputs(seeds=3)
    placed = in_generators_place(inputs, inputs["heldout"])
    assert len(placed) == 6
    assert placed.labels == {"tissue": tuple(world.labels)}
    texts = inputs["generated"].texts
    assert texts is not None
    np.testing.assert_array_equal(placed.texts, texts[:6])
    np.testing.assert_array_equal(placed.images, inputs["heldout"].images)


def test_required_adds_what_the_anchors_read() -> None:
    assert required(_spec(value="none"), first_column) == {"generated.images"}
    assert required(_spec(value="constant"), first_column) == {"generated.images", "heldout.images"}
    both = _spec(value="shuffled", again="reference")
    assert required(both, first_column) == {"generated.images", "heldout.images", "reference.images"}


def test_medoid_has_the_least_sum_of_squared_distances() -> None:
    points = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    sums = [np.square(points - point).sum() for point in points]
    assert medoid(points) == int(np.argmin(sums))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=24), st.integers(0, 5))
def test_derangement_moves_every_row_and_leaves_no_class_in_its_place(labels: list[str], seed: int) -> None:
    rows = derangement(feature_set(np.eye(len(labels)), labels), seed)
    assert sorted(rows) == list(range(len(labels)))
    assert all(row != i for i, row in enumerate(rows))
    largest = max(labels.count(name) for name in labels)
    if len(set(labels)) > 1 and largest <= len(labels) / 2:
        assert all(labels[row] != labels[i] for i, row in enumerate(rows))


def test_derangement_falls_to_prompts_and_ids_where_labels_are_all_the_same() -> None:
    alike = feature_set(np.eye(4), ["a"] * 4, prompts=["x", "x", "y", "y"])
    rows = derangement(alike, 0)
    assert {rows[0], rows[1]} == {2, 3}
    none = dataclasses.replace(alike, labels={}, prompts=("x",) * 4)
    assert all(row != i for i, row in enumerate(derangement(none, 0)))


@pytest.mark.parametrize(
    ("value", "ends", "expected"),
    [
        (2.0, (2.0, 6.0), 0.0),
        (6.0, (2.0, 6.0), 100.0),
        (3.0, (2.0, 6.0), 25.0),
        (7.0, (2.0, 6.0), 125.0),
        (2.0, (6.0, 2.0), 100.0),
        (6.0, (6.0, 2.0), 0.0),
        (8.0, (6.0, 2.0), -50.0),
    ],
)
def test_the_position_runs_from_the_bad_end_to_the_good(
    value: float, ends: tuple[float, float], expected: float
) -> None:
    assert position(value, *ends) == pytest.approx(expected)


def test_there_is_no_position_without_both_ends() -> None:
    assert position(1.0, None, 2.0) is None
    assert position(1.0, 0.0, None) is None
    assert position(1.0, 2.0, 2.0) is None
