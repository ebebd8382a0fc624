"""Families: names on disk, the sets that they belong to, and their order."""

from __future__ import annotations

import pytest

from unipath_bench.pipeline.family import Family


@pytest.mark.parametrize(
    ("family", "name", "set_name", "is_generated", "replicate"),
    [
        (Family("seed", 0), "seed-0", "generated", True, 0),
        (Family("seed", 12), "seed-12", "generated", True, 12),
        (Family("wording", 3), "wording-3", "variants", True, 0),
        (Family("reference"), "reference", "reference", False, 0),
        (Family("heldout"), "heldout", "heldout", False, 0),
        (Family("train"), "train", "train", False, 0),
    ],
)
def test_a_family_has_one_name(family: Family, name: str, set_name: str, is_generated: bool, replicate: int) -> None:
    assert (family.name, str(family)) == (name, name)
    assert Family.parse(name) == family
    assert (family.set_name, family.is_generated, family.replicate) == (set_name, is_generated, replicate)


@pytest.mark.parametrize(
    "name", ["", "seed", "seed-", "seed-00", "seed--1", "seed-x", "train-0", "train-1", "other", "seed-1 "]
)
def test_other_names_are_no_families(name: str) -> None:
    with pytest.raises(ValueError, match="names no family"):
        Family.parse(name)


def test_families_sort_by_kind_and_number() -> None:
    families = [Family("wording", 0), Family("seed", 10), Family("seed", 9)]
    assert sorted(families) == [Family("seed", 9), Family("seed", 10), Family("wording", 0)]
