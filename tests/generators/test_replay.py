"""Signatures of the replaying baselines at the level of images."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.generators.memory_suite import MemorySuite, by_digest, make_requests
from unipath_bench.contracts import Context, Request, Sample
from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.generators.replay import ReplayGenerator, choose_distinct
from unipath_bench.suites.roles import assign_roles

STRATEGIES = ("heldout", "train", "mismatched", "collapse")


def replay(suite: MemorySuite, strategy: str, **arguments: int) -> ReplayGenerator:
    generator = ReplayGenerator(strategy=strategy, **arguments)  # type: ignore[arg-type]
    generator.setup(Context(suite=suite))
    return generator


def sources(suite: MemorySuite, generator: ReplayGenerator, requests: list[Request]) -> list[Sample]:
    """Which stored image each answer is, by its pixels: fails where an answer is no stored image."""
    known = by_digest(suite)
    return [known[pixel_digest(image)] for image in generator.generate(requests)]


def test_real_answers_with_heldout_images_of_the_same_class_each_used_once(suite: MemorySuite) -> None:
    requests = make_requests(suite)
    found = sources(suite, replay(suite, "heldout"), requests)
    assert {s.split for s in found} == {"heldout"}
    assert [s.labels["tissue"] for s in found] == [r.labels["tissue"] for r in requests]
    assert len({s.id for s in found}) == len(requests)  # as many held-out images as prompts in every class


def test_memoriser_answers_with_training_images_of_the_same_class(suite: MemorySuite) -> None:
    requests = make_requests(suite)
    found = sources(suite, replay(suite, "train"), requests)
    assert {s.split for s in found} == {"train"}
    assert [s.labels["tissue"] for s in found] == [r.labels["tissue"] for r in requests]


def test_shuffled_is_a_derangement_of_classes_over_the_images_of_real(suite: MemorySuite) -> None:
    requests = make_requests(suite)
    real = sources(suite, replay(suite, "heldout"), requests)
    shuffled = sources(suite, replay(suite, "mismatched"), requests)
    assert Counter(s.id for s in shuffled) == Counter(s.id for s in real)
    assert all(s.labels["tissue"] != r.labels["tissue"] for s, r in zip(shuffled, requests, strict=True))


def test_mode_collapse_shows_its_few_images_in_their_own_class(suite: MemorySuite) -> None:
    requests = make_requests(suite) + make_requests(suite, replicate=1)
    found = sources(suite, replay(suite, "collapse", distinct=5), requests)
    # Five over the classes by their number of prompts, one in turn: colon 2, lung 2, skin 1.
    classes = Counter(s.labels["tissue"] for s in {s.id: s for s in found}.values())
    assert classes == {"colon": 2, "lung": 2, "skin": 1}
    assert {s.split for s in found} == {"heldout"}
    assert [s.labels["tissue"] for s in found] == [r.labels["tissue"] for r in requests]


def test_mode_collapse_borrows_from_other_classes_where_one_has_no_image(suite: MemorySuite) -> None:
    requests = make_requests(suite)
    found = sources(suite, replay(suite, "collapse", distinct=2), requests)
    assert {s.labels["tissue"] for s in found} == {"colon", "lung"}
    assert len({s.id for s in found}) == 2


@settings(max_examples=25, deadline=None)
@given(heldout=st.lists(st.integers(1, 6), min_size=1, max_size=4), distinct=st.integers(1, 24))
def test_distinct_images_are_as_many_as_asked_for_and_spread_evenly(heldout: list[int], distinct: int) -> None:
    classes = {f"c{i}": count for i, count in enumerate(heldout)}
    roles = assign_roles(MemorySuite({"heldout": classes, "test": classes}))
    chosen = choose_distinct(roles, distinct)
    assert sum(map(len, chosen.values())) == min(distinct, sum(heldout))
    ids = [s.id for samples in chosen.values() for s in samples]
    assert len(set(ids)) == len(ids)
    most = max(map(len, chosen.values()))
    for (tissue,), samples in chosen.items():
        assert len(samples) >= min(most - 1, classes[tissue])  # a class is behind only where it has no more


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_an_image_depends_on_its_request_alone(strategy: str, data: st.DataObject) -> None:
    suite = MemorySuite({split: {"a": 6, "b": 6} for split in ("train", "heldout", "test")})
    requests = make_requests(suite) + make_requests(suite, replicate=2)
    whole = dict(zip(map(id, requests), replay(suite, strategy, distinct=4).generate(requests), strict=True))
    order = data.draw(st.permutations(requests))
    cut = data.draw(st.integers(0, len(order)))
    generator = replay(suite, strategy, distinct=4)
    again = [*generator.generate(order[:cut]), *generator.generate(order[cut:])]
    for request, image in zip(order, again, strict=True):
        np.testing.assert_array_equal(image, whole[id(request)])


def test_replicates_differ_where_there_are_images_enough(suite: MemorySuite) -> None:
    generator = replay(suite, "train")
    first = sources(suite, generator, make_requests(suite))
    second = sources(suite, generator, make_requests(suite, replicate=1))
    # 15 training images for 10 prompts: replicate 1 begins at the eleventh, so the first five prompts are all new.
    assert len({s.id for s in [*first, *second]}) == 15 + 12 + 9


@pytest.mark.parametrize(
    ("counts", "strategy", "remedy"),
    [
        ({"heldout": {"a": 2}, "test": {"a": 2}}, "train", "split named 'train'"),
        ({"test": {"a": 1}}, "heldout", "split named 'heldout'"),
        ({"heldout": {"a": 3}, "test": {"a": 2}}, "collapse", "distinct=1"),
    ],
)
def test_what_the_suite_lacks_is_said_before_anything_runs(
    counts: dict[str, dict[str, int]], strategy: str, remedy: str
) -> None:
    said = ReplayGenerator(strategy=strategy).missing(Context(suite=MemorySuite(counts)))  # type: ignore[arg-type]
    assert said is not None
    assert remedy in said


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_is_missing_in_a_whole_suite(suite: MemorySuite, strategy: str) -> None:
    assert ReplayGenerator(strategy=strategy).missing(Context(suite=suite)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_request_of_another_suite_is_refused(suite: MemorySuite, strategy: str) -> None:
    with pytest.raises(DataError, match=r"elsewhere/1\.png"):
        replay(suite, strategy).generate([Request("elsewhere/1.png", "", 1, 0, 12, 16)])


def test_without_a_suite_it_says_so() -> None:
    with pytest.raises(UsageError, match="no suite"):
        ReplayGenerator(strategy="heldout").setup(Context())


@pytest.mark.parametrize("arguments", [{"strategy": "held-out"}, {"strategy": "collapse", "distinct": 0}])
def test_wrong_arguments_are_named(arguments: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=list(arguments)[-1]):
        ReplayGenerator(**arguments)  # type: ignore[arg-type]


def test_a_setup_for_another_suite_forgets_the_first(suite: MemorySuite) -> None:
    generator = replay(suite, "heldout")
    generator.generate(make_requests(suite))
    other = MemorySuite({"heldout": {"colon": 3}, "test": {"colon": 3}})
    generator.setup(Context(suite=other))
    assert {s.split for s in sources(other, generator, make_requests(other))} == {"heldout"}
