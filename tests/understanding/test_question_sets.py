"""The phantom's questions, and PathMMU in its published layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unipath_bench import DataError, MissingError, UsageError
from unipath_bench.cli.app import invoke
from unipath_bench.phantom import CLASSES, PhantomSuite
from unipath_bench.understanding.pathmmu import PathMMU
from unipath_bench.understanding.phantom import PhantomQuestions


def test_the_phantom_asks_for_every_attribute_of_a_tile() -> None:
    questions = PhantomQuestions(tiles=6)
    asked = questions.questions()
    assert len(asked) == 60
    suite = PhantomSuite(train=0, test=8, paraphrases=0)
    tests = {s.id: s for s in suite.samples() if s.split == "test"}
    for question in asked:
        sample = tests[question.image]
        assert question.options[question.answer] == sample.labels[question.subset].replace("_", " ")
        assert question.subset.replace("_", " ") in question.text
        assert len(question.options) == len(CLASSES[question.subset])
    assert np.array_equal(questions.load(asked[0]), suite.load(tests[asked[0].image]))
    assert questions.revision != PhantomQuestions(tiles=7).revision
    with pytest.raises(UsageError, match="tiles=0"):
        PhantomQuestions(tiles=0)


ENTRIES: dict[str, Any] = {
    "PubMed": {
        "val": [],
        "test": [
            {
                "No": 0,
                "img": "a.png",
                "question": "What is seen?",
                "options": ["A) glands", "B) sheets", "C) cords"],
                "answer": "B) sheets",
                "explanation": "...",
            },
            {"No": 1, "img": "b.png", "question": "Which stain?", "options": ["A) H&E", "B) PAS"], "answer": "A"},
        ],
        "test_tiny": [{"img": "a.png", "question": "Q?", "options": ["yes", "no"], "answer": "no"}],
    },
    "Atlas": {
        "test": [
            {
                "source_img": "books_set/images/c.png",
                "question": "Which organ?",
                "options": ["A. skin", "B. liver"],
                "answer": "B. liver",
            }
        ],
        "test_tiny": [],
        "val": [],
    },
}


@pytest.fixture
def pathmmu(tmp_path: Path) -> Path:
    (tmp_path / "data.json").write_text(json.dumps(ENTRIES), encoding="utf-8")
    for number, name in enumerate(("images/a.png", "images/b.png", "books_set/images/c.png")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((12, 16, 3), 40 * number, np.uint8)).save(path)
    return tmp_path


def test_pathmmu_is_read_as_published(pathmmu: Path) -> None:
    questions = PathMMU(data=pathmmu)
    asked = questions.questions()
    assert [(q.id, q.subset, q.options, q.answer, q.image) for q in asked] == [
        ("PubMed/test/0", "PubMed", ("glands", "sheets", "cords"), 1, "a.png"),
        ("PubMed/test/1", "PubMed", ("H&E", "PAS"), 0, "b.png"),
        ("PubMed/test_tiny/0", "PubMed", ("yes", "no"), 1, "a.png"),
        ("Atlas/test/0", "Atlas", ("skin", "liver"), 1, "books_set/images/c.png"),
    ]
    assert questions.load(asked[3])[0, 0].tolist() == [80, 80, 80]
    assert PathMMU(data=pathmmu, subsets="Atlas").questions() == (asked[3],)


def test_the_test_split_is_all_of_it_and_the_tiny_one_a_part(pathmmu: Path) -> None:
    # eval/utils/data_utils.py of PathMMU: 'PubMed': ['PubMed_test_tiny', 'PubMed_test'], and so for every subset.
    whole = {q.id for q in PathMMU(data=pathmmu, split="test", subsets="PubMed").questions()}
    tiny = {q.id for q in PathMMU(data=pathmmu, split="test_tiny", subsets="PubMed").questions()}
    assert whole - tiny == {"PubMed/test/0", "PubMed/test/1"}
    assert tiny == {"PubMed/test_tiny/0"} == whole & tiny
    document = json.loads(json.dumps(ENTRIES))
    document["PubMed"]["val"] = document["PubMed"].pop("test")
    del document["PubMed"]["test_tiny"]
    (pathmmu / "data.json").write_text(json.dumps(document), encoding="utf-8")
    assert [q.id for q in PathMMU(data=pathmmu, split="val").questions()] == ["PubMed/val/0", "PubMed/val/1"]
    with pytest.raises(DataError, match="no list 'test_tiny'"):
        PathMMU(data=pathmmu, split="test_tiny", subsets="PubMed")


def test_the_revision_follows_images_questions_and_split(pathmmu: Path) -> None:
    before = PathMMU(data=pathmmu).revision
    assert before == PathMMU(data=pathmmu).revision
    assert before != PathMMU(data=pathmmu, subsets=["PubMed"]).revision
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(pathmmu / "images" / "b.png")
    assert before != PathMMU(data=pathmmu).revision


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["PubMed"]["test"][0].update(answer="D) ducts"), "none of its options"),
        (lambda d: d["PubMed"]["test"][0].pop("options"), "no question with a list of options"),
        (lambda d: d["PubMed"]["test"][0].update(img="../secret.png"), "outside its folder"),
        (lambda d: d["PubMed"]["test"][0].update(img="nul\0.png"), "outside its folder"),
        (lambda d: d["PubMed"]["test"][0].update(img="absent.png"), "1 of 4 images are not under"),
        (lambda d: d["PubMed"]["test"][0].update(img="9" * 300), "1 of 4 images are not under"),
        (lambda d: d["PubMed"]["test"][0].pop("img"), "names no image"),
        (lambda d: d["PubMed"].pop("test"), "no list 'test'"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_name(pathmmu: Path, change: Any, message: str) -> None:
    document = json.loads(json.dumps(ENTRIES))
    change(document)
    (pathmmu / "data.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        PathMMU(data=pathmmu)


def test_what_is_absent_is_said(pathmmu: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MissingError, match="gated") as error:
        PathMMU(data=tmp_path / "nowhere")
    assert "huggingface.co/datasets/jamessyx/PathMMU" in error.value.remedy
    with pytest.raises(UsageError, match="no subset 'Books'"):
        PathMMU(data=pathmmu, subsets=["Books"])
    with pytest.raises(UsageError, match="no split"):
        PathMMU(data=pathmmu, split="train")
    assert invoke(["understand", "--model", "chance", "--questions", "pathmmu", "--data", str(tmp_path / "no")]) == 3
    assert "accept its terms" in capsys.readouterr().err


def test_the_command_line_asks_pathmmu(pathmmu: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["understand", "--model", "chance", "--questions", "pathmmu", "--data", str(pathmmu), "--out", str(out)]
    assert invoke([*arguments, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["overall"]["n"] == 4
    # Chance: 1/3, 1/2, 1/2 and 1/2.
    assert record["overall"]["chance"] == pytest.approx((1 / 3 + 3 / 2) / 4)
    assert set(record["subsets"]) == {"PubMed", "Atlas"}
    assert invoke([*arguments, "--set-arg", "wrong=1"]) == 2
    assert "no argument 'wrong'" in capsys.readouterr().err
    assert invoke(["understand", "--model", "unipath_bench:Suite"]) == 2
