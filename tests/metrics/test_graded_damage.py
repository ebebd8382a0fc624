"""The more real tiles are damaged, the worse each score that is for the damage: on real tissue, in the texture encoder.

Nothing here knows a value beforehand: the truth is the order of the damage. The generated set is real tissue of other
patients (the training split) that answers the prompts of the test split class by class, and is then damaged.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from unipath_bench.contracts import FeatureSet, Measurement, ScoreInputs
from unipath_bench.encoders.texture import texture_features
from unipath_bench.generators._defects import degrade
from unipath_bench.scoring.alignment import image_to_image_recall
from unipath_bench.scoring.control import attribute_control
from unipath_bench.scoring.fidelity import frechet, kid, prdc

pytestmark = pytest.mark.integration

PROMPTS = 180
TRAINING = 400
SIDE = 128
"""Pixels: the middle of a tile, so that a set is embedded in a second."""

LEVELS = {"blur": (0.5, 1.0, 2.0, 4.0), "noise": (3.0, 10.0, 25.0, 60.0), "stain-shift": (0.1, 0.25, 0.5, 1.0)}
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)

Batch = npt.NDArray[np.uint8]


def embed(images: Sequence[Batch]) -> npt.NDArray[np.float32]:
    return np.stack([texture_features(image) for image in images]).astype(np.float32)


@dataclass(frozen=True)
class World:
    """The sets of an evaluation; features are in units of the training tiles' spread."""

    inputs: ScoreInputs
    pixels: list[Batch]
    """Of the generated set, row by row."""
    centre: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]

    def of_pixels(self, images: Sequence[Batch]) -> ScoreInputs:
        """These images in the generator's place."""
        features = (embed(images) - self.centre) / self.spread
        return self.inputs.replaced(generated=replace(self.inputs["generated"], images=features))

    def of_rows(self, rows: Sequence[int]) -> ScoreInputs:
        """Other rows of the generated set as the answers to the same prompts."""
        generated = self.inputs["generated"]
        return self.inputs.replaced(generated=replace(generated, images=generated.take(rows).images))


