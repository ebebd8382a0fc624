"""The tokenizer: deterministic, total, and every word of the phantom's captions apart from every other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.phantom import PHRASES
from unipath_bench.phantom.encoders.text import BUCKETS, LONGEST, PIECES, pieces, tokenise, words

_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=30)


def _crc32(data: bytes) -> int:
    """CRC-32 (ISO-HDLC: reflected polynomial 0xEDB88320) bit by bit."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0xEDB88320 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def test_words_and_marks_in_order() -> None:
    found = words("No high-grade nuclei (MF +++); H&E.")
    assert found == ("no", "high", "-", "grade", "nuclei", "(", "mf", "+++", ")", ";", "h", "&", "e", ".")


def test_a_words_pieces_are_itself_and_its_n_grams_by_crc() -> None:
    # "<no>": itself, its 3-grams "<no" and "no>", and its one 4-gram, which is itself again.
    expected = [1 + _crc32(piece) % (BUCKETS - 1) for piece in (b"<no>", b"<no", b"no>")]
    assert list(pieces("no")) == expected


@settings(max_examples=200)
@given(_WORDS)
def test_pieces_are_in_range_and_never_none(word: str) -> None:
    found = pieces(word)
    assert 1 <= len(found) <= PIECES
    assert all(1 <= bucket < BUCKETS for bucket in found)


@settings(max_examples=100)
@given(st.text(max_size=200))
def test_any_text_is_read_and_padding_follows_it(text: str) -> None:
    ids = tokenise([text])
    assert ids.shape == (1, LONGEST, PIECES)
    count = min(len(words(text)), LONGEST)
    assert (ids[0, :count, 0] > 0).all()
    assert (ids[0, count:] == 0).all()


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["gland", "no", "necrosis", "TILs", "+++", ",", "zxqv"]), max_size=12))
def test_case_and_white_space_do_not_matter_but_order_does(parts: list[str]) -> None:
    text = " ".join(parts)
    spaced = "\t ".join(parts).upper() + "\n"
    np.testing.assert_array_equal(tokenise([spaced]), tokenise([text]))
    if parts != parts[::-1]:
        assert (tokenise([" ".join(parts[::-1])]) != tokenise([text])).any()


def test_a_long_text_is_cut() -> None:
    long = "necrosis " * (LONGEST + 5)
    np.testing.assert_array_equal(tokenise([long]), tokenise(["necrosis " * LONGEST]))


def test_no_two_words_of_the_phrases_are_the_same_to_the_tower() -> None:
    vocabulary = {
        word
        for attribute in PHRASES.values()
        for phrases in attribute.values()
        for phrase in (*phrases.seen, *phrases.heldout, phrases.terse)
        for word in words(phrase)
    }
    assert len(vocabulary) > 200
    assert len({frozenset(pieces(word)) for word in vocabulary}) == len(vocabulary)


@pytest.mark.parametrize(("unknown", "known"), [("necrotising", "necrotic"), ("hypercellularity", "hypercellular")])
def test_an_unknown_word_shares_pieces_with_its_kin(unknown: str, known: str) -> None:
    shared = set(pieces(unknown)) & set(pieces(known))
    strange = set(pieces(unknown)) & set(pieces("quartz"))
    assert len(shared) >= 4 > len(strange)
