"""The store: fixed shards, atomic files, rows reused by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.core.errors import DataError
from unipath_bench.pipeline.store import (
    SHARD_ROWS,
    FeatureFamily,
    FeatureRow,
    SampleFamily,
    SampleRow,
    content_digest,
    positions,
)


def features(*keys: str) -> list[FeatureRow]:
    return [FeatureRow(k, f"pixels of {k}", np.array([len(k), ord(k[-1]), 0.1], np.float32)) for k in keys]


def sample(key: str, png: bytes = b"png") -> SampleRow:
    return SampleRow(key, f"id of {key}", 1, "prompt, with a comma", 2**62, png, "digest")


def test_feature_rows_come_back_as_they_were(tmp_path: Path) -> None:
    family = FeatureFamily(tmp_path)
    rows = features("a", "b", "c")
    back = family.read(family.put(0, rows))
    assert [(r.key, r.pixel_digest) for r in back] == [(r.key, r.pixel_digest) for r in rows]
    assert all(
        np.array_equal(r.vector, b.vector) and b.vector.dtype == np.float32 for r, b in zip(rows, back, strict=True)
    )


def test_sample_rows_come_back_as_they_were(tmp_path: Path) -> None:
    family = SampleFamily(tmp_path)
    rows = [sample("a", b"\x89PNG\x00"), sample("b", b"")]
    assert family.read(family.put(3, rows)) == rows


def test_hugging_face_datasets_reads_a_sample_shard(tmp_path: Path) -> None:
    from unipath_bench.core.images import encode_png

    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    path = SampleFamily(tmp_path / "family").put(0, [sample("a", encode_png(image))])
    loaded = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert np.array_equal(np.asarray(loaded[0]["image"]), image)


def test_shards_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    families: list[tuple[type[FeatureFamily | SampleFamily], list[Any]]] = [
        (FeatureFamily, features("a", "b")),
        (SampleFamily, [sample("a"), sample("b")]),
    ]
    for make, rows in families:
        first = make(tmp_path / "1").put(0, rows).read_bytes()
        assert make(tmp_path / "2").put(0, rows).read_bytes() == first


def test_other_keys_make_another_file_and_rows_are_reused_by_key(tmp_path: Path) -> None:
    family = FeatureFamily(tmp_path)
    family.put(0, features("a", "b"))
    assert not family.path(0, ["a", "b", "c"]).exists()
    assert set(family.find(0, ["a", "b", "c"])) == {"a", "b"}
    assert family.find(1, ["a", "b"]) == {}


@given(st.integers(0, 500))
def test_positions_tile_the_rows(count: int) -> None:
    covered = [i for position, rows in positions(count) for i in range(count)[rows] if i // SHARD_ROWS == position]
    assert covered == list(range(count))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20, unique=True), st.data())
def test_the_content_digest_sees_every_change(numbers: list[int], data: st.DataObject) -> None:
    rows = [FeatureRow(str(i), "p", np.array([i], np.float32)) for i in numbers]
    at = data.draw(st.integers(0, len(rows) - 1))
    changed = [*rows[:at], FeatureRow(rows[at].key, "p", rows[at].vector + np.float32(1)), *rows[at + 1 :]]
    assert content_digest(rows) == content_digest(list(rows))
    assert content_digest(changed) != content_digest(rows)
    assert len(rows) == 1 or content_digest(rows[::-1]) != content_digest(rows)


@pytest.mark.parametrize("make", [FeatureFamily, SampleFamily])
def test_a_damaged_shard_is_named(tmp_path: Path, make: type[FeatureFamily | SampleFamily]) -> None:
    family = make(tmp_path)
    rows: list[Any] = [*features("a")] if make is FeatureFamily else [sample("a")]
    path = family.put(0, rows)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=path.name) as caught:
        family.read(path)
    assert "Delete this file" in caught.value.remedy