def middle(path: Path) -> Batch:
    image = np.asarray(Image.open(path))
    top, left = (image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2
    return image[top : top + SIDE, left : left + SIDE]


def metadata(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]


@pytest.fixture(scope="session")
def world(real_tiles: Path) -> World:
    """The prompts, their answers, and training tiles of patients that are not among those of the answers."""
    prompts = metadata(real_tiles / "test")[:PROMPTS]
    others = metadata(real_tiles / "train")
    patients = sorted({row["group"] for row in others})
    answering = set(patients[::2])
    pool = {
        label: [row for row in others if row["label"] == label and row["group"] in answering]
        for label in labels_of(others)
    }
    asked = [row["label"] for row in prompts]
    answers = [pool[label][asked[:i].count(label) % len(pool[label])] for i, label in enumerate(asked)]
    training = [row for row in others if row["group"] not in answering][:TRAINING]

    pixels = [middle(real_tiles / "train" / row["file_name"]) for row in answers]
    train = embed([middle(real_tiles / "train" / row["file_name"]) for row in training])
    centre, spread = train.mean(0), np.maximum(train.std(0), 1e-6)

    def as_set(rows: list[dict[str, str]], features: npt.NDArray[np.float32]) -> FeatureSet:
        return FeatureSet(
            ids=tuple(row["file_name"] for row in rows),
            images=(features - centre) / spread,
            prompts=tuple(row["text"] for row in rows),
            labels={"label": tuple(row["label"] for row in rows)},
            groups=tuple(row["group"] for row in rows),
        )

    reference = as_set(prompts, embed([middle(real_tiles / "test" / row["file_name"]) for row in prompts]))
    generated = replace(reference, images=(embed(pixels) - centre) / spread)
    sets = {"reference": reference, "generated": generated, "train": as_set(training, train)}
    return World(ScoreInputs(sets), pixels, centre, spread)


def labels_of(rows: list[dict[str, str]]) -> list[str]:
    return sorted({row["label"] for row in rows})


@pytest.fixture(scope="session")
def damaged(world: World) -> dict[str, list[ScoreInputs]]:
    """For each defect the undamaged inputs, then those of each level."""

    def at(defect: str, level: float) -> ScoreInputs:
        return world.of_pixels([degrade(image, defect, level, seed) for seed, image in enumerate(world.pixels)])

    return {defect: [world.inputs, *(at(defect, level) for level in levels)] for defect, levels in LEVELS.items()}


def curve(metric: Callable[..., Measurement], inputs: Sequence[ScoreInputs], value: str) -> list[float]:
    return [metric(each).values[value] for each in inputs]


def rises(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


def falls(values: Sequence[float]) -> bool:
    return rises([-value for value in values])


@pytest.mark.parametrize("defect", sorted(LEVELS))
def test_distances_rise_with_the_damage_of_pixels(damaged: dict[str, list[ScoreInputs]], defect: str) -> None:
    assert rises(curve(frechet, damaged[defect], "distance"))
    assert rises(curve(kid, damaged[defect], "distance"))


@pytest.mark.parametrize("defect", sorted(LEVELS))
def test_coverage_falls_with_the_damage_of_pixels(damaged: dict[str, list[ScoreInputs]], defect: str) -> None:
    coverage = curve(prdc, damaged[defect], "coverage")
    assert all(a >= b for a, b in pairwise(coverage))
    assert coverage[-1] < coverage[0] / 2


def without_patients(world: World, share: float) -> list[int]:
    """Rows in which the first ``share`` of the distinct tiles of each class are answered by the rest of the class."""
    labels = world.inputs["generated"].labels["label"]
    rows = list(range(len(labels)))
    for label in sorted(set(labels)):
        own = [i for i in rows if labels[i] == label]
        kept = own[: max(1, round(len(own) * (1 - share)))]
        for rank, i in enumerate(own):
            rows[i] = kept[rank % len(kept)]
    return rows


def without_classes(world: World, dropped: int) -> list[int]:
    """Rows in which the prompts of the last ``dropped`` classes are answered by tiles of the first one."""
    labels = world.inputs["generated"].labels["label"]
    classes = sorted(set(labels))
    lost = set(classes[len(classes) - dropped :]) if dropped else set()
    kept = [i for i, label in enumerate(labels) if label == classes[0]]
    return [kept[i % len(kept)] if label in lost else i for i, label in enumerate(labels)]


def test_dropped_classes_are_seen_by_every_measure_of_the_set(world: World) -> None:
    inputs = [world.of_rows(without_classes(world, dropped)) for dropped in range(4)]
    assert rises(curve(frechet, inputs, "distance"))
    assert rises(curve(kid, inputs, "distance"))
    assert falls(curve(prdc, inputs, "coverage"))
    assert falls(curve(prdc, inputs, "recall"))


def test_dropped_variety_within_classes_is_seen_by_recall_and_coverage(world: World) -> None:
    inputs = [world.of_rows(without_patients(world, share)) for share in (0.0, 0.5, 0.75, 0.9)]
    assert rises(curve(frechet, inputs, "distance"))
    assert falls(curve(prdc, inputs, "coverage"))
    assert falls(curve(prdc, inputs, "recall"))


def shuffled(world: World, share: float) -> ScoreInputs:
    """The same images; the captions of the first ``share`` of the rows go to a row of another class where they can."""
    generated = world.inputs["generated"]
    labels = generated.labels["label"]
    chosen = sorted(range(round(share * len(labels))), key=lambda i: labels[i])
    step = max((labels[: len(chosen)].count(label) for label in labels), default=0)
    order = list(range(len(labels)))
    for rank, row in enumerate(chosen):
        order[row] = chosen[(rank + step) % len(chosen)]
    return world.inputs.replaced(generated=replace(generated.take(order), images=generated.images))


def test_shuffled_captions_are_seen_by_retrieval_and_control_and_by_nothing_else(world: World) -> None:
    inputs = [shuffled(world, share) for share in SHARES]
    assert falls(curve(image_to_image_recall, inputs, "recall@50"))
    assert falls(curve(attribute_control, inputs, "weighted_f1"))
    for metric, value in ((frechet, "distance"), (kid, "distance"), (prdc, "coverage"), (prdc, "recall")):
        assert len(set(curve(metric, inputs, value))) == 1
