"""The signatures of known generators on real H&E tiles, in plain colour and texture statistics."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.scoring.scoring_worlds import matrix_of
from tests.tables import table
from unipath_bench.contracts import FeatureSet, ScoreInputs
from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.registries import METRICS
from unipath_bench.schema.details import AttributeControl, Memorisation
from unipath_bench.schema.record import TaskScore, Value
from unipath_bench.scoring.anchors import derangement
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.scoring.control import attribute_control
from unipath_bench.scoring.evaluate import evaluate

pytestmark = pytest.mark.integration

TASKS = load_tasks()
TILES = {"train": 400, "test": 200}


def _statistics(image: np.ndarray) -> np.ndarray:
    """Mean, standard deviation and gradient of each channel's optical density at two scales: 18 numbers."""
    numbers = []
    for step in (2, 8):
        density = -np.log((image[::step, ::step].astype(float) + 1) / 256)
        gradient = np.abs(np.diff(density, axis=0)).mean((0, 1))
        numbers += [density.mean((0, 1)), density.std((0, 1)), gradient]
    return np.concatenate(numbers)


def _load(folder: Path, rows: list[dict[str, str]]) -> FeatureSet:
    images = [np.asarray(Image.open(folder / row["file_name"]).convert("RGB")) for row in rows]
    features = np.stack([_statistics(image) for image in images]).astype(np.float32)
    return FeatureSet(
        ids=tuple(row["file_name"] for row in rows),
        images=features,
        prompts=tuple(row["text"] for row in rows),
        labels={"label": tuple(row["label"] for row in rows)},
        groups=tuple(row["group"] for row in rows),
        replicates=(0,) * len(rows),
        pixel_digests=tuple(pixel_digest(image) for image in images),
    )


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _standardised(features: np.ndarray | None, train: np.ndarray) -> np.ndarray:
    return ((features - train.mean(0)) / train.std(0)).astype(np.float32)


