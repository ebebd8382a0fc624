"""Captions can be read back, and held-out wordings are held out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.core.errors import UsageError
from unipath_bench.phantom import (
    CLASSES,
    PHRASES,
    REGISTERS,
    Attributes,
    Register,
    Stream,
    Wording,
    attribute_bundle,
    describe,
    paraphrases,
    sample_attributes,
    terse_prompt,
)

BUNDLES = st.integers(0, 10**6).map(lambda k: sample_attributes(Stream(k, "captions")))
WORDINGS = st.sampled_from(["seen", "heldout"])


def bare(phrase: str) -> str:
    return phrase.lower().removeprefix("a ").removeprefix("an ")


def read(text: str, wording: Wording) -> dict[str, list[str]]:
    """Attribute to classes found in a text: phrases longest first, each taken out of the text once found."""
    known = sorted(
        (
            (bare(p), name, value)
            for name, classes in PHRASES.items()
            for value, phrases in classes.items()
            for p in phrases.of(wording)
        ),
        key=lambda item: -len(item[0]),
    )
    rest = text.lower()
    found: dict[str, list[str]] = {name: [] for name in PHRASES}
    for phrase, name, value in known:
        if phrase in rest:
            rest = rest.replace(phrase, "\0")
            found[name].append(value)
    return found


@given(BUNDLES, st.integers(0, 2**31), st.sampled_from(REGISTERS), WORDINGS)
@settings(max_examples=150, deadline=None)
def test_a_caption_says_every_attribute_and_nothing_else(
    attributes: Attributes, seed: int, register: Register, wording: Wording
) -> None:
    text = describe(attributes, seed, register, wording)
    assert read(text, wording) == {name: [value] for name, value in attributes.labels().items()}
    assert text[0] == text[0].upper()
    assert "{" not in text


@given(BUNDLES, st.integers(0, 2**31), st.sampled_from(REGISTERS))
@settings(max_examples=60, deadline=None)
def test_seen_captions_hold_no_heldout_phrase_and_the_reverse(a: Attributes, seed: int, register: Register) -> None:
    pairs: tuple[tuple[Wording, Wording], ...] = (("seen", "heldout"), ("heldout", "seen"))
    for wording, other in pairs:
        text = describe(a, seed, register, wording).lower()
        for classes in PHRASES.values():
            for phrases in classes.values():
                assert not [p for p in phrases.of(other) if bare(p) in text]


def test_table_covers_the_attributes() -> None:
    assert {name: tuple(classes) for name, classes in PHRASES.items()} == CLASSES
    for classes in PHRASES.values():
        for phrases in classes.values():
            assert len(set(phrases.seen)) >= 3
            assert len(set(phrases.heldout)) >= 3


def test_no_phrase_is_used_twice() -> None:
    every = sorted(
        bare(p)
        for classes in PHRASES.values()
        for phrases in classes.values()
        for p in (*phrases.seen, *phrases.heldout)
    )
    assert not [a for a, b in pairwise(every) if a == b]


def test_captions_are_pure_and_vary_with_the_seed() -> None:
    a = sample_attributes(Stream(5))
    for register in REGISTERS:
        texts = {describe(a, seed, register) for seed in range(40)}
        assert len(texts) > 20
        assert describe(a, 3, register) == describe(a, 3, register)


@given(BUNDLES, st.integers(0, 2**31), st.integers(0, 16), WORDINGS)
@settings(max_examples=30, deadline=None)
def test_paraphrases_differ_and_mean_the_same(a: Attributes, seed: int, n: int, wording: Wording) -> None:
    texts = paraphrases(a, seed, n, wording)
    assert len(set(texts)) == n
    assert paraphrases(a, seed, 16, wording)[:n] == texts
    for text in texts:
        assert read(text, wording) == {name: [value] for name, value in a.labels().items()}


@pytest.mark.parametrize("n", [-1, 65])
def test_too_many_paraphrases_are_refused(n: int) -> None:
    with pytest.raises(UsageError, match="out of range"):
        paraphrases(sample_attributes(Stream(5)), 0, n)


def test_terse_prompt_names_what_is_there() -> None:
    a = Attributes(
        cytology_type="clear",
        hemorrhage="present",
        architecture="papillary",
        cellularity="low",
        pleomorphism="marked",
        mitotic_activity="high",
        necrosis="absent",
        lymphocytic_infiltrate="sparse",
        stroma="myxoid",
        deposit="calcification",
    )
    assert terse_prompt(a) == (
        "high-grade papillary clear cell tumour, paucicellular, hemorrhage, mitoses, myxoid stroma, psammoma bodies"
    )


@pytest.mark.integration
def test_terse_prompts_are_one_to_one() -> None:
    every = {sample_attributes(Stream(k, "terse")) for k in range(4000)}
    assert len({terse_prompt(a) for a in every}) == len(every)


def test_attribute_bundle_is_the_table() -> None:
    a = sample_attributes(Stream(6))
    pairs = dict(part.split(": ") for part in attribute_bundle(a).split("; "))
    assert {k.replace(" ", "_"): v.replace(" ", "_") for k, v in pairs.items()} == a.labels()
