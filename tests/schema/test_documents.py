"""Documents refuse what they do not know, and say what and where."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from unipath_bench.cli.documents import DOCUMENTS
from unipath_bench.core.errors import UsageError
from unipath_bench.schema.base import load_yaml, parse_json, validate
from unipath_bench.schema.cards import EncoderCard, GeneratorCard, SuiteCard
from unipath_bench.schema.record import Environment, Interval, PlanRecord, RunRecord, TaskScore, Timing, Value
from unipath_bench.schema.task import TaskSpec

TASK = {
    "name": "a-task",
    "tier": 1,
    "version": 1,
    "title": "A task",
    "summary": "Measures.",
    "metric": "frechet",
    "headline": "distance",
    "values": {"distance": {"title": "Distance", "direction": "lower"}},
}


def test_a_task_is_read(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(yaml.safe_dump(TASK))
    assert load_yaml(TaskSpec, path).values["distance"].bad_end == "none"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"encodr": "texture"}, "encodr: unknown key; did you mean 'encoder'?"),
        ({"tier": 5}, "tier: "),
        ({"version": 0}, "version: "),
        ({"name": "A Task"}, "lower-case letters"),
        ({"headline": "nothing"}, "headline 'nothing' is not among the values"),
        ({"encoder": "@judgement"}, "a role is one of"),
        ({"values": {}}, "values: "),
        ({"values": {"distance": {"title": "D", "direction": "down"}}}, "values.distance.direction: "),
        (
            {"values": {"distance": {"title": "D", "direction": "lower", "bad_end": "real?"}}},
            "values.distance.bad_end",
        ),
    ],
)
def test_a_wrong_task_names_the_file_and_the_field(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(yaml.safe_dump(TASK | change))
    with pytest.raises(UsageError) as caught:
        load_yaml(TaskSpec, path)
    assert str(path) in caught.value.message
    assert problem in caught.value.message


def test_a_missing_field_is_named() -> None:
    with pytest.raises(UsageError, match="metric: required, but absent"):
        validate(TaskSpec, {k: v for k, v in TASK.items() if k != "metric"}, "here")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"a: [1", "not valid YAML"), (b"a: \xe9\xff", "not UTF-8"), (b"- 1\n- 2\n", "is not a valid TaskSpec")],
)
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "task.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=problem):
        load_yaml(TaskSpec, path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_yaml(TaskSpec, tmp_path / "absent.yaml")


def test_yaml_cannot_make_python_objects(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(UsageError, match="not valid YAML"):
        load_yaml(TaskSpec, path)


def record() -> RunRecord:
    value = Value(
        value=0.5,
        title="Distance",
        direction="lower",
        headline=True,
        good_end=0.1,
        bad_end=2.0,
        interval=Interval(low=0.4, high=0.6, method="jackknife"),
    )
    return RunRecord(
        framework_version="0",
        run_id="0" * 64,
        name="a-run",
        plan=PlanRecord(
            suite=SuiteCard(name="s", title="S", kind="tissue", licence="MIT"),
            suite_revision="r",
            model=GeneratorCard(name="m", revision="1", licence="MIT"),
            model_digest="d",
            tiers=(1,),
            tasks=("t@1",),
            n=10,
            seeds=1,
        ),
        scores=(
            TaskScore(
                key="t[texture]",
                task="t",
                tier=1,
                version=1,
                title="T",
                status="computed",
                encoder="texture",
                n_images=10,
                dimension=3,
                values={"distance": value},
            ),
            TaskScore(key="u", task="u", tier=2, version=1, title="U", status="not computed", reason="no weights"),
        ),
        environment=Environment(python="3", platform="p", machine="m", device="cpu", packages={}),
        timing=Timing(started_at="a", finished_at="b", seconds={}, images_generated=1, images_embedded=1),
    )


def test_a_record_survives_json(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(record().model_dump_json())
    assert parse_json(RunRecord, path) == record()


def test_a_record_satisfies_the_schema_that_is_printed() -> None:
    jsonschema.validate(json.loads(record().model_dump_json()), RunRecord.model_json_schema())


def test_a_record_becomes_a_frame_with_a_row_a_value_and_one_for_what_was_not_computed() -> None:
    frame = record().to_frame()
    assert list(frame["task"]) == ["t", "u"]
    assert frame[["value", "low", "high", "good_end"]].iloc[0].tolist() == [0.5, 0.4, 0.6, 0.1]
    assert frame.loc[1, "status"] == "not computed"
    assert frame.loc[1, "reason"] == "no weights"


def test_scores_are_found_by_key() -> None:
    assert record().score("u").reason == "no weights"
    with pytest.raises(KeyError):
        record().score("v")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_value_is_never_nan_or_infinite(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Value(value=number, title="t", direction="lower", headline=True)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 2}'])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"record\.json"):
        parse_json(RunRecord, path)


def test_every_document_has_a_schema() -> None:
    for name, kind in DOCUMENTS.items():
        assert kind.model_json_schema()["title"] == name


def test_a_card_s_field_that_does_not_say_whether_it_decides_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Undecided\.colour must be Annotated"):

        class Undecided(GeneratorCard):
            colour: str = ""


def test_what_describes_a_card_is_no_part_of_its_digest() -> None:
    card = EncoderCard(name="e", revision="1", dimension=2)
    told = {"title": "E", "notes": "n", "source": "s", "licence": "MIT", "gated": True, "hub_id": "o/e"}
    assert card.model_copy(update=told).digest() == card.digest()
    for change in ({"revision": "2"}, {"dimension": 3}, {"recipe": "mean"}, {"micro_batch": 8}):
        assert card.model_copy(update=change).digest() != card.digest()