@pytest.fixture(scope="module")
def tiles(real_tiles: Path) -> ScoreInputs:
    """200 prompts with a held-out tile of the same label each, and 400 training tiles of other groups."""
    rng = np.random.default_rng(0)
    test, train = _rows(real_tiles / "test"), _rows(real_tiles / "train")
    reference = _load(real_tiles / "test", [test[i] for i in rng.permutation(len(test))[: TILES["test"]]])
    order = [train[i] for i in rng.permutation(len(train))]
    groups = sorted({row["group"] for row in order})
    aside = set(rng.permutation(groups)[: len(groups) // 2].tolist())
    pool = [row for row in order if row["group"] in aside]
    by_label: dict[str, list[dict[str, str]]] = {}
    for row in pool:
        by_label.setdefault(row["label"], []).append(row)
    labels = reference.labels["label"]
    matched = [by_label[name][labels[:i].count(name) % len(by_label[name])] for i, name in enumerate(labels)]
    heldout = _load(real_tiles / "train", matched)
    taught = _load(real_tiles / "train", [row for row in order if row["group"] not in aside][: TILES["train"]])
    scale = matrix_of(taught)
    sets = {"reference": reference, "heldout": heldout, "train": taught}
    scaled = {k: dataclasses.replace(s, images=_standardised(matrix_of(s), scale)) for k, s in sets.items()}
    scaled["heldout"] = dataclasses.replace(
        scaled["heldout"], ids=reference.ids, prompts=reference.prompts, groups=reference.groups
    )
    return ScoreInputs({**scaled, "generated": scaled["heldout"]})


def _score(name: str, tiles: ScoreInputs, rows: FeatureSet) -> TaskScore:
    """A task for the images of ``rows`` as the answers to the prompts, in order."""
    generated = dataclasses.replace(tiles["generated"], images=rows.images, pixel_digests=rows.pixel_digests)
    outcome = evaluate(TASKS[name], METRICS.get(TASKS[name].metric), tiles.replaced(generated=generated))
    assert outcome.status == "computed", outcome.reason
    return outcome


def place(value: Value) -> float:
    """Percent of the value's range."""
    assert value.position is not None
    return value.position


def above_bad_end(value: Value) -> float:
    """How far a value lies above the bad end of its scale."""
    assert value.bad_end is not None
    return value.value - value.bad_end


def _memorised(tiles: ScoreInputs) -> FeatureSet:
    """A training tile of the prompt's label for each prompt."""
    rows: dict[str, list[int]] = {}
    for i, label in enumerate(tiles["train"].labels["label"]):
        rows.setdefault(label, []).append(i)
    prompted = tiles["generated"].labels["label"]
    return tiles["train"].take([rows[label][i % len(rows[label])] for i, label in enumerate(prompted)])


def _noise(tiles: ScoreInputs) -> FeatureSet:
    """The statistics of uniform noise, as far from any tissue as it is."""
    rng = np.random.default_rng(0)
    numbers = 12 + rng.normal(size=matrix_of(tiles["generated"]).shape)
    return dataclasses.replace(tiles["generated"], images=numbers.astype(np.float32), pixel_digests=())


def test_held_out_tiles_are_at_the_real_end(tiles: ScoreInputs) -> None:
    real = tiles["heldout"]
    assert _score("frechet-distance", tiles, real).values["distance"].position == 100
    assert _score("precision-recall", tiles, real).values["coverage"].position == 100
    control = _score("attribute-control", tiles, real)
    assert above_bad_end(control.values["weighted_f1"]) > 0.2
    audit = _score("memorisation", tiles, real)
    assert audit.values["copied_fraction"].value < 0.05
    assert table(audit, Memorisation).flagged is False
    assert table(audit, Memorisation).exact_copies == 0


def test_the_memoriser_is_caught_by_the_audit_alone(tiles: ScoreInputs) -> None:
    copies = _memorised(tiles)
    assert place(_score("frechet-distance", tiles, copies).values["distance"]) > 80
    assert _score("attribute-control", tiles, copies).values["percent_of_real"].value > 85
    audit = _score("memorisation", tiles, copies)
    assert audit.values["copied_fraction"].value == 1
    assert table(audit, Memorisation).flagged is True
    assert table(audit, Memorisation).exact_copies == TILES["test"]


def test_shuffled_tiles_look_real_and_answer_nothing(tiles: ScoreInputs) -> None:
    shuffled = tiles["heldout"].take(derangement(tiles["heldout"], 0))
    assert _score("frechet-distance", tiles, shuffled).values["distance"].position == pytest.approx(100)
    control = _score("attribute-control", tiles, shuffled).values["weighted_f1"]
    recall = _score("image-to-image-recall", tiles, shuffled).values["recall@10"]
    # A derangement asks for what is never shown: at or below chance, which is expected from random answers.
    assert above_bad_end(control) <= 0.02
    assert above_bad_end(recall) <= 0.005
    honest = _score("image-to-image-recall", tiles, tiles["heldout"]).values["recall@10"]
    assert above_bad_end(honest) > 0.01
    assert place(_score("synthetic-training", tiles, shuffled).values["synthetic_weighted_f1"]) < 10


def test_noise_is_at_the_bad_end(tiles: ScoreInputs) -> None:
    noise = _noise(tiles)
    assert place(_score("frechet-distance", tiles, noise).values["distance"]) < 0
    assert place(_score("kernel-distance", tiles, noise).values["distance"]) < 0
    found = _score("precision-recall", tiles, noise).values
    assert (found["precision"].value, found["coverage"].value) == (0, 0)
    assert _score("memorisation", tiles, noise).values["copied_fraction"].value == 0


def test_held_out_tiles_teach_a_classifier(tiles: ScoreInputs) -> None:
    outcome = _score("synthetic-training", tiles, tiles["heldout"])
    headline = outcome.values["synthetic_weighted_f1"]
    # As many real tiles, but of other regions of the slides: near the good end, itself from some fifty regions.
    assert headline.position == pytest.approx(100, abs=40)
    assert outcome.values["augmentation_gain"].value > 0


@pytest.mark.parametrize("kind", ["linear", "knn", "head"])
def test_every_classifier_reads_real_tiles_of_unseen_patients(kind: str, tiles: ScoreInputs) -> None:
    # Held-out tiles answer the prompts. Eighteen numbers of colour and texture do not tell four diagnoses surely.
    found = attribute_control(tiles, classifier=kind)
    label, chance = table(found, AttributeControl).attributes["label"], found.anchors["weighted_f1"][0]
    assert chance is not None
    assert label.real_weighted_f1 > chance + 0.15
    assert found.values["weighted_f1"] > chance + 0.2
    assert sum(row.images for row in label.calibration.reliability) == TILES["test"]
    assert label.calibration.ece_with_temperature is not None
    assert max(label.ece, label.calibration.ece_with_temperature) < 0.25
    # Colours of no tissue tell nothing of the prompt: at the chance of the same answers.
    noise = attribute_control(tiles.replaced(generated=_noise(tiles)), classifier=kind)
    assert noise.values["weighted_f1"] == pytest.approx(noise.anchors["weighted_f1"][0], abs=0.1)
