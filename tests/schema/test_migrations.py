"""Records of earlier versions are read as the present one, and those of later versions are refused."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tables import table
from unipath_bench.core.errors import UsageError
from unipath_bench.results import run_notes
from unipath_bench.results.run_folder import load_record
from unipath_bench.schema.base import validate
from unipath_bench.schema.details import AttributeControl, Details, Memorisation, Other, Retrieval
from unipath_bench.schema.migrations import LACKING, STEPS, VERSION, migrate
from unipath_bench.schema.record import RunRecord

RECORD = Path(__file__).parent / "records" / "version-1.json"
"""Of `unipath-bench run --model noise --suite phantom --n 32`, with one shard of each kind."""
KINDS = {
    "kernel-distance": "set distance",
    "phantom-fid": "set distance",
    "phantom-patho-fid": "set distance",
    "precision-recall": "manifold",
    "clip-score": "prompt cosines",
    "image-to-image-recall": "retrieval",
    "text-to-image-recall": "retrieval",
    "terminology-robustness": "rewording",
    "attribute-control": "attribute control",
    "memorisation": "memorisation",
    "synthetic-training": "synthetic training",
}


@pytest.fixture
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def read(document: Any) -> RunRecord:
    return validate(RunRecord, document, "record.json")


def assert_holds(new: Any, old: Any) -> None:
    """All that is in ``old`` is in ``new``, and what ``new`` has beyond it is its kind or empty."""
    if isinstance(old, dict):
        assert old.keys() <= new.keys()
        assert all(name == "kind" or not new[name] for name in new.keys() - old.keys())
        for name in old:
            assert_holds(new[name], old[name])
    elif isinstance(old, list):
        for one, other in zip(new, old, strict=True):
            assert_holds(one, other)
    else:
        assert new == old


def test_a_record_of_version_1_loads_with_every_number_and_names_its_kinds(document: dict[str, Any]) -> None:
    record = load_record(RECORD)
    assert {score.task: score.details.kind for score in record.scores if score.details} == KINDS
    for score, old in zip(record.scores, document["scores"], strict=True):
        assert score.values.keys() == old["values"].keys()
        assert [value.value for value in score.values.values()] == [value["value"] for value in old["values"].values()]
        assert_holds(score.model_dump(mode="json")["details"], old["details"])
    recall = next(score for score in record.scores if score.task == "image-to-image-recall")
    assert list(table(recall, Retrieval).not_reported) == ["recall@50"]


def test_its_floors_and_ceilings_become_the_ends_of_scales(document: dict[str, Any]) -> None:
    record = load_record(RECORD)
    for score, old in zip(record.scores, document["scores"], strict=True):
        assert score.n_images == old["n"]
        for name, value in score.values.items():
            was = old["values"][name]
            ends = ("floor", "ceiling") if value.direction == "higher" else ("ceiling", "floor")
            assert (value.bad_end, value.good_end) == tuple(was[end] for end in ends)
            assert (value.bad_end_source, value.good_end_source) == tuple(was[f"{end}_source"] for end in ends)
            assert value.position == was["percent_of_range"]
            if value.interval is not None:
                assert value.interval.kind == was["interval"]["kind"].replace("at the floor", "at zero")
            if value.contributions is not None:
                assert value.contributions.residual_bias == was["contributions"]["left_over"]
    assert {value.direction for score in record.scores for value in score.values.values()} == {"lower", "higher"}


def test_it_says_what_it_lacks_however_often_it_is_written_again() -> None:
    record = load_record(RECORD)
    again = read(json.loads(record.model_dump_json()))
    assert again == record
    assert (again.schema_version, again.migrated_from) == (2, 1)
    assert run_notes(again)[-1].label == "record of version 1"


def test_the_document_that_is_read_stays_as_it_was(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    read(document)
    assert document == before


def test_every_earlier_version_has_a_step_and_says_what_it_lacks() -> None:
    assert set(STEPS) == set(LACKING) == set(range(1, VERSION))


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({}, None),
        ({"rows": [1, None]}, Other(content={"rows": [1, None]})),
        ({"rows": 1, "not_reported": {"x": "why"}}, Other(content={"rows": 1}, not_reported={"x": "why"})),
        ({"not_reported": {"x": "why"}}, Other(not_reported={"x": "why"})),
        ({"not_reported": "nothing"}, Other(content={"not_reported": "nothing"})),
        ({"flagged": True}, Other(content={"flagged": True})),
        ({"kind": "memorisation", "flagged": False}, Other(content={"kind": "memorisation", "flagged": False})),
    ],
)
def test_details_of_other_packages_are_kept_whole(
    document: dict[str, Any], details: dict[str, Any], expected: Details | None
) -> None:
    document["scores"][0]["details"] = details
    assert read(document).scores[0].details == expected


@pytest.mark.parametrize("later", [3, 10**30])
def test_a_record_of_a_later_version_is_refused(document: dict[str, Any], later: int) -> None:
    with pytest.raises(
        UsageError, match=r"record\.json is a run record of version \d+.*reads versions up to 2"
    ) as caught:
        read(document | {"schema_version": later})
    assert caught.value.remedy == "Upgrade unipath-bench."


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.5, None, [1]])
def test_what_is_no_version_is_refused(document: dict[str, Any], version: Any) -> None:
    with pytest.raises(UsageError, match="schema_version"):
        read(document | {"schema_version": version})


@pytest.mark.parametrize("odd", [None, [], "record", {"schema_version": 1}, {"schema_version": 1, "scores": 3}])
def test_what_has_another_form_is_left_to_validation(odd: Any) -> None:
    migrate(odd, "record.json", "run record")
    with pytest.raises(UsageError, match="not a valid RunRecord"):
        read(odd)


@pytest.mark.parametrize("scores", [[3], [{"details": 3}], [{"details": {"k": "five"}}]])
def test_scores_of_another_form_are_left_to_validation(document: dict[str, Any], scores: list[Any]) -> None:
    with pytest.raises(UsageError, match=r"scores\.0"):
        read(document | {"scores": scores})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "memorization"}, "details"),
        ({"flagged": None}, r"details\.memorisation\.flagged"),
        ({"threshold": float("nan")}, r"details\.memorisation\.threshold"),
        ({"more": 1}, r"details\.memorisation\.more: unknown key"),
    ],
)
def test_details_of_another_form_than_their_kind_has_are_refused(change: dict[str, Any], field: str) -> None:
    record = load_record(RECORD).model_dump(mode="json")
    audit = next(score for score in record["scores"] if score["task"] == "memorisation")
    audit["details"] |= change
    with pytest.raises(UsageError, match=field):
        read(record)


def test_a_confusion_matrix_of_the_wrong_size_is_refused() -> None:
    record = load_record(RECORD).model_dump(mode="json")
    control = next(score for score in record["scores"] if score["task"] == "attribute-control")
    next(iter(control["details"]["attributes"].values()))["confusion"] = [[1, 2]]
    with pytest.raises(UsageError, match="not one row and one column a class"):
        read(record)


def test_a_score_gives_its_details_as_a_kind_or_not_at_all() -> None:
    audit = next(score for score in load_record(RECORD).scores if score.task == "memorisation")
    assert audit.details_as(Memorisation) is audit.details
    assert audit.details_as(AttributeControl) is None


@pytest.mark.integration
def test_it_is_shown_and_compared_with_one_of_the_present_version(tmp_path: Path) -> None:
    present = tmp_path / "present" / "record.json"
    present.parent.mkdir()
    other = load_record(RECORD).model_copy(update={"migrated_from": None, "name": "of-the-present-version"})
    present.write_text(other.model_dump_json(), encoding="utf-8")
    assert "RECORD OF VERSION 1" in _command("show", str(RECORD))
    assert "RECORD OF VERSION" not in _command("show", str(present))
    assert "of-the-present-version" in _command("compare", str(RECORD), str(present))


def _command(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "unipath_bench", *words], capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout
