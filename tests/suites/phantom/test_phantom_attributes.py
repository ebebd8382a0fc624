"""The attribute table and its sampling."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from itertools import combinations

import pytest

from unipath_bench.errors import UsageError
from unipath_bench.suites.phantom import CLASSES, Attributes, Stream, sample_attributes

N = 12000
DRAWN = [sample_attributes(Stream(0, "table", k)) for k in range(N)]


def test_the_list_is_fixed() -> None:
    assert tuple(CLASSES) == tuple(f.name for f in fields(Attributes))
    assert {name: len(classes) for name, classes in CLASSES.items()} == {
        "cytology_type": 4,
        "hemorrhage": 2,
        "architecture": 5,
        "cellularity": 3,
        "pleomorphism": 2,
        "mitotic_activity": 2,
        "necrosis": 2,
        "lymphocytic_infiltrate": 2,
        "stroma": 3,
        "deposit": 3,
    }


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_well_supported(name: str) -> None:
    counts = Counter(a.labels()[name] for a in DRAWN)
    assert set(counts) == set(CLASSES[name])
    assert min(counts.values()) > 0.10 * N


def test_every_pair_of_classes_occurs() -> None:
    rows = [a.labels() for a in DRAWN]
    for first, second in combinations(CLASSES, 2):
        seen = {(row[first], row[second]) for row in rows}
        assert len(seen) == len(CLASSES[first]) * len(CLASSES[second]), (first, second)


def test_dependence_is_that_of_the_tables() -> None:
    def share(name: str, value: str, given: str, where: str) -> float:
        rows = [a.labels() for a in DRAWN if a.labels()[given] == where]
        return sum(row[name] == value for row in rows) / len(rows)

    # Each rate is a table entry; about 2,400 rows or more a condition, so four standard errors are at most 0.041.
    assert share("cytology_type", "spindle", "architecture", "fascicular") == pytest.approx(0.56, abs=0.041)
    assert share("cytology_type", "spindle", "architecture", "glandular") == pytest.approx(0.08, abs=0.041)
    assert share("mitotic_activity", "high", "pleomorphism", "marked") == pytest.approx(0.56, abs=0.041)
    assert share("mitotic_activity", "high", "pleomorphism", "mild") == pytest.approx(0.34, abs=0.041)
    assert share("lymphocytic_infiltrate", "brisk", "necrosis", "present") == pytest.approx(0.48, abs=0.041)


@pytest.mark.parametrize("attributes", DRAWN[:20])
def test_labels_round_trip(attributes: Attributes) -> None:
    assert Attributes.from_labels(attributes.labels()) == attributes


def test_wrong_labels_are_named() -> None:
    labels = DRAWN[0].labels()
    with pytest.raises(UsageError, match="unknown attributes: grade"):
        Attributes.from_labels({**labels, "grade": "2"})
    with pytest.raises(UsageError, match="necrosis"):
        Attributes.from_labels({k: v for k, v in labels.items() if k != "necrosis"})
    with pytest.raises(UsageError, match=r"stroma has no class 'bony'[\s\S]*fibrous, myxoid, adipose"):
        DRAWN[0].replaced("stroma", "bony")


def test_replaced_changes_one_attribute() -> None:
    other = DRAWN[0].replaced("hemorrhage", "present").replaced("hemorrhage", "absent")
    assert other.labels() == {**DRAWN[0].labels(), "hemorrhage": "absent"}


def test_tiles_of_a_case_agree_as_often_as_stated() -> None:
    case = DRAWN[0]
    assert sample_attributes(Stream(1), case, keep_per_mille=1000) == case
    same_draw = sample_attributes(Stream(1), case, keep_per_mille=0)
    assert same_draw == sample_attributes(Stream(1))
    drawn = [sample_attributes(Stream(2, k), case) for k in range(3000)]
    # Kept with 0.6, else drawn afresh; for pleomorphism the fresh draw agrees in half of the cases: 0.6 + 0.4 / 2.
    agree = sum(a.pleomorphism == case.pleomorphism for a in drawn) / len(drawn)
    assert agree == pytest.approx(0.8, abs=4 * (0.8 * 0.2 / 3000) ** 0.5)
