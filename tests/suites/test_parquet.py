"""The parquet suite: layouts of files, image columns, ids, flat memory, damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.suites.made_up import pixels, png
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.suites import parquet
from unipath_bench.suites.parquet import ParquetSuite
from unipath_bench.suites.verify import verify_by_loading

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(path: Path, seeds: range, *, group: int = 3, binary: bool = False, **columns: Any) -> Path:
    """A file with one image a seed, in row groups of ``group``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = [png(seed) for seed in seeds]
    images = pa.array(data) if binary else pa.array([{"bytes": d, "path": None} for d in data], STRUCT)
    pq.write_table(pa.table({"image": images, **columns}), path, row_group_size=group)
    return path


def test_files_named_as_hugging_face_does(tmp_path: Path) -> None:
    write(tmp_path / "data/train-00000-of-00002.parquet", range(0, 4), text=list("abcd"), label=[0, 1, 0, 1])
    write(tmp_path / "data/train-00001-of-00002.parquet", range(4, 6), text=list("ef"), label=[0, 1])
    write(tmp_path / "data/test-00000-of-00001.parquet", range(6, 14), text=list("ghijklmn"), label=[0, 1] * 4)
    write(tmp_path / "data/validation-00000-of-00001.parquet", range(14, 15), text=["o"], label=[1])
    suite = ParquetSuite(tmp_path, name="hf")
    by_prompt = {s.prompt: s for s in suite.samples()}
    assert len(by_prompt) == 15
    assert {s.split for p, s in by_prompt.items() if p in "abcdef"} == {"train"}
    assert {s.split for p, s in by_prompt.items() if p in "ghijklmn"} == {"test"}
    assert by_prompt["o"].split == "heldout"
    assert by_prompt["f"].id == "data/train-00001-of-00002/1"
    assert by_prompt["h"].labels == {"label": "1"}
    for seed, prompt in enumerate("abcdefghijklmno"):
        np.testing.assert_array_equal(suite.load(by_prompt[prompt]), pixels(seed))
    assert (suite.card.height, suite.card.width, suite.card.attributes) == (8, 8, ("label",))
    verify_by_loading(suite)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.parquet", "train"),
        ("test_part1.parquet", "test"),
        ("default/train/0000.parquet", "train"),
        ("val/0.parquet", "heldout"),
        ("tiles.parquet", "test"),
        ("trainees.parquet", "test"),
        ("train/test-0.parquet", "test"),
    ],
)
def test_splits_by_file_name_and_folder(tmp_path: Path, name: str, split: str) -> None:
    write(tmp_path / name, range(2))
    assert {s.split for s in ParquetSuite(tmp_path).samples()} == {split}


def test_one_file_with_a_split_column_and_all_the_others(tmp_path: Path) -> None:
    path = write(
        tmp_path / "tiles.parquet",
        range(2),
        binary=True,
        split=["train", "dev"],
        id=["one", "two"],
        organ=["lung", "colon"],
        case=[7, 8],
        mpp=[0.5, 0.5],
        paraphrases=[["x", "y"], ["z"]],
        embedding=[[0.1], [0.2]],
        text=["p", "q"],
    )
    suite = ParquetSuite(path)
    one, two = suite.samples()
    assert (one.id, one.split, one.group, one.paraphrases, one.labels) == (
        "one",
        "train",
        "7",
        ("x", "y"),
        {"organ": "lung"},
    )
    assert (two.split, two.microns_per_pixel, suite.card.microns_per_pixel) == ("heldout", 0.5, 0.5)
    assert suite.card.name == "tiles"
    np.testing.assert_array_equal(suite.load(two), pixels(1))


def test_a_file_of_images_alone(tmp_path: Path) -> None:
    suite = ParquetSuite(write(tmp_path / "a.parquet", range(5), group=2))
    assert [s.id for s in suite.samples()] == ["a/0", "a/1", "a/2", "a/3", "a/4"]
    np.testing.assert_array_equal(suite.load(suite.samples()[4]), pixels(4))


