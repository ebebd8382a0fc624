"""The three classifiers beside their peers, their calibration, and what is kept of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from torch.optim.adamw import adamw

from tests.scoring.scoring_worlds import World
from tests.tables import table
from unipath_bench.core.artifact_cache import Artifact, ArtifactCache
from unipath_bench.core.errors import UsageError
from unipath_bench.schema.details import AttributeControl, SyntheticTraining
from unipath_bench.scoring.classifiers.calibration import (
    calibration_error,
    fit_temperature,
    reliability,
    with_temperature,
)
from unipath_bench.scoring.classifiers.choosing import recipe_of
from unipath_bench.scoring.classifiers.head import AdamW, Head, MlpHead
from unipath_bench.scoring.classifiers.interface import Labelled
from unipath_bench.scoring.classifiers.linear import GRID, Linear
from unipath_bench.scoring.classifiers.neighbours import NearestNeighbours, Neighbours
from unipath_bench.scoring.classifiers.training import calibrate, fit, settle
from unipath_bench.scoring.control import attribute_control
from unipath_bench.scoring.utility import synthetic_training

KINDS: dict[str, dict[str, Any]] = {
    "linear": {"regularisation": [0.1, 1.0]},
    "knn": {"k": [1, 5]},
    "head": {"hidden": 8, "epochs": 30, "learning_rate": 0.02},
}


def images_of(world: World, groups: int = 6) -> Labelled:
    labels = np.asarray(world.labels, dtype=np.str_)
    return Labelled(world.images(world.labels), labels, tuple(f"p{i // groups}" for i in range(len(labels))))


def recipe(kind: str) -> Linear | Neighbours | Head:
    found = recipe_of({"kind": kind, **KINDS[kind]}, GRID)
    assert isinstance(found, Linear | Neighbours | Head)
    return found


class Shelf(ArtifactCache):
    """A cache in memory that counts what it found."""

    def __init__(self) -> None:
        super().__init__(Path())
        self.held: dict[str, Artifact] = {}
        self.found = 0

    def find(self, key: str) -> Artifact | None:
        self.found += key in self.held
        return self.held.get(key)

    def put(self, key: str, artifact: Artifact) -> None:
        self.held[key] = artifact


def test_a_linear_probe_is_scikit_learns_on_standardised_features() -> None:
    world = World(distance=2.0)
    taught, unseen = images_of(world), world.images(world.labels)
    probe = fit(recipe_of("linear", [0.1]), taught, 0)
    scaler = StandardScaler().fit(taught.features)
    peer = LogisticRegression(C=0.1, max_iter=2000).fit(scaler.transform(taught.features), taught.labels)
    assert probe.classes == peer.classes_.tolist()
    np.testing.assert_allclose(probe.probabilities(unseen), peer.predict_proba(scaler.transform(unseen)), atol=1e-6)
    assert (probe.predict(unseen) == peer.predict(scaler.transform(unseen))).all()


def test_nearest_neighbours_vote_as_scikit_learns() -> None:
    world = World(count=90, distance=1.5)
    taught, unseen = images_of(world), world.images(world.labels)
    two = Labelled(taught.features, np.where(taught.labels == "gland", "yes", "no"), taught.groups)
    found = fit(recipe_of({"kind": "knn", "k": [7]}, GRID), two, 0)
    scaler = StandardScaler().fit(two.features)
    peer = KNeighborsClassifier(7).fit(scaler.transform(two.features), two.labels)
    assert (found.predict(unseen) == peer.predict(scaler.transform(unseen))).all()
    votes = 7 * peer.predict_proba(scaler.transform(unseen))
    np.testing.assert_allclose(found.probabilities(unseen), (votes + 1) / 9, atol=1e-12)  # Laplace: + 1 of 7 + 2


def test_equal_votes_go_to_the_class_of_the_nearest_image() -> None:
    # One dimension; from 0.0 the nearest are b at 1, a at -2, a at -3, b at 4: two votes each, b is nearest.
    taught = np.asarray([[1.0], [-2.0], [-3.0], [4.0]])
    found = NearestNeighbours(taught, np.asarray(["b", "a", "a", "b"]), 20)
    assert found.k == 2  # two images of each class
    assert NearestNeighbours(taught, np.asarray(["b", "a", "a", "b"]), 1).predict(np.zeros((1, 1))).tolist() == ["b"]
    assert found.predict(np.zeros((1, 1))).tolist() == ["b"]  # of b and a with a vote each
    assert found.predict(np.full((1, 1), -9.0)).tolist() == ["a"]


def exclusive_or(count: int, seed: int) -> Labelled:
    """Classes that no plane parts: the sign of a product."""
    rng = np.random.default_rng(seed)
    features = rng.uniform(-1, 1, (count, 2))
    labels = np.where(features.prod(1) > 0, "same", "other")
    return Labelled(features, labels, tuple(f"p{i // 4}" for i in range(count)))


@pytest.mark.integration
def test_the_head_learns_what_no_plane_parts() -> None:
    taught, unseen = exclusive_or(600, 0), exclusive_or(400, 1)
    right = {
        kind: float(np.mean(fit(found, taught, 0).predict(unseen.features) == unseen.labels))
        for kind, found in {"linear": recipe_of("linear", [1.0]), "head": Head(hidden=32, learning_rate=0.01)}.items()
    }
    assert right["linear"] < 0.62  # one half, and what a lucky plane wins
    assert right["head"] > 0.93


def test_the_head_is_the_network_that_torch_makes_of_its_weights() -> None:
    taught = exclusive_or(120, 0)
    head = fit(Head(hidden=8, epochs=5), taught, 0)
    arrays = {name: torch.from_numpy(array) for name, array in head.artifact().arrays.items()}
    network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.GELU(), torch.nn.Linear(8, 2)).double()
    network.load_state_dict(
        {
            "0.weight": arrays["hidden"].T,
            "0.bias": arrays["hidden_bias"],
            "2.weight": arrays["out"].T,
            "2.bias": arrays["out_bias"],
        }
    )
    x = (torch.from_numpy(taught.features) - arrays["mean"]) * arrays["scale"]
    with torch.no_grad():
        peer = network(x).softmax(1).numpy()
    np.testing.assert_allclose(head.probabilities(taught.features), peer, atol=1e-12)


def test_the_optimiser_steps_as_torchs() -> None:
    rng = np.random.default_rng(0)
    target = torch.from_numpy(rng.normal(size=(4, 3)))
    ours, theirs = (torch.zeros(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    mine = AdamW([ours], 0.1, 0.05)
    state = [[torch.zeros_like(target)] for _ in range(2)]
    for step in range(5):
        mine.step(((ours - target) ** 3).abs().sum())
        loss = ((theirs - target) ** 3).abs().sum()
        with torch.no_grad():
            gradient = torch.autograd.grad(loss, theirs)[0]
            adamw(
                [theirs],
                [gradient],
                state[0],
                state[1],
                [],
                [torch.tensor(float(step))],
                foreach=False,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=0.1,
                weight_decay=0.05,
                eps=1e-8,
                maximize=False,
            )
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), atol=1e-12)


@pytest.mark.integration
def test_the_head_stops_early_by_patients_that_it_did_not_see() -> None:
    # Each patient has a look and a class of its own, which say nothing of the others: the first epochs are the best.
    rng = np.random.default_rng(0)
    labels = np.repeat(np.asarray(["x", "y"])[rng.integers(0, 2, 40)], 6)
    features = np.repeat(rng.normal(size=(40, 60)), 6, axis=0) + 0.01 * rng.normal(size=(240, 60))
    recipe = Head(hidden=32, epochs=120, learning_rate=0.01)
    by_patient = fit(recipe, Labelled(features, labels, tuple(f"p{i // 6}" for i in range(240))), 0)
    by_image = fit(recipe, Labelled(features, labels, tuple(map(str, range(240)))), 0)
    assert isinstance(by_patient, MlpHead)
    assert isinstance(by_image, MlpHead)
    assert by_patient.epochs < 20 < by_image.epochs
    assert by_patient.stopped_by % 6 == 0  # whole patients
    alone = fit(Head(epochs_unchecked=3), Labelled(features, labels, ("one",) * 240), 0)
    assert isinstance(alone, MlpHead)
    assert (alone.epochs, alone.stopped_by) == (3, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_images_give_the_same_bits_whatever_the_threads(kind: str) -> None:
    taught = images_of(World(distance=2.0))
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    first = fit(settle(recipe(kind), taught, 0), taught, 0).probabilities(taught.features)
    torch.set_num_threads(2)
    again = fit(settle(recipe(kind), taught, 0), taught, 0).probabilities(taught.features)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert first.tobytes() == again.tobytes()
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_allclose(first.sum(1), 1.0, atol=1e-12)


def test_k_is_chosen_over_groups() -> None:
    # Relatives are alike and have their patient's class, which says nothing of other patients: one neighbour knows it
    # all where relatives are in training, and many neighbours guess best where they are not.
    rng = np.random.default_rng(0)
    labels = np.repeat(np.asarray(["x", "y"])[np.arange(40) % 2], 6)
    features = np.repeat(rng.normal(size=(40, 30)), 6, axis=0) + 0.01 * rng.normal(size=(240, 30))
    grid = Neighbours(k=(5, 100))  # 100 is cut down to the images of the rarer class: some 80 in training
    patients = Labelled(features, labels, tuple(f"p{i // 6}" for i in range(240)))
    images = Labelled(features, labels, tuple(map(str, range(240))))
    assert grid.settled(patients, 0).k == (100,)
    assert grid.settled(images, 0).k == (5,)
    assert grid.settled(Labelled(features, labels, ("one",) * 240), 0).k == (5,)


@pytest.mark.parametrize(("sure", "right"), [(3.0, 0.75), (0.5, 0.9), (2.0, 0.6)])
def test_the_temperature_is_the_closed_form_one(sure: float, right: float) -> None:
    # Two classes, every image has log-odds `sure` for the first, which is right for a share `right`: the log-loss is
    # least where sigmoid(sure / T) = right, that is T = sure / logit(right).
    probabilities = np.tile([1 / (1 + math.exp(-sure)), 1 / (1 + math.exp(sure))], (200, 1))
    columns = (np.arange(200) >= 200 * right).astype(np.int64)
    found = fit_temperature(probabilities, columns)
    assert found == pytest.approx(sure / math.log(right / (1 - right)), rel=1e-4)
    assert calibration_error(with_temperature(probabilities, found), columns) == pytest.approx(0, abs=1e-4)


def test_reliability_by_hand() -> None:
    # Ten images at confidence 0.9, eight right; ten at 0.6, six right: 0.5 |0.8 - 0.9| + 0.5 |0.6 - 0.6| = 0.05.
    probabilities = np.repeat([[0.9, 0.1], [0.6, 0.4]], 10, axis=0)
    columns = np.asarray([0] * 8 + [1] * 2 + [0] * 6 + [1] * 4)
    rows = reliability(probabilities, columns)
    assert [(row.images, row.accuracy) for row in rows] == [(10, 0.6), (10, 0.8)]
    assert [row.confidence for row in rows] == pytest.approx([0.6, 0.9])
    assert all(row.above < row.confidence <= row.up_to + 1e-12 for row in rows)
    assert calibration_error(probabilities, columns) == pytest.approx(0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.05, 20))
def test_a_temperature_changes_no_answer(seed: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(4), 30)
    columns = rng.integers(0, 4, 30)
    scaled = with_temperature(probabilities, temperature)
    assert (scaled.argmax(1) == probabilities.argmax(1)).all()
    np.testing.assert_allclose(scaled.sum(1), 1.0)
    rows = reliability(probabilities, columns)
    error = sum(row.images / 30 * abs(row.accuracy - row.confidence) for row in rows)
    assert calibration_error(probabilities, columns) == pytest.approx(error, abs=1e-12)


def test_the_temperature_comes_of_patients_that_were_not_trained_on() -> None:
    # Nothing to learn, more dimensions than images: the probe is sure and no better than chance, so T must be high.
    rng = np.random.default_rng(0)
    labels = np.asarray(["x", "y"])[rng.integers(0, 2, 120)]
    noise = Labelled(rng.normal(size=(120, 200)), labels, tuple(f"p{i // 4}" for i in range(120)))
    found = calibrate(recipe_of("linear", [10.0]), noise, 0)
    assert found is not None
    assert found.temperature > 3
    assert 120 / 6 < found.images < 120 / 2
    assert calibrate(recipe_of("linear", [10.0]), Labelled(noise.features, labels, ("one",) * 120), 0) is None


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_kept_is_the_same_bit_by_bit_and_is_not_trained_again(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught, shelf = images_of(World(distance=2.0)), Shelf()
    first = settle(recipe(kind), taught, 0, shelf)
    trained, calibration = fit(first, taught, 0, shelf), calibrate(first, taught, 0, shelf)
    assert (len(shelf.held), shelf.found) == (3, 0)
    fresh = fit(first, taught, 0)

    def trained_again(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(type(first), "fit", trained_again)
    monkeypatch.setattr(type(first), "settled", trained_again)
    assert settle(recipe(kind), taught, 0, shelf) == first
    assert calibrate(first, taught, 0, shelf) == calibration
    again = fit(first, taught, 0, shelf)
    for one in (trained, again):
        assert one.classes == fresh.classes
        assert one.probabilities(taught.features).tobytes() == fresh.probabilities(taught.features).tobytes()
        assert (one.predict(taught.features) == fresh.predict(taught.features)).all()
    for other, seed in (
        (Labelled(taught.features, taught.labels[::-1].copy(), taught.groups), 0),
        (Labelled(np.nextafter(taught.features, 9), taught.labels, taught.groups), 0),
        (Labelled(taught.features, taught.labels, taught.groups[::-1]), 0),
        (taught, 1),
    ):
        with pytest.raises(AssertionError, match="trained again"):
            fit(first, other, seed, shelf)


@pytest.mark.integration
@pytest.mark.parametrize("kind", KINDS)
def test_both_scorers_take_any_of_them(kind: str) -> None:
    inputs, shelf = World(distance=12).inputs(), Shelf()
    chosen = {"kind": kind, **KINDS[kind]}
    found = attribute_control(inputs, classifier=chosen)
    assert found.values == pytest.approx({"weighted_f1": 1.0, "percent_of_real": 100.0}, abs=1e-9)
    tissue = table(found, AttributeControl).attributes["tissue"]
    assert tissue.classifier["kind"] == kind
    assert (tissue.regularisation is not None) == (kind == "linear")
    assert sum(row.images for row in tissue.calibration.reliability) == 120
    assert tissue.calibration.ece_with_temperature is not None
    assert tissue.calibration.ece_with_temperature < 0.05
    taught = synthetic_training(inputs, classifier=chosen, budgets=(10,), draws=1, folds=2)
    assert taught.values["synthetic_weighted_f1"] > 0.98
    assert table(taught, SyntheticTraining).classifier["kind"] == kind
    for scorer, parameters in (
        (attribute_control, {}),
        (synthetic_training, {"budgets": (10,), "draws": 1, "folds": 2}),
    ):
        kept = type(inputs)(inputs.sets, inputs.seed, shelf)
        without = scorer(inputs, classifier=chosen, **parameters)
        assert scorer(kept, classifier=chosen, **parameters) == without
        before, found_before = len(shelf.held), shelf.found
        assert scorer(kept, classifier=chosen, **parameters) == without
        assert len(shelf.held) == before
        assert shelf.found > found_before


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("forest", r"kind 'forest'"),
        ({"hidden": 3}, r"kind ''"),
        ({"kind": "head", "hiden": 3}, r"did you mean 'hidden'"),
        ({"kind": "knn", "k": []}, r"(?s)Neighbours.*k:"),
    ],
)
def test_a_classifier_that_is_not_there_is_a_usage_error(choice: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        attribute_control(World().inputs(), classifier=choice)
