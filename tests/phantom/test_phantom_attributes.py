"""The attribute table and its sampling."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from unipath_bench.core.errors import UsageError
from unipath_bench.phantom import CLASSES, Attributes, Stream, attributes, sample_attributes

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


def counts(first: str, second: str) -> np.ndarray:
    """How often each pair of classes was drawn, (classes of ``first``, classes of ``second``)."""
    drawn = Counter((a.labels()[first], a.labels()[second]) for a in DRAWN)
    return np.array([[drawn[a, b] for b in CLASSES[second]] for a in CLASSES[first]])


@pytest.mark.parametrize(
    ("first", "value", "second", "more", "less"),
    [
        ("cytology_type", "spindle", "architecture", "fascicular", "glandular"),
        ("mitotic_activity", "high", "pleomorphism", "marked", "mild"),
        ("necrosis", "present", "pleomorphism", "marked", "mild"),
        ("hemorrhage", "present", "pleomorphism", "marked", "mild"),
        ("lymphocytic_infiltrate", "brisk", "necrosis", "present", "absent"),
        ("stroma", "myxoid", "cytology_type", "spindle", "epithelioid"),
        ("cellularity", "high", "cytology_type", "small_round", "clear"),
    ],
)
def test_dependence_follows_pathology(first: str, value: str, second: str, more: str, less: str) -> None:
    """Spindle cells lie in fascicles, mitoses and necrosis rise with the nuclear grade: seen in the draws."""
    found = counts(first, second)
    assert stats.chi2_contingency(found).pvalue < 1e-9
    row = found[CLASSES[first].index(value)] / found.sum(axis=0)
    assert row[CLASSES[second].index(more)] > 1.15 * row[CLASSES[second].index(less)]


@pytest.mark.parametrize(
    ("first", "second"),
    [("pleomorphism", "architecture"), ("pleomorphism", "deposit"), ("necrosis", "stroma")],
)
def test_what_has_no_cause_in_common_is_independent(first: str, second: str) -> None:
    assert stats.chi2_contingency(counts(first, second)).pvalue > 1e-4


@pytest.mark.parametrize(
    ("name", "given", "weights"),
    [
        ("cytology_type", "architecture", attributes._CYTOLOGY),
        ("stroma", "cytology_type", attributes._STROMA),
        ("cellularity", "cytology_type", attributes._CELLULARITY),
        ("deposit", "cytology_type", attributes._DEPOSIT),
    ],
)
def test_draws_are_as_frequent_as_their_weights(name: str, given: str, weights: dict[str, tuple[int, ...]]) -> None:
    """In parts of a hundred; a chi-square test in each class of what they hang on."""
    found = counts(name, given)
    for where, row in weights.items():
        assert sum(row) == 100
        drawn = found[:, CLASSES[given].index(where)]
        assert stats.chisquare(drawn, np.array(row) / 100 * drawn.sum()).pvalue > 1e-4


@pytest.mark.parametrize("drawn", DRAWN[:20])
def test_labels_round_trip(drawn: Attributes) -> None:
    assert Attributes.from_labels(drawn.labels()) == drawn


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


@pytest.mark.integration
def test_tiles_of_a_case_agree_as_often_as_stated() -> None:
    case = DRAWN[0]
    assert sample_attributes(Stream(1), case, keep_per_mille=1000) == case
    same_draw = sample_attributes(Stream(1), case, keep_per_mille=0)
    assert same_draw == sample_attributes(Stream(1))
    drawn = [sample_attributes(Stream(2, k), case) for k in range(3000)]
    # Artifact with 0.6, else drawn afresh; for pleomorphism the fresh draw agrees in half of the cases: 0.6 + 0.4 / 2.
    agree = sum(a.pleomorphism == case.pleomorphism for a in drawn) / len(drawn)
    assert agree == pytest.approx(0.8, abs=4 * (0.8 * 0.2 / 3000) ** 0.5)