def test_the_image_column(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    images = pa.array([{"bytes": png(0), "path": None}], STRUCT)
    pq.write_table(pa.table({"tile": images, "mask": images}), path)
    with pytest.raises(UsageError, match="tile, mask") as caught:
        ParquetSuite(path)
    assert "image_column=tile" in caught.value.remedy
    assert len(ParquetSuite(path, image_column="mask").samples()) == 1
    with pytest.raises(UsageError, match="image_column=text"):
        ParquetSuite(path, image_column="text")
    pq.write_table(pa.table({"text": ["a"]}), path)
    with pytest.raises(DataError, match=r"no image column \(its columns: text\)"):
        ParquetSuite(path)


def test_damaged_images_and_null_ones_are_all_listed(tmp_path: Path) -> None:
    cells = [
        {"bytes": png(0), "path": "a.png"},
        {"bytes": None, "path": "b.png"},
        {"bytes": png(2)[:-9], "path": None},
        None,
    ]
    pq.write_table(pa.table({"image": pa.array(cells, STRUCT)}), tmp_path / "a.parquet")
    with pytest.raises(DataError) as caught:
        verify_by_loading(ParquetSuite(tmp_path))
    message = caught.value.message
    assert "3 of 4 images" in message
    assert "a/1 (a.parquet) has no image bytes" in message
    assert "a/2 is cut short or damaged" in message
    assert "a/3 (a.parquet) has no image bytes" in message
    assert "to_parquet" in caught.value.remedy


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere does not exist"):
        ParquetSuite(tmp_path / "nowhere")
    with pytest.raises(DataError, match="there are no Parquet files"):
        ParquetSuite(tmp_path)
    good = write(tmp_path / "a.parquet", range(3)).read_bytes()
    (tmp_path / "b.parquet").write_bytes(good[: len(good) // 2])
    (tmp_path / "c.parquet").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        ParquetSuite(tmp_path)
    assert "b.parquet is not a Parquet file" in caught.value.message
    assert "c.parquet is not a Parquet file" in caught.value.message


def test_no_rows_and_links_out(tmp_path: Path) -> None:
    write(tmp_path / "in/a.parquet", range(0))
    with pytest.raises(DataError, match="have no rows"):
        ParquetSuite(tmp_path / "in")
    (tmp_path / "in/b.parquet").symlink_to(write(tmp_path / "out/b.parquet", range(1)))
    with pytest.raises(DataError, match="1 links lead out of the folder"):
        ParquetSuite(tmp_path / "in")


def test_column_rules_report_row_numbers(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", range(3), label=["x", None, "y"], id=["k", "k", "l"])
    with pytest.raises(DataError) as caught:
        ParquetSuite(tmp_path)
    assert "1 rows have an empty 'label':\n  - a.parquet row 1" in caught.value.message
    assert "k: a.parquet row 0, a.parquet row 1" in caught.value.message


def test_row_groups_are_read_once_and_memory_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = ParquetSuite(write(tmp_path / "a.parquet", range(40), group=4))
    reads: list[int] = []
    real = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, index: int, **options: Any) -> pa.Table:
        reads.append(index)
        return real(self, index, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    monkeypatch.setattr(parquet, "CACHE_BYTES", 0)
    suite = ParquetSuite(tmp_path / "a.parquet", size="any")
    reads.clear()
    for sample in suite.samples():
        suite.load(sample)
    assert reads == list(range(10))
    assert len(suite._images._groups._kept) == 1
    monkeypatch.setattr(parquet, "CACHE_BYTES", 2**20)
    suite = ParquetSuite(tmp_path / "a.parquet", size="any")
    reads.clear()
    for sample in reversed(suite.samples()):
        suite.load(sample)
    for sample in suite.samples():
        suite.load(sample)
    assert reads == list(range(9, -1, -1))


def test_the_revision_follows_the_content(tmp_path: Path) -> None:
    first = ParquetSuite(write(tmp_path / "1/a.parquet", range(3), text=list("abc"))).revision
    assert ParquetSuite(write(tmp_path / "2/a.parquet", range(3), text=list("abc"))).revision == first
    assert ParquetSuite(write(tmp_path / "3/a.parquet", range(3), text=list("abd"))).revision != first
    assert ParquetSuite(write(tmp_path / "4/a.parquet", range(1, 4), text=list("abc"))).revision != first
