"""The store: fixed shards, atomic files, rows reused by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.core.digest import digest_strings
from unipath_bench.core.errors import DataError
from unipath_bench.pipeline.store import (
    SHARD_ROWS,
    FeatureShard,
    FeatureShardSet,
    SampleRow,
    SampleShardSet,
    content_digest,
    shard_slices,
)


def features(*keys: str) -> FeatureShard:
    matrix = np.array([[len(k), ord(k[-1]), 0.1] for k in keys], np.float32)
    return FeatureShard(keys, [f"pixels of {k}" for k in keys], matrix)


def same(one: FeatureShard, other: FeatureShard) -> bool:
    return (
        list(one.keys) == list(other.keys)
        and list(one.pixel_digests) == list(other.pixel_digests)
        and np.array_equal(one.matrix, other.matrix)
    )


def sample(key: str, png: bytes = b"png") -> SampleRow:
    return SampleRow(key, f"id of {key}", 1, "prompt, with a comma", 2**62, png, "digest")


def test_feature_rows_come_back_as_they_were(tmp_path: Path) -> None:
    family = FeatureShardSet(tmp_path)
    shard = features("a", "b", "c")
    back = family.read(family.put(0, shard))
    assert same(back, shard)
    assert back.matrix.dtype == np.float32


def test_sample_rows_come_back_as_they_were(tmp_path: Path) -> None:
    family = SampleShardSet(tmp_path)
    rows = [sample("a", b"\x89PNG\x00"), sample("b", b"")]
    assert family.read(family.put(3, rows)) == rows


def test_hugging_face_datasets_reads_a_sample_shard(tmp_path: Path) -> None:
    from unipath_bench.core.images import encode_png

    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    path = SampleShardSet(tmp_path / "family").put(0, [sample("a", encode_png(image))])
    loaded = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert np.array_equal(np.asarray(loaded[0]["image"]), image)


def test_shards_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    families: list[tuple[type[FeatureShardSet | SampleShardSet], Any]] = [
        (FeatureShardSet, features("a", "b")),
        (SampleShardSet, [sample("a"), sample("b")]),
    ]
    for make, shard in families:
        first = make(tmp_path / "1").put(0, shard).read_bytes()
        assert make(tmp_path / "2").put(0, shard).read_bytes() == first


def test_a_part_of_a_matrix_is_stored_as_its_own_rows(tmp_path: Path) -> None:
    """Views of a larger matrix, by rows or in Fortran's order, are the same file as a copy of them."""
    whole = features("a", "b", "c", "d")
    copied = FeatureShardSet(tmp_path / "1").put(0, features("b", "c"))
    assert FeatureShardSet(tmp_path / "2").put(0, whole[1:3]).read_bytes() == copied.read_bytes()
    turned = FeatureShard(whole.keys, whole.pixel_digests, np.asfortranarray(whole.matrix))[1:3]
    assert FeatureShardSet(tmp_path / "3").put(0, turned).read_bytes() == copied.read_bytes()
    assert content_digest(turned) == content_digest(features("b", "c"))


def test_other_keys_make_another_file_and_rows_are_reused_by_key(tmp_path: Path) -> None:
    family = FeatureShardSet(tmp_path)
    family.put(0, features("a", "b"))
    assert not family.path(0, ["a", "b", "c"]).exists()
    assert same(family.find(0, ["c", "b", "a"]), features("b", "a"))
    family.put(0, features("d", "c"))
    assert same(family.find(0, ["a", "c"]), features("a", "c"))
    assert len(family.find(1, ["a", "b"])) == 0


@given(st.integers(0, 500))
def test_positions_tile_the_rows(count: int) -> None:
    covered = [i for position, rows in shard_slices(count) for i in range(count)[rows] if i // SHARD_ROWS == position]
    assert covered == list(range(count))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20, unique=True), st.data())
def test_the_content_digest_sees_every_change(numbers: list[int], data: st.DataObject) -> None:
    count = len(numbers)
    shard = FeatureShard([str(i) for i in numbers], ["p"] * count, np.array(numbers, np.float32)[:, None])
    at = data.draw(st.integers(0, count - 1))
    changed = FeatureShard(shard.keys, shard.pixel_digests, shard.matrix + np.eye(count, dtype=np.float32)[:, [at]])
    assert content_digest(shard) == content_digest(shard[:])
    assert content_digest(changed) != content_digest(shard)
    assert count == 1 or content_digest(shard[::-1]) != content_digest(shard)


def test_the_content_digest_is_over_keys_and_little_endian_float32_in_hexadecimal() -> None:
    # 1.0 is 3f800000 and -2.0 is c0000000 in IEEE 754, the last byte first.
    shard = FeatureShard(["k"], ["p"], np.array([[1.0, -2.0]], np.float32))
    assert content_digest(shard) == digest_strings(["k", "0000803f000000c0"])


@pytest.mark.parametrize("make", [FeatureShardSet, SampleShardSet])
def test_a_damaged_shard_is_named(tmp_path: Path, make: type[FeatureShardSet | SampleShardSet]) -> None:
    family = make(tmp_path)
    shard: Any = features("a") if make is FeatureShardSet else [sample("a")]
    path = family.put(0, shard)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=path.name) as caught:
        family.read(path)
    assert "Delete this file" in caught.value.remedy
