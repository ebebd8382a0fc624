"""The whole of curation over a heap whose faults are known; stopping and going on; what it writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from reference_model.curation import Bounds, Options, Result, curate
from reference_model.curation.output import write_dataset
from reference_model.curation.report import read_summary, write_report
from tests.reference_model.test_curation_made_up import COPIES, FAULTS, Scribe, heap
from unipath_bench import DataError, UsageError
from unipath_bench.encoders.texture import TextureEncoder
from unipath_bench.suites.folder import FolderSuite
from unipath_bench.suites.parquet import ParquetSuite

OPTIONS = Options(target=12, clusters=3)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> FolderSuite:
    return FolderSuite(heap(tmp_path_factory.mktemp("heap")))


@pytest.fixture(scope="module")
def whole(suite: FolderSuite, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    folder = tmp_path_factory.mktemp("whole")
    result = curate(suite, folder / "stages", OPTIONS, Scribe())
    write_report(result, OPTIONS, folder / "report")
    write_dataset(suite, result, folder / "dataset", "folder")
    return result, folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_fault_is_dropped_for_its_reason_and_no_good_tile(whole: tuple[Result, Path]) -> None:
    quality = {d.sample.id: d.reason for d in whole[0].drops if d.stage == "quality"}
    assert quality == {f"train/{name}.png": reason for name, reason in FAULTS.items()}


def test_copies_go_and_a_test_image_stays_where_training_holds_it_too(whole: tuple[Result, Path]) -> None:
    twins = {d.sample.id: d.like for d in whole[0].drops if d.stage == "duplicate"}
    pair = {"train/copy.png", "train/good03.png"}
    assert set(twins) == {"train/copy.png" if "train/copy.png" in twins else "train/good03.png", "train/leak.png"}
    assert twins["train/leak.png"] == COPIES["train/leak.png"] == "test/good00.png"
    assert {name for item in twins.items() for name in item if name in pair} == pair


def test_sampling_reaches_its_target_and_captions_are_the_captioners(
    suite: FolderSuite, whole: tuple[Result, Path]
) -> None:
    result, _ = whole
    assert len(result.kept) == 12
    assert len(result.kept) + len(result.drops) == len(suite.samples())
    order = [s.id for s in suite.samples()]
    assert sorted(result.kept, key=lambda s: order.index(s.id)) == list(result.kept)
    for sample, caption in zip(result.kept, result.captions, strict=True):
        assert caption == f"mean {suite.load(sample).mean():.2f}, once {sample.prompt!r}"


@pytest.mark.integration
@pytest.mark.parametrize("stop_at", [0, 5, 17])
def test_stopped_and_resumed_it_gives_the_same_and_repeats_little(
    suite: FolderSuite, whole: tuple[Result, Path], tmp_path: Path, stop_at: int
) -> None:
    options = Options()  # no target: 18 captions, in shards of 16 places of the suite
    once = Scribe()
    expected = curate(suite, tmp_path / "once", options, once)
    first, second = Scribe(stop_at), Scribe()
    with pytest.raises(KeyboardInterrupt):
        curate(suite, tmp_path / "twice", options, first)
    assert curate(suite, tmp_path / "twice", options, second) == expected
    assert contents(tmp_path / "twice") == contents(tmp_path / "once")
    # Every shard is whole or not there, so at most one shard of captions (16) was asked for twice.
    assert len(once.calls) == len(expected.kept) > 17
    assert len(once.calls) <= len(first.calls) + len(second.calls) < len(once.calls) + 16
    third = Scribe()
    assert curate(suite, tmp_path / "twice", options, third) == expected
    assert third.calls == []


def test_finished_stages_are_read_not_computed(
    suite: FolderSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = curate(suite, tmp_path, OPTIONS, Scribe())
    monkeypatch.setattr(TextureEncoder, "embed_images", None)
    monkeypatch.setattr("reference_model.curation.pipeline.measure", None)
    assert curate(suite, tmp_path, OPTIONS, Scribe()) == expected
    # Other bounds only decide anew; tiles that were dropped before would need embedding, so only narrower ones do.
    narrower = Options(bounds=Bounds(least_tissue=0.9), target=None, similarity=None)
    assert len(curate(suite, tmp_path, narrower, Scribe()).kept) > 0


@pytest.mark.integration
def test_a_changed_image_is_measured_anew(tmp_path: Path) -> None:
    root = heap(tmp_path / "heap")
    before = curate(FolderSuite(root), tmp_path / "stages", Options(), Scribe())
    (root / "train" / "good05.png").write_bytes((root / "train" / "uniform.png").read_bytes())
    after = curate(FolderSuite(root), tmp_path / "stages", Options(), Scribe())
    assert {d.sample.id for d in after.drops} - {d.sample.id for d in before.drops} == {"train/good05.png"}


def test_a_damaged_stage_file_is_named(suite: FolderSuite, tmp_path: Path) -> None:
    curate(suite, tmp_path, Options(encoder=None), Scribe())
    path = next((tmp_path / "measure").iterdir())
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=path.name):
        curate(suite, tmp_path, Options(encoder=None), Scribe())


def test_stage_files_say_what_decided_them(whole: tuple[Result, Path], suite: FolderSuite) -> None:
    for stage in ("measure", "duplicate", "embed", "similar", "sampling", "caption"):
        for path in (whole[1] / "stages" / stage).iterdir():
            key = json.loads(pq.read_schema(path).metadata[b"unipath_curation"])
            assert (key["stage"], key["suite"]) == (stage, suite.revision)


def test_the_report_counts_every_drop(whole: tuple[Result, Path], suite: FolderSuite) -> None:
    result, folder = whole
    with (folder / "report" / "dropped.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {r["id"] for r in rows} == {s.id for s in suite.samples()} - {s.id for s in result.kept}
    assert {r["reason"] for r in rows if r["id"] == "train/blurred.png"} == {"out of focus"}
    summary = read_summary(folder / "report" / "summary.json")
    assert (summary.images, summary.kept) == (25, 12)
    assert sum(r.dropped for r in summary.reasons) == 13
    assert [r.rate for r in summary.reasons if r.reason == "pen"] == [pytest.approx(1 / 25)]
    with (folder / "report" / "summary.csv").open(encoding="utf-8") as stream:
        assert list(csv.reader(stream))[-1] == ["all", "", "13", "0.5200"]


def test_the_folder_is_a_suite_with_the_same_pixels(whole: tuple[Result, Path], suite: FolderSuite) -> None:
    result, folder = whole
    written = {s.id: s for s in FolderSuite(folder / "dataset").samples()}
    again = FolderSuite(folder / "dataset")
    assert set(written) == {s.id for s in result.kept}
    for sample, caption in zip(result.kept, result.captions, strict=True):
        copy = written[sample.id]
        assert (copy.split, copy.prompt, copy.labels, copy.group) == (
            sample.split,
            caption,
            sample.labels,
            sample.group,
        )
        np.testing.assert_array_equal(again.load(copy), suite.load(sample))


def test_parquet_is_a_suite_with_the_same_pixels(
    whole: tuple[Result, Path], suite: FolderSuite, tmp_path: Path
) -> None:
    result, _ = whole
    assert write_dataset(suite, result, tmp_path / "set", "parquet")
    again = ParquetSuite(tmp_path / "set")
    samples = {s.id: s for s in again.samples()}
    for sample, caption in zip(result.kept, result.captions, strict=True):
        copy = samples[sample.id]
        assert (copy.split, copy.prompt, copy.labels, copy.group) == (
            sample.split,
            caption,
            sample.labels,
            sample.group,
        )
        np.testing.assert_array_equal(again.load(copy), suite.load(sample))
    assert not write_dataset(suite, result, tmp_path / "set", "parquet")  # there already
    assert write_dataset(suite, result, tmp_path / "set", "folder")  # in another form: replaced
    assert len(FolderSuite(tmp_path / "set").samples()) == 12


def test_a_folder_of_something_else_is_never_replaced(
    whole: tuple[Result, Path], suite: FolderSuite, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        write_dataset(suite, whole[0], tmp_path, "folder")
    assert contents(tmp_path) == {"thesis.txt": b"mine"}


def test_an_image_without_a_caption_is_dropped_with_its_reason(suite: FolderSuite, tmp_path: Path) -> None:
    result = curate(suite, tmp_path, Options(encoder=None, split="test"), Scribe(refuse="test/good02.png"))
    assert [(d.sample.id, d.stage, d.reason) for d in result.drops] == [("test/good02.png", "caption", "no caption")]
    assert [s.id for s in result.kept] == ["test/good00.png", "test/good01.png", "test/good03.png"]


@pytest.mark.integration
def test_workers_change_nothing(suite: FolderSuite, tmp_path: Path) -> None:
    one = curate(suite, tmp_path / "one", Options(encoder=None), Scribe())
    four = curate(suite, tmp_path / "four", Options(encoder=None, workers=4), Scribe())
    assert one == four
    assert contents(tmp_path / "one") == contents(tmp_path / "four")


def test_a_missing_encoder_is_an_error(suite: FolderSuite, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no-such"):
        curate(suite, tmp_path, Options(encoder="no-such"), Scribe())
    with pytest.raises(UsageError, match="Sampling needs an embedding"):
        curate(suite, tmp_path, Options(encoder=None, target=3), Scribe())
