"""Near-duplicates and sampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reference_model.bank.directions import unit_rows
from reference_model.curation.duplicates import Twin, cosine_twins, hash_twins, perceptual_hash
from reference_model.curation.sampling import default_clusters, sample, shares
from tests.reference_model.test_curation_made_up import stained_tile


def test_the_hash_of_one_wave_has_the_bits_of_its_frequency() -> None:
    # A cosine of DCT frequency (row 0, column 3), added to mid-grey: of the 64 low coefficients only the mean (0, 0)
    # and (0, 3) are well above the median, which is about 0; rounding noise decides the others, so only these two are
    # looked at, and the sign: with the wave turned over, its bit is off.
    x = (np.arange(32) + 0.5) / 32
    for sign in (1, -1):
        wave = np.tile(128 + sign * 60 * np.cos(3 * np.pi * x), (32, 1))
        code = perceptual_hash(np.repeat(np.round(wave).astype(np.uint8)[..., None], 3, axis=2))
        assert code >> 63 == 1
        assert (code >> (63 - 3)) & 1 == (sign == 1)


def test_copies_are_near_and_other_tiles_are_far() -> None:
    tiles = [stained_tile(i, 25, size=128) for i in range(12)]
    codes = [perceptual_hash(t) for t in tiles]
    for tile, code in zip(tiles, codes, strict=True):
        brighter = np.clip(tile.astype(int) + 6, 0, 255).astype(np.uint8)
        smaller = np.asarray(Image.fromarray(tile).resize((96, 96), Image.Resampling.BICUBIC))
        for copy in (tile, brighter, smaller):
            assert (perceptual_hash(copy) ^ code).bit_count() <= 6
    apart = [(a ^ b).bit_count() for i, a in enumerate(codes) for b in codes[:i]]
    assert min(apart) > 10


def test_the_first_stays_and_the_nearest_is_named() -> None:
    # 0b0111 is two bits from 0 and one from 0b0011; 0b0011 is two bits from 0. With distance 1: 0 and 0b0011 stay,
    # 0b0111 goes for 0b0011 (row 1); the second 0 goes for the first.
    assert hash_twins([0, 0b0011, 0b0111, 0], 1) == [Twin(2, 1, 1.0), Twin(3, 0, 0.0)]
    assert hash_twins([0, 0b0011, 0b0111, 0], 2) == [Twin(1, 0, 2.0), Twin(3, 0, 0.0)]
    assert hash_twins([], 3) == []


@pytest.mark.integration
@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(0, 9))
def test_bands_find_what_comparing_all_pairs_finds(data: st.DataObject, distance: int) -> None:
    base = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
    flips = st.sets(st.integers(0, 63), max_size=10)
    codes = [
        data.draw(st.sampled_from(base)) ^ sum(1 << b for b in data.draw(flips))
        for _ in range(data.draw(st.integers(0, 14)))
    ]
    kept: list[int] = []
    expected = []
    for row, code in enumerate(codes):
        near = sorted(((code ^ codes[k]).bit_count(), k) for k in kept)
        if near and near[0][0] <= distance:
            expected.append(Twin(row, near[0][1], float(near[0][0])))
        else:
            kept.append(row)
    assert hash_twins(codes, distance) == expected


def test_directions_that_are_close_go() -> None:
    # Angles 0, 10, 20, 100 and 5 degrees; cos 10 = 0.9848, cos 5 = 0.9962. From 0.98 on: 10 goes for 0; 20 stays (cos
    # 20 = 0.94); 5 is five degrees from 0, fifteen from 20: goes for 0.
    angles = np.radians([0, 10, 20, 100, 5])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    twins = cosine_twins(rows, 0.98)
    assert [(t.row, t.kept) for t in twins] == [(1, 0), (4, 0)]
    assert [t.value for t in twins] == pytest.approx([np.cos(np.radians(10)), np.cos(np.radians(5))], abs=1e-6)


@pytest.mark.parametrize("count", [0, 1, 700, 1030])
def test_blocks_give_what_one_by_one_gives(count: int) -> None:
    rows = np.round(np.random.default_rng(count).normal(size=(count, 3)), 1)
    rows[np.linalg.norm(rows, axis=1) == 0] = 1
    units = unit_rows(rows.astype(np.float32), "rows") if count else rows
    kept: list[int] = []
    expected = []
    for row in range(count):
        cosines = np.round(units[kept] @ units[row], 6)
        if len(kept) and cosines.max() >= 0.999:
            expected.append((row, kept[int(np.argmax(cosines))]))
        else:
            kept.append(row)
    assert [(t.row, t.kept) for t in cosine_twins(units, 0.999)] == expected


def test_shares_fill_up_to_one_level() -> None:
    # Sizes 1, 5, 9 and ten wanted: the level 4 gives 1 + 4 + 4 = 9, and the one left goes to the first that has more.
    assert shares([1, 5, 9], 10) == [1, 5, 4]
    assert shares([1, 5, 9], 100) == [1, 5, 9]
    assert shares([4, 4], 3) == [2, 1]
    assert shares([3, 0, 3], 0) == [0, 0, 0]


@given(st.lists(st.integers(0, 20), max_size=8), st.integers(0, 80))
def test_shares_are_even_and_add_up(sizes: list[int], target: int) -> None:
    given_ = shares(sizes, target)
    assert sum(given_) == min(target, sum(sizes))
    assert all(0 <= g <= s for g, s in zip(given_, sizes, strict=True))
    short = [g for g, s in zip(given_, sizes, strict=True) if g < s]
    assert all(max(given_, default=0) - g <= 1 for g in short)


def test_what_is_rare_is_sampled_as_often_as_what_is_common() -> None:
    # 90 directions near 0 degrees, 10 near 90: two clusters, ten wanted, five of each.
    rng = np.random.default_rng(0)
    angles = np.radians(np.concatenate([rng.normal(0, 2, 90), rng.normal(90, 2, 10)]))
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    ids = [f"tile-{i}" for i in range(100)]
    chosen, labels = sample(rows, ids, 10, 2, 0)
    assert sum(i >= 90 for i in chosen) == 5
    assert len(set(labels[:90])) == len(set(labels[90:])) == 1
    assert sample(rows, ids, 10, 2, 0)[0] == chosen
    assert sample(rows, ids, 10, 2, 1)[0] != chosen
    assert default_clusters(100) == 10
    assert default_clusters(101) == 11
