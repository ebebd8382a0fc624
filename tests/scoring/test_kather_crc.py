"""The Kather-CRC 2016 task: beside scikit-learn, and through the command line on a set in the published layout."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.scoring.scoring_worlds import World, matrix_of
from tests.tables import table
from unipath_bench.cli.app import invoke
from unipath_bench.contracts import ScoreInputs
from unipath_bench.core.errors import NotComputable, UsageError
from unipath_bench.schema.details import Budget, SyntheticTraining
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.scoring.crossing import cut_into_folds
from unipath_bench.scoring.utility import synthetic_training

Output = pytest.CaptureFixture[str]
CLASSES = load_tasks()["kather-crc"].parameters["classes"]
FAST = {"across": "images", "full": True, "regularisation": [1.0], "budgets": [5], "draws": 2, "folds": 4}


def world(distance: float = 2.0) -> World:
    return World(count=96, dimension=10, distance=distance, classes=CLASSES)


def peer(features: np.ndarray, labels: np.ndarray) -> LogisticRegression:
    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000)).fit(features, labels)


@pytest.mark.integration
def test_real_synthetic_and_both_are_those_of_scikit_learn() -> None:
    inputs = world().inputs()
    found = synthetic_training(inputs, **FAST)
    reference, generated, train = (inputs[s] for s in ("reference", "generated", "train"))
    truth, asked, taught = (np.asarray(s.labels["tissue"]) for s in (reference, generated, train))
    answers = {"synthetic": np.empty_like(truth), "both": np.empty_like(truth)}
    for fold in cut_into_folds(reference, generated, truth, 4, 0, "images"):
        rows, test = fold.synthetic, fold.test
        assert not {reference.ids[i] for i in test} & {generated.ids[i] for i in rows}
        answers["synthetic"][test] = peer(matrix_of(generated)[rows], asked[rows]).predict(matrix_of(reference)[test])
        both = peer(np.vstack([matrix_of(train), matrix_of(generated)[rows]]), np.concatenate([taught, asked[rows]]))
        answers["both"][test] = both.predict(matrix_of(reference)[test])
    answers["real"] = peer(matrix_of(train), taught).predict(matrix_of(reference))
    for name, answer in answers.items():
        expected = f1_score(truth, answer, average="weighted")
        assert found.values[f"{name}_weighted_f1"] == pytest.approx(expected, abs=0.011), name  # one image of 96
        assert 0.3 < expected < 0.95  # a task that can be failed


def test_copies_of_real_images_teach_as_the_real_ones_do() -> None:
    # Far classes: whoever sees some images of each answers rightly, be they real or copies of real ones.
    inputs = world(12).inputs()
    rows = {c: [i for i, label in enumerate(inputs["train"].labels["tissue"]) if label == c] for c in CLASSES}
    copied = [rows[c][i % len(rows[c])] for i, c in enumerate(inputs["generated"].labels["tissue"])]
    images = matrix_of(inputs["train"])[copied]
    found = synthetic_training(
        inputs.replaced(generated=dataclasses.replace(inputs["generated"], images=images)), **FAST
    )
    assert {found.values[f"{name}_weighted_f1"] for name in ("synthetic", "real", "both")} == {1.0}
    assert found.values["augmentation_gain"] == 0.0
    (row,) = table(found, SyntheticTraining).budgets
    assert row == Budget(labels_per_class=5, real=1.0, real_plus_synthetic=1.0, gain=0.0, synthetic=1.0)


def test_images_dealt_out_to_random_prompts_teach_no_more_than_chance() -> None:
    # One class's images differ by noise alone, so nothing tells a prompt from another: answers are independent of the
    # truth, and the expected score is the analytic chance of the same answers.
    one = world()
    inputs = one.inputs(generated=one.images([CLASSES[0]] * 96))
    found = synthetic_training(inputs, **FAST)
    chance, _ = found.anchors["synthetic_weighted_f1"]
    # 96 images, eight classes: standard deviation of a share of one eighth.
    assert found.values["synthetic_weighted_f1"] == pytest.approx(chance, abs=4 * (1 / 8 * 7 / 8 / 96) ** 0.5)
    assert found.values["both_weighted_f1"] < found.values["real_weighted_f1"] + 0.02


def several_prompts(inputs: ScoreInputs) -> ScoreInputs:
    prompts = tuple(f"{prompt}, case {i // 8 % 2}" for i, prompt in enumerate(inputs["reference"].prompts))
    return inputs.replaced(reference=dataclasses.replace(inputs["reference"], prompts=prompts))


@pytest.mark.integration
def test_folds_part_images_only_where_a_class_has_one_prompt() -> None:
    inputs = world().inputs()
    with pytest.raises(NotComputable, match=r"01_TUMOR, 02_STROMA.*have several prompts"):
        synthetic_training(several_prompts(inputs), **FAST)
    with pytest.raises(UsageError, match="`across` is 'slides'"):
        synthetic_training(inputs, across="slides")
    lone = tuple("one" for _ in inputs["reference"].groups)
    two = inputs.replaced(reference=dataclasses.replace(inputs["reference"], groups=lone))
    assert table(synthetic_training(two, **FAST), SyntheticTraining).folds == 4
    with pytest.raises(NotComputable, match="one group each"):
        synthetic_training(two, **{**FAST, "across": "groups"})


def test_a_set_without_these_classes_is_told_so() -> None:
    inputs = World(count=24).inputs()
    with pytest.raises(
        NotComputable, match=r"for the 8 classes .* have none of 01_TUMOR, .* and have gland, .* too in 'tissue'"
    ):
        synthetic_training(inputs, classes=CLASSES, **FAST)


def published_layout(root: Path) -> Path:
    """Kather-CRC 2016 as it is published, with one colour a class: 8 classes, 10 slides, two tiles each."""
    rng = np.random.default_rng(0)
    for number, label in enumerate(CLASSES):
        colour = 80 + 120 * np.asarray([number & 1, number >> 1 & 1, number >> 2])  # the corners of a cube
        for slide in range(1, 11):
            for column in (1, 2):
                name = f"{slide}A{column}F_CRC-Prim-HE-{slide:02d}_003.tif_Row_{number}_Col_{column}.tif"
                path = root / "Kather_texture_2016_image_tiles_5000" / label / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray((colour + rng.integers(-6, 7, (32, 32, 3))).astype(np.uint8)).save(path)
    return root


def task(capsys: Output, data: Path, out: Path, model: str, *more: str) -> dict[str, Any]:
    arguments = ["run", "--model", model, "--suite", "kather-2016", "--data", str(data), "--tasks", "kather-crc"]
    code = invoke(
        [*arguments, "--encoder", "judge=tests.scoring.scoring_encoders:MeanColour", "--out", str(out), "--json", *more]
    )
    assert code == 0
    score: dict[str, Any]
    (score,) = json.loads(capsys.readouterr().out)["scores"]
    return score


@pytest.mark.integration
def test_through_the_command_line_in_the_published_layout(tmp_path: Path, capsys: Output) -> None:
    data, out = published_layout(tmp_path / "data"), tmp_path / "out"
    copies = task(capsys, data, out, "memoriser")
    values = {name: value["value"] for name, value in copies["values"].items()}
    # Colours part the classes, so real tiles, their copies and both teach them without an error.
    assert values == {
        "synthetic_weighted_f1": 1.0,
        "real_weighted_f1": 1.0,
        "both_weighted_f1": 1.0,
        "augmentation_gain": 0.0,
    }
    details = copies["details"]
    assert details["classes"] == CLASSES
    # Ten slides: two are tested on, two set aside, and six train; two tiles a class and slide.
    assert details["same_size"]["01_TUMOR"]["have"] == 12
    assert [row["labels_per_class"] for row in details["budgets"]] == [5, 10]
    assert set(details["budgets_left_out"]) == {"25", "50", "100", "200"}
    # Two slides are too few for an interval, and no number stands in for one.
    assert copies["values"]["synthetic_weighted_f1"]["interval"] is None
    assert "2 patients or slides" in copies["values"]["synthetic_weighted_f1"]["interval_note"]

    # Classes of one size: each prompt gets an image of the next class, so every answer is the class before: all wrong.
    shuffled = task(capsys, data, out, "shuffled")
    assert shuffled["values"]["synthetic_weighted_f1"]["value"] == 0.0
    assert shuffled["values"]["real_weighted_f1"]["value"] == 1.0
    assert shuffled["values"]["augmentation_gain"]["value"] < 0


@pytest.mark.integration
def test_another_tissue_is_not_computed_with_the_reason(small_tiles: Path, tmp_path: Path, capsys: Output) -> None:
    arguments = ["run", "--model", "memoriser", "--suite", "folder", "--data", str(small_tiles), "--n", "8"]
    arguments += ["--tasks", "kather-crc", "--encoder", "judge=tests.scoring.scoring_encoders:MeanColour"]
    assert invoke([*arguments, "--out", str(tmp_path), "--json"]) == 0
    score: dict[str, Any]
    (score,) = json.loads(capsys.readouterr().out)["scores"]
    assert score["status"] == "not computed"
    assert "for the 8 classes 01_TUMOR" in score["reason"]
    assert score["remedy"]
    assert invoke(["plan", "--model", "real", "--suite", "phantom", "--tasks", "kather-crc"]) == 2
    assert "tissue" in capsys.readouterr().err
