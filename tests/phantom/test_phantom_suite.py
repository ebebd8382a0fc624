"""The phantom as a suite: splits, groups, held-out twins, revision."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from unipath_bench.contracts import Sample
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.phantom import CLASSES, Attributes, PhantomSuite, describe, render, slide_appearance
from unipath_bench.suites.card import load_suite
from unipath_bench.suites.roles import assign_roles, match_heldout
from unipath_bench.suites.verify import verify_by_loading


@pytest.fixture(scope="module")
def suite() -> PhantomSuite:
    return PhantomSuite(train=48, test=32)


def test_card_says_that_it_is_a_phantom(suite: PhantomSuite) -> None:
    assert suite.card.kind == "phantom"
    assert suite.card.attributes == tuple(CLASSES)
    assert (suite.card.height, suite.card.width, suite.card.microns_per_pixel) == (64, 64, 1.0)


def test_samples_keep_the_contract(suite: PhantomSuite) -> None:
    samples = suite.samples()
    assert len({s.id for s in samples}) == len(samples) == 48 + 32 + 32
    counts = {split: sum(s.split == split for s in samples) for split in ("train", "test", "heldout")}
    assert counts == {"train": 48, "test": 32, "heldout": 32}
    for sample in samples:
        assert set(sample.labels) == set(CLASSES)
        assert sample.prompt
        assert len(set(sample.paraphrases)) == 4
        assert sample.prompt not in sample.paraphrases
        assert sample.microns_per_pixel == 1.0
    assert suite.samples() == PhantomSuite(train=48, test=32).samples()


def test_groups_and_seeds_are_disjoint_between_splits(suite: PhantomSuite) -> None:
    groups, seeds, slides = defaultdict(set), defaultdict(set), defaultdict(set)
    for sample in suite.samples():
        recipe = suite.recipe(sample)
        groups[sample.split].add(sample.group)
        seeds[sample.split].add(recipe.seed)
        slides[sample.split].add(recipe.slide_seed)
    for table in (groups, seeds, slides):
        assert len(set.union(*table.values())) == sum(len(v) for v in table.values())
    # Four tiles a patient, two a slide.
    assert {split: len(v) for split, v in groups.items()} == {"train": 12, "test": 8, "heldout": 8}
    assert {split: len(v) for split, v in slides.items()} == {"train": 24, "test": 16, "heldout": 16}
    assert sum(len(v) for v in seeds.values()) == len(suite.samples())


@pytest.mark.integration
def test_heldout_tiles_are_twins_of_the_test_tiles(suite: PhantomSuite) -> None:
    by_split = {split: [s for s in suite.samples() if s.split == split] for split in ("test", "heldout")}
    for test, twin in zip(by_split["test"], by_split["heldout"], strict=True):
        assert test.labels == twin.labels
        assert test.group != twin.group
        assert not np.array_equal(suite.load(test), suite.load(twin))


def test_roles_match_on_every_attribute(suite: PhantomSuite) -> None:
    roles = assign_roles(suite)
    assert roles.attributes == tuple(CLASSES)
    matched = match_heldout(roles)
    assert all(matched[s.id].labels == s.labels for s in roles.test)


def test_load_renders_the_recipe(suite: PhantomSuite) -> None:
    sample = suite.samples()[-1]
    recipe = suite.recipe(sample)
    assert recipe.attributes == Attributes.from_labels(sample.labels)
    assert sample.prompt == describe(recipe.attributes, recipe.seed)
    expected = render(recipe.seed, recipe.attributes, appearance=slide_appearance(recipe.slide_seed))
    assert np.array_equal(suite.load(sample), expected)
    assert np.array_equal(suite.load(sample), expected)


@pytest.mark.integration
def test_tiles_of_a_patient_agree_more_than_strangers() -> None:
    samples = [s for s in PhantomSuite(train=800, test=4).samples() if s.split == "train"]
    rows = [tuple(s.labels.values()) for s in samples]

    def agreement(gap: int) -> float:
        pairs = [(a, b) for a, b in zip(rows[::4], rows[gap:][::4], strict=False)]
        return float(np.mean([x == y for a, b in pairs for x, y in zip(a, b, strict=True)]))

    assert agreement(1) > agreement(4) + 0.1


def test_verify_renders_every_tile() -> None:
    calls: list[tuple[int, int]] = []
    verify_by_loading(PhantomSuite(train=4, test=4, size=48), lambda done, total: calls.append((done, total)))
    assert calls[-1] == (12, 12)


def test_revision_follows_every_parameter() -> None:
    base: dict[str, Any] = {
        "train": 8,
        "test": 8,
        "tiles_per_patient": 4,
        "size": 64,
        "microns_per_pixel": 1.0,
        "paraphrases": 4,
        "seed": 0,
    }
    others = {
        "train": 12,
        "test": 4,
        "tiles_per_patient": 2,
        "size": 80,
        "microns_per_pixel": 0.8,
        "paraphrases": 2,
        "seed": 1,
    }
    revisions = {PhantomSuite(**base).revision} | {PhantomSuite(**{**base, k: v}).revision for k, v in others.items()}
    assert len(revisions) == 1 + len(others)
    assert PhantomSuite(**base).revision == PhantomSuite(**base).revision


def test_another_seed_is_another_set_of_patients() -> None:
    a, b = (PhantomSuite(train=0, test=8, seed=k) for k in (0, 1))
    assert [s.id for s in a.samples()] == [s.id for s in b.samples()]
    assert all(not np.array_equal(a.load(x), b.load(y)) for x, y in zip(a.samples(), b.samples(), strict=True))


@pytest.mark.parametrize(
    "wrong",
    [
        {"test": 6},
        {"test": 0},
        {"train": 7},
        {"tiles_per_patient": 0},
        {"size": 20},
        {"microns_per_pixel": 9.0},
        {"paraphrases": 99},
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        PhantomSuite(**wrong)


def test_samples_of_others_are_refused(suite: PhantomSuite) -> None:
    with pytest.raises(DataError, match="nowhere"):
        suite.load(Sample(id="nowhere", split="test"))


def test_the_command_line_can_name_it() -> None:
    loaded = load_suite("unipath_bench.phantom:PhantomSuite", arguments={"test": 8, "train": 0})
    assert isinstance(loaded, PhantomSuite)
    assert len(loaded.samples()) == 16


def test_held_out_wordings_in_the_prompts_place_leave_all_else() -> None:
    seen = PhantomSuite(train=0, test=16, paraphrases=3).samples()
    other = PhantomSuite(train=0, test=16, paraphrases=2, wording="heldout").samples()
    for a, b in zip(seen, other, strict=True):
        assert (b.prompt, *b.paraphrases) == a.paraphrases
        assert (a.id, a.split, a.labels, a.group) == (b.id, b.split, b.labels, b.group)
    with pytest.raises(UsageError, match="wording='french'"):
        PhantomSuite(wording="french")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="0 to 63"):
        PhantomSuite(wording="heldout", paraphrases=64)
