"""Keyword matching, n-gram counts and their filters."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_model.bank.vocabulary import (
    CountFilter,
    ListFilter,
    PhraseFilter,
    StopWordFilter,
    choose_vocabulary,
    count_phrases,
    invert,
    read_phrases,
)
from reference_model.bank.words import longest_first, normalise, occurrences
from unipath_bench import DataError, UsageError


def matched(text: str, *vocabulary: str) -> list[str]:
    found = longest_first(occurrences(normalise(text), set(vocabulary), max(map(len, vocabulary))))
    return [m.phrase for m in found]


@pytest.mark.parametrize(
    ("text", "vocabulary", "expected"),
    [
        ("Made in England", ["gland"], []),
        ("A GLAND, and glands", ["gland"], ["gland"]),
        ("gland", ["gland"], ["gland"]),
        ("(gland)", ["gland"], ["gland"]),
        ("gland_2", ["gland"], []),
        ("non-small cell carcinoma", ["small cell", "cell carcinoma"], ["cell carcinoma"]),
        ("non\u2011small cell", ["non-small cell"], ["non-small cell"]),
        ("signet \n ring   cell", ["signet ring cell"], ["signet ring cell"]),
        ("Crohn\u2019s disease", ["crohn disease"], ["crohn disease"]),
        ("CD3+ lymphocytes", ["cd3+", "lymphocytes"], ["cd3+", "lymphocytes"]),
        ("H&E section", ["h&e"], ["h&e"]),
        # Both pairs have 17 characters: the leftmost is taken. With the adjective shorter, the right pair is longer.
        ("papillary thyroid carcinoma", ["thyroid", "papillary thyroid", "thyroid carcinoma"], ["papillary thyroid"]),
        ("small thyroid carcinoma", ["thyroid", "small thyroid", "thyroid carcinoma"], ["thyroid carcinoma"]),
        ("gland gland", ["gland"], ["gland", "gland"]),
        ("", ["gland"], []),
    ],
)
def test_keywords_match_whole_words_longest_first(text: str, vocabulary: list[str], expected: list[str]) -> None:
    assert matched(text, *vocabulary) == expected


WORDS = st.sampled_from(["a", "b", "ab", "ba", "gland", "england", "cell"])
TEXT = st.lists(st.tuples(WORDS, st.sampled_from([" ", ", ", "  ", ". ", "\n", "/"])), max_size=8).map(
    lambda parts: "".join(word + gap for word, gap in parts)
)
PHRASE = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


def by_regular_expressions(text: str, vocabulary: set[str]) -> Counter[str]:
    """Another way: erase the longest phrases first, by regular expressions, over white space squeezed."""
    text = " ".join(text.lower().split())
    found: Counter[str] = Counter()
    lengths = sorted({len(p) for p in vocabulary}, reverse=True)
    for length in lengths:
        of_length = "|".join(re.escape(p) for p in vocabulary if len(p) == length)
        pattern = re.compile(rf"\b(?:{of_length})\b")
        while hit := pattern.search(text):
            found[hit[0]] += 1
            text = text[: hit.start()] + "\0" * len(hit[0]) + text[hit.end() :]
    return found


@pytest.mark.integration
@settings(max_examples=150, deadline=None)
@given(TEXT, st.sets(PHRASE, min_size=1, max_size=6))
def test_matching_agrees_with_erasing_by_regular_expressions(text: str, vocabulary: set[str]) -> None:
    assert Counter(matched(text, *vocabulary)) == by_regular_expressions(text, vocabulary)


@pytest.mark.integration
@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab -'&é.\n", max_size=20), st.sets(PHRASE, min_size=1, max_size=5))
def test_matches_lie_in_the_text_and_never_overlap(text: str, vocabulary: set[str]) -> None:
    normal = normalise(text)
    found = longest_first(occurrences(normal, vocabulary, max(map(len, vocabulary))))
    assert all(normal[m.start : m.end] == m.phrase for m in found)
    assert all(one.end <= two.start for one, two in pairwise(found))


@pytest.mark.integration
@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing_for_lower_case(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


CAPTIONS = ["Mucinous glands, with mucin.", "mucinous glands; necrosis", "The necrosis of mucinous-type glands"]


def test_phrases_are_counted_once_a_caption_and_never_across_punctuation() -> None:
    # "glands" in all three; "mucinous" in two (in the third it is part of "mucinous-type"); "mucinous glands" in two;
    # "glands necrosis" in none, because of the semicolon. The unigrams in at least two captions: glands 3, mucinous 2,
    # necrosis 2.
    assert count_phrases(CAPTIONS, 2) == {"glands": 3, "mucinous": 2, "necrosis": 2, "mucinous glands": 2}


@pytest.mark.integration
@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, max_size=8), st.integers(1, 4))
def test_counting_length_by_length_loses_no_frequent_phrase(captions: list[str], least: int) -> None:
    naive: Counter[str] = Counter()
    for caption in captions:
        seen = set()
        for part in re.split(r"[.,/]", " ".join(caption.split())):
            words = part.split()
            seen |= {" ".join(words[i : i + n]) for n in range(1, 5) for i in range(len(words) - n + 1)}
        naive.update(seen)
    assert count_phrases(captions, least) == {p: c for p, c in naive.items() if c >= least}


def test_filters_are_all_heeded() -> None:
    counts = {"glands": 9, "of glands": 5, "the": 10, "necrosis": 2, "g3": 4, "42": 4, "pale": 5, "tissue": 10}
    counts |= {
        "no necrosis": 4,
        "necrosis without": 4,
        "with necrosis": 4,
        "glands and necrosis": 4,
        "loss of polarity": 4,
    }
    filters: list[PhraseFilter] = [
        CountFilter(3, 0.9),
        StopWordFilter(),
        ListFilter(frozenset({"glands", "tissue", "necrosis"})),
    ]
    assert choose_vocabulary(counts, 10, filters) == ["glands"]
    assert choose_vocabulary(counts, 10, filters[:2]) == ["glands", "loss of polarity", "no necrosis", "pale"]
    assert choose_vocabulary(counts, 10, [CountFilter(1, 1.0)]) == sorted(counts)


def test_the_index_counts_a_keyword_inside_a_longer_one() -> None:
    # Rows 0 and 1 have "mucinous glands" and so "glands" too; row 2 has "glands" alone.
    assert invert(CAPTIONS, ["glands", "mucinous glands", "absent"]) == {"glands": [0, 1, 2], "mucinous glands": [0, 1]}


def test_a_filter_file_may_mix_phrases_and_json(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.txt"
    path.write_text('Signet Ring\n\n"clear cell"\n{"phrase": "Necrosis", "count": 3}\n{"term": "the", "keep": false}\n')
    assert read_phrases(path) == {"signet ring", "clear cell", "necrosis"}


@pytest.mark.parametrize(
    "line",
    ['{"phrase": ', "{}", '{"phrase": 3}', '{"phrase": "a", "term": "b"}', "[1]", '{"phrase": "a", "keep": "no"}'],
)
def test_a_line_that_is_no_phrase_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "vocabulary.txt"
    path.write_text(f"gland\n{line}\n")
    with pytest.raises(DataError, match=r"vocabulary\.txt: 1 lines[\s\S]*line 2"):
        read_phrases(path)


def test_files_without_phrases_or_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.txt"):
        read_phrases(tmp_path / "absent.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match=r"empty\.txt holds no phrase"):
        read_phrases(tmp_path / "empty.txt")
    (tmp_path / "latin.txt").write_bytes("Ödem\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.txt is not UTF-8"):
        read_phrases(tmp_path / "latin.txt")
