"""Which real image plays which part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.contracts import Sample, Suite
from unipath_bench.core.errors import DataError
from unipath_bench.schema.cards import SuiteCard
from unipath_bench.suites.roles import (
    assign_roles,
    match_heldout,
    match_train,
    mismatch_heldout,
    seeded_order,
)


class Listed(Suite):
    """A suite of samples without pixels."""

    revision = "listed"

    def __init__(self, samples: Sequence[Sample], attributes: tuple[str, ...] = ("label",)) -> None:
        self.card = SuiteCard(name="listed", title="Listed", kind="tissue", licence="MIT", attributes=attributes)
        self._samples = samples

    def samples(self) -> Sequence[Sample]:
        return self._samples

    def load(self, sample: Sample):
        raise AssertionError("roles are decided without pixels")


def tiles(split: str, count: int, labels: Sequence[str] = ("a", "b"), group_size: int = 5) -> list[Sample]:
    return [
        Sample(
            f"{split}-{i}",
            split,
            labels={"label": labels[i % len(labels)]},
            group=f"{split}-g{i // group_size}",
        )
        for i in range(count)
    ]


def test_parts_are_disjoint_by_image_and_by_group() -> None:
    roles = assign_roles(Listed(tiles("train", 60) + tiles("test", 20)))
    parts = [roles.test, roles.train, roles.heldout]
    assert sum(len(p) for p in parts) == 80
    assert len({s.id for p in parts for s in p}) == 80
    groups = [{s.group for s in p} for p in parts]
    assert groups[0].isdisjoint(groups[1] | groups[2])
    assert groups[1].isdisjoint(groups[2])


def test_held_out_images_come_from_training_as_many_as_test_has_within_a_group() -> None:
    roles = assign_roles(Listed(tiles("train", 200) + tiles("test", 40)))
    assert len(roles.test) == 40
    assert abs(len(roles.heldout) - 40) <= 5  # one group


@pytest.mark.parametrize("labels", [("a",), ("a", "b")])
def test_a_lone_patient_of_each_class_is_not_set_aside_whole(labels: tuple[str, ...]) -> None:
    """Without a training split the held-out images come from the test split, where prompts have to be left."""
    samples = [s for label in labels for s in tiles(f"test-{label}", 4, (label,))]
    roles = assign_roles(Listed([Sample(s.id, "test", labels=s.labels, group=s.group) for s in samples]))
    assert (len(roles.test), roles.heldout) == (4 * len(labels), ())


def test_at_most_half_of_training_is_set_aside() -> None:
    roles = assign_roles(Listed(tiles("train", 40) + tiles("test", 200)))
    assert abs(len(roles.heldout) - 20) <= 5


def test_without_training_half_of_test_is_set_aside() -> None:
    roles = assign_roles(Listed(tiles("test", 100)))
    assert roles.train == ()
    assert abs(len(roles.heldout) - 50) <= 5
    assert len(roles.test) == 100 - len(roles.heldout)


def test_a_named_heldout_split_is_used_as_it_is() -> None:
    roles = assign_roles(Listed(tiles("train", 30) + tiles("test", 10) + tiles("heldout", 12)))
    assert {s.split for s in roles.heldout} == {"heldout"}
    assert len(roles.train) == 30


def test_the_order_of_the_suite_does_not_matter() -> None:
    samples = tiles("train", 60) + tiles("test", 20)
    assert assign_roles(Listed(samples)) == assign_roles(Listed(samples[::-1]))


def test_groups_that_straddle_splits_are_named() -> None:
    samples = [*tiles("train", 10), Sample("x", "test", labels={"label": "a"}, group="train-g1")]
    with pytest.raises(DataError, match="train-g1: test, train"):
        assign_roles(Listed(samples))


def test_a_suite_without_test_split_is_refused() -> None:
    with pytest.raises(DataError, match="no test split"):
        assign_roles(Listed(tiles("train", 10)))


def test_unknown_splits_are_named() -> None:
    with pytest.raises(DataError, match="dev"):
        assign_roles(Listed(tiles("dev", 4) + tiles("test", 4)))


def test_a_prefix_of_the_order_stays_a_prefix() -> None:
    few, many = tiles("test", 50), tiles("test", 80)
    kept = [s.id for s in seeded_order(many) if s in few]
    assert kept == [s.id for s in seeded_order(few)]


def test_matched_images_have_the_label_asked_for_and_repeat_only_when_used_up() -> None:
    roles = assign_roles(Listed(tiles("train", 200) + tiles("test", 20)))
    for match, pool in ((match_heldout, roles.heldout), (match_train, roles.train)):
        chosen = match(roles)
        assert all(chosen[s.id].labels == s.labels for s in roles.test)
        assert {c.id for c in chosen.values()} <= {s.id for s in pool}
    trained = match_train(roles)
    assert len({c.id for c in trained.values()}) == len(roles.test)


def test_replicates_take_other_images_until_the_pool_is_used_up() -> None:
    roles = assign_roles(Listed(tiles("train", 400) + tiles("test", 20)))
    first, second = match_train(roles, 0), match_train(roles, 1)
    assert not {s.id for s in first.values()} & {s.id for s in second.values()}


def test_a_class_without_real_images_is_named() -> None:
    samples = tiles("train", 20, ("a",)) + tiles("test", 4, ("a",)) + [Sample("odd", "test", labels={"label": "z"})]
    roles = assign_roles(Listed(samples))
    assert roles.attributes == ()
    roles = assign_roles(Listed(tiles("train", 20, ("a",)) + tiles("test", 4, ("a",))))
    assert roles.attributes == ("label",)


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(2, 12), min_size=2, max_size=5), replicate=st.integers(0, 3))
def test_mismatched_is_a_derangement_of_labels_with_the_same_images(counts: list[int], replicate: int) -> None:
    names = [chr(ord("a") + i) for i in range(len(counts))]
    test = [
        Sample(f"t{k}{i}", "test", labels={"label": k}) for k, c in zip(names, counts, strict=True) for i in range(c)
    ]
    held = [Sample(f"h{k}{i}", "heldout", labels={"label": k}) for k in names for i in range(20)]
    roles = assign_roles(Listed(test + held))
    matched, wrong = match_heldout(roles, replicate), mismatch_heldout(roles, replicate)
    assert Counter(s.id for s in matched.values()) == Counter(s.id for s in wrong.values())
    if max(counts) <= sum(counts) / 2:
        assert all(wrong[s.id].labels != s.labels for s in roles.test)


def test_with_many_attributes_the_first_changes_and_the_others_agree_by_chance() -> None:
    # Eight binary attributes, 512 prompts: strata of all eight hold two prompts each, and the next stratum in order
    # would differ in the last attribute alone.
    names = [f"a{i}" for i in range(8)]
    rows = [{name: str((i >> bit) & 1) for bit, name in enumerate(names)} for i in range(512)]
    both = [Sample(f"{split}{i}", split, labels=row) for split in ("test", "heldout") for i, row in enumerate(rows)]
    roles = assign_roles(Listed(both, tuple(names)))
    wrong = mismatch_heldout(roles)
    agreement = [np.mean([wrong[s.id].labels[name] == s.labels[name] for s in roles.test]) for name in names]
    assert agreement[0] == 0
    # 512 fair coins: 0.5 within five standard errors of 0.022.
    assert all(abs(share - 0.5) < 0.11 for share in agreement[1:])


def test_a_stratum_that_training_lacks_is_answered_by_the_most_alike() -> None:
    def sample(name: str, split: str, labels: str) -> Sample:
        return Sample(name, split, labels=dict(zip(("organ", "grade", "stain"), labels, strict=True)))

    test = [sample("t0", "test", "axp"), sample("t1", "test", "bxp")]
    held = [sample("h0", "heldout", "axp"), sample("h1", "heldout", "bxp")]
    train = [sample("one", "train", "ayq"), sample("two", "train", "ayp"), sample("own", "train", "bxp")]
    roles = assign_roles(Listed([*test, *held, *train], ("organ", "grade", "stain")))
    # a / x / p agrees with a / y / p in two, with b / x / p in two as well: the first attribute decides.
    assert {k: s.id for k, s in match_train(roles).items()} == {"t0": "two", "t1": "own"}
    stranger = assign_roles(Listed([*test, *held, sample("no", "train", "czr")], ("organ", "grade", "stain")))
    with pytest.raises(DataError, match="a / x / p"):
        match_train(stranger)


def test_one_stratum_still_changes_every_prompt() -> None:
    roles = assign_roles(Listed(tiles("train", 100, ("a",)) + tiles("test", 10, ("a",))))
    matched, wrong = match_heldout(roles), mismatch_heldout(roles)
    assert all(matched[s.id].id != wrong[s.id].id for s in roles.test)


def test_matching_uses_the_longest_prefix_of_attributes_that_the_pool_covers() -> None:
    test = [Sample(f"t{i}", "test", labels={"organ": "o", "grade": str(i % 3)}) for i in range(6)]
    held = [Sample(f"h{i}", "heldout", labels={"organ": "o", "grade": str(i % 2)}) for i in range(6)]
    roles = assign_roles(Listed(test + held, ("organ", "grade")))
    assert roles.attributes == ("organ",)
