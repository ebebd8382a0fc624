"""A store in object storage: what one machine wrote, another with an empty folder goes on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import fsspec
import pytest

from unipath_bench.core.errors import MissingError, UsageError
from unipath_bench.options import Options
from unipath_bench.pipeline.executors import Execution
from unipath_bench.pipeline.place import Place
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.run import run, run_part
from unipath_bench.pipeline.work import Part
from unipath_bench.schema.record import RunRecord


@pytest.fixture
def options(small_tiles: Path) -> Options:
    return Options(model="tests.adapters:Painter", suite="folder", data=str(small_tiles), tasks=("frechet-distance",))


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty bucket in memory, or in a folder."""
    if request.param == "file":
        return f"file://{tmp_path}/bucket/run"
    system = fsspec.filesystem("memory")
    if system.exists("/bucket"):
        system.rm("/bucket", recursive=True)
    return "memory://bucket/run"


def evaluate(options: Options, folder: Path, url: str | None) -> RunRecord:
    place = Place(folder, url)
    finished = run(make_plan(options), place)
    place.publish(finished.path)
    return finished.load_record()


def timeless(record: RunRecord) -> str:
    return json.dumps(record.model_dump(mode="json", exclude={"timing"}), sort_keys=True)


@pytest.mark.integration
def test_another_machine_goes_on_where_one_left_off(options: Options, tmp_path: Path, url: str) -> None:
    first = evaluate(options, tmp_path / "a", url)
    assert timeless(first) == timeless(evaluate(options, tmp_path / "none", None))
    second = evaluate(options, tmp_path / "b", url)
    assert timeless(second) == timeless(first)
    assert (second.timing.images_generated, second.timing.images_embedded) == (0, 0)
    system, base = fsspec.core.url_to_fs(url)
    (record,) = system.glob(f"{base}/runs/*/record.json")
    assert json.loads(system.cat_file(record))["run_id"] == first.run_id


@pytest.mark.integration
def test_machines_share_a_run_by_the_bucket_alone(options: Options, tmp_path: Path, url: str) -> None:
    for number in (1, 2):
        run_part(make_plan(options), Place(tmp_path / f"part{number}", url), Part(number, 2))
    whole = evaluate(options, tmp_path / "whole", url)
    assert whole.timing.images_generated == 0
    assert timeless(whole) == timeless(evaluate(options, tmp_path / "none", None))


@pytest.mark.integration
def test_rows_of_a_smaller_run_are_found_in_the_bucket(options: Options, tmp_path: Path, url: str) -> None:
    few = Options(**{**{k: getattr(options, k) for k in options.__dataclass_fields__}, "n": 10})
    evaluate(few, tmp_path / "a", url)
    assert evaluate(options, tmp_path / "b", url).timing.images_generated == 30


@pytest.mark.integration
def test_a_damaged_object_is_replaced_for_everybody(options: Options, tmp_path: Path, url: str) -> None:
    before = evaluate(options, tmp_path / "a", url)
    system, base = fsspec.core.url_to_fs(url)
    name = min(system.glob(f"{base}/store/features/**/*.safetensors"))
    sound = system.cat_file(name)
    system.pipe_file(name, sound[:-8] + b"\0" * 8)
    after = evaluate(options, tmp_path / "b", url)
    assert timeless(after) == timeless(before)
    assert len(after.timing.repaired) == 1
    assert system.cat_file(name) == sound


@pytest.mark.integration
def test_worker_processes_write_to_the_bucket(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    url = f"file://{tmp_path}/bucket/run"
    first = run(make_plan(options), Place(tmp_path / "a", url), execution=Execution(executor="processes", workers=2))
    shutil.rmtree(tmp_path / "a" / "store")
    again = evaluate(options, tmp_path / "a", url)
    assert again.timing.images_generated == 0
    assert timeless(again) == timeless(first.load_record())


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIPATH_BENCH_CACHE", str(tmp_path))
    assert Place.parse("runs/a") == Place(Path("runs/a"))
    there = Place.parse("s3://bucket/run/")
    assert there.url == str(there) == "s3://bucket/run"
    assert there.folder.parent == tmp_path
    assert Place.parse("s3://bucket/run") == there
    assert Place.parse("s3://bucket/other").folder != there.folder
    with pytest.raises(UsageError, match="is no address") as refused:
        Place.parse("s3://user:secret@bucket/run")
    assert "secret" not in str(refused.value)
    with pytest.raises(MissingError, match="cannot be reached"):
        Place(tmp_path, "nosuchscheme://bucket/run").store()
