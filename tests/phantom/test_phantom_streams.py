"""The random numbers: raw words against an independent Philox, transforms against their definitions."""

from __future__ import annotations

import hashlib
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.phantom import Stream

MASK = 2**64 - 1


def philox4x64(counter: list[int], key: list[int]) -> list[int]:
    """Philox 4x64-10 in plain integers, from the equations of Salmon et al., SC 2011, section 5.3."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(p1 >> 64) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 64) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return c


def test_the_peer_gives_the_published_known_answer() -> None:
    # Random123 1.09, kat_vectors: philox4x64 10, counter and key zero.
    assert philox4x64([0, 0, 0, 0], [0, 0]) == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]


@given(st.integers(0, 2**62), st.text(max_size=12), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_words_are_philox_of_the_hashed_path(seed: int, name: str, n: int) -> None:
    raw = hashlib.sha256(f"int:{seed}/str:{name}".encode()).digest()
    key = [int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:16], "little")]
    stream = Stream(seed, name)
    # numpy counts up before it generates, so the first block is that of counter 1. A call starts a new block.
    first = [w for block in range(1, 12) for w in philox4x64([block, 0, 0, 0], key)][:n]
    start = 1 + (n + 3) // 4
    assert stream.words(n).tolist() == first
    assert stream.words(2).tolist() == philox4x64([start, 0, 0, 0], key)[:2]


def test_interleaved_streams_do_not_disturb_each_other() -> None:
    alone = [Stream(1, "a").words(5), Stream(1, "b").words(9)]
    a, b = Stream(1, "a"), Stream(1, "b")
    parts_b = [b.words(4)]
    part_a = a.words(5)
    parts_b.append(b.words(5))
    assert np.array_equal(part_a, alone[0])
    assert np.array_equal(np.concatenate(parts_b), alone[1])


def test_threads_do_not_disturb_each_other() -> None:
    expected = [Stream(k, "thread").words(1000) for k in range(4)]
    found: dict[int, list[np.ndarray]] = {k: [] for k in range(4)}

    def draw(k: int) -> None:
        found[k].extend(Stream(k, "thread").words(1000) for _ in range(50))

    workers = [threading.Thread(target=draw, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(words, expected[k]) for k in range(4) for words in found[k])


def test_type_of_a_name_counts() -> None:
    assert not np.array_equal(Stream(1).words(4), Stream("1").words(4))


def test_uniform_is_the_top_24_bits() -> None:
    words = Stream(3, "u").words(1000)
    expected = (words >> np.uint64(40)).astype(np.float64) / 2.0**24
    found = Stream(3, "u").uniform(1000)
    assert found.dtype == np.float32
    assert np.array_equal(found.astype(np.float64), expected)


def test_normal_is_the_centred_sum_of_four_fields() -> None:
    words = Stream(3, "n").words(20000)
    fields = [(words >> np.uint64(16 * k)) & np.uint64(0xFFFF) for k in range(4)]
    total = sum(f.astype(np.float64) for f in fields)
    # Mean 4 * 65535/2, variance 4 * (65536^2 - 1)/12.
    expected = (total - 131070.0) / np.sqrt((65536.0**2 - 1.0) / 3.0)
    found = Stream(3, "n").normal(20000)
    assert np.allclose(found, expected, atol=1e-6)
    # Standard error of the mean 1/sqrt(n); of the variance sqrt((kurtosis - 1)/n) with kurtosis 2.7.
    assert abs(float(found.mean())) < 4 / np.sqrt(20000)
    assert abs(float(found.var()) - 1.0) < 4 * np.sqrt(1.7 / 20000)


@given(st.integers(1, 2**31), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_integers_are_in_range_and_scale_the_word(bound: int, seed: int) -> None:
    words = [int(w) >> 32 for w in Stream(seed, "i").words(16)]
    assert Stream(seed, "i").integers(16, bound).tolist() == [w * bound >> 32 for w in words]


@given(st.lists(st.one_of(st.integers(1, 9), st.just(0)), max_size=60), st.integers(1, 2**31))
@settings(max_examples=50, deadline=None)
def test_single_integers_are_those_drawn_alone_whatever_comes_between(draws: list[int], bound: int) -> None:
    """0 stands for a single integer, any other number for a call for so many words."""
    one, other = Stream(4, "single"), Stream(4, "single")
    for count in draws:
        if count:
            assert one.words(count).tolist() == other.words(count).tolist()
        else:
            assert one.integer(bound) == other.integers(1, bound)[0]


def test_choice_follows_its_weights() -> None:
    stream = Stream(9, "choice")
    n = 8000
    counts = np.bincount([stream.choice((1, 0, 3)) for _ in range(n)], minlength=3)
    assert counts[1] == 0
    # Binomial with p = 1/4: four standard deviations.
    assert abs(counts[0] - n / 4) < 4 * np.sqrt(n * 0.25 * 0.75)


def test_chance_of_nothing_and_of_certainty() -> None:
    stream = Stream(2, "chance")
    assert not any(stream.chance(0) for _ in range(200))
    assert all(stream.chance(1000) for _ in range(200))


@pytest.mark.parametrize("n", [0, 1, 2, 17])
def test_permutation_holds_each_number_once(n: int) -> None:
    assert sorted(Stream(4, "p").permutation(n).tolist()) == list(range(n))
