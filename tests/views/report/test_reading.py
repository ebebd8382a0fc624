"""Numbers, scales, notes and the recognised tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import made_up_records as made_up
from unipath_bench.results import (
    audit_verdict,
    format_number,
    format_percent,
    format_seconds,
    format_value,
    plural,
    remedies,
    run_notes,
    scale_of,
    task_flags,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.0829, "0.0829"),
        (2.756, "2.76"),
        (80.9, "80.9"),
        (484.4, "484"),
        (0.9996, "1.00"),
        (9.996, "10.0"),
        (99.96, "100"),
        (999.6, "1,000"),
        (12345.6, "12,346"),
        (-0.0004, "-0.00040"),
        (3.14e-5, "3.1e-05"),
        (2.5e12, "2.5e+12"),
    ],
)
def test_three_significant_digits(value: float | None, text: str) -> None:
    assert format_number(value) == text


@given(st.floats(min_value=0.01, max_value=1e8), st.booleans())
def test_a_written_number_is_the_number_to_half_a_unit_of_the_third_digit(value: float, negative: bool) -> None:
    signed = -value if negative else value
    # Three significant digits: a relative error of at most 0.5 / 100.
    assert float(format_number(signed).replace(",", "")) == pytest.approx(signed, rel=0.005)


def test_units() -> None:
    assert format_value(0.348, "cosine") == "0.348"
    assert format_value(98.7, "per cent") == "98.7%"
    assert format_value(1200.0, "count") == "1,200"
    assert format_value(1200.0, "images") == "1,200 images"
    assert format_value(2.5, "px") == "2.50 px"
    assert format_value(None, "px") == "–"


def test_per_cent_seconds_and_plurals() -> None:
    assert [format_percent(x) for x in (None, -0.04, 5.94, 9.96, 99.5, 105.2)] == [
        "–",
        "0%",
        "5.9%",
        "10%",
        "100%",
        "105%",
    ]
    assert [format_seconds(x) for x in (0.84, 9.96, 59.4, 200.0, 7500.0)] == [
        "0.8 s",
        "10 s",
        "59 s",
        "3 min 20 s",
        "2 h 5 min",
    ]
    assert [plural(1, "image"), plural(1200, "image"), plural(2, "class", "classes")] == [
        "1 image",
        "1,200 images",
        "2 classes",
    ]


def test_a_scale_runs_from_bad_to_good_whichever_way_is_better() -> None:
    # (484 - 142) / (484 - 22) = 342 / 462 of the way from the bad end, 484, to the good end, 22.
    lower = scale_of(made_up.value(142.0, "distance", "lower", (22.0, 484.0)))
    assert lower is not None
    assert (lower.bad, lower.good) == (484.0, 22.0)
    assert lower.filled == pytest.approx(342 / 462)
    higher = scale_of(made_up.value(1.1, "density", "higher", (0.0, 1.0)))
    assert higher is not None
    assert (higher.bad, higher.good, higher.filled, higher.beyond) == (0.0, 1.0, 1.0, "good")
    below = scale_of(made_up.value(-0.5, "score", "higher", (0.0, 1.0)))
    assert below is not None
    assert (below.filled, below.beyond) == (0.0, "bad")


def test_no_scale_without_both_ends() -> None:
    value = made_up.value(1.0, "x", "higher")
    assert scale_of(value) is None
    assert scale_of(value.model_copy(update={"good_end": 0.0})) is None


def test_notes_say_what_kind_of_run_it_is_the_gravest_first() -> None:
    record = made_up.record(kind="phantom", suite_notes="One field: a smoke test.")
    labels = [note.label for note in run_notes(record)]
    assert labels == ["memorisation flagged", "phantom", "suite", "oracle baseline", "coupled", "incomplete"]
    assert run_notes(record)[0].kind == "alarm"


def test_an_honest_model_on_tissue_has_no_such_notes() -> None:
    computed = [s for s in made_up.scores(flagged=False) if s.status == "computed" and not s.coupled]
    assert run_notes(made_up.record(oracle=False, flagged=False, some=computed)) == []


def test_verdicts() -> None:
    flagged, clear = (made_up.memorisation_details(flagged=f) for f in (True, False))
    assert "at least 47% of them count as copied" in audit_verdict(flagged)
    assert "212 generated images are exact copies" in audit_verdict(flagged)
    assert audit_verdict(clear).startswith("Not flagged")
    assert "exact" not in audit_verdict(clear)


def test_each_remedy_is_listed_once_with_its_tasks() -> None:
    record = made_up.record()
    absent = [s for s in record.scores if s.status == "not computed"]
    same = [s.model_copy(update={"remedy": "Install it."}) for s in absent]
    assert remedies(made_up.record(some=same)) == [("Install it.", tuple(s.key for s in absent))]
    assert len(remedies(record)) == 2


def test_marks_and_reasons_of_a_score() -> None:
    by_key = {score.key: score for score in made_up.scores()}
    assert task_flags(by_key["memorisation[texture]"]) == ["flagged"]
    assert task_flags(by_key["image-to-image-recall[conch]"]) == ["coupled"]
    assert by_key["memorisation[texture]"].not_reported == {"authenticity": "all of one group"}
    assert by_key["third-party-colour"].not_reported == {}


def test_a_record_of_an_earlier_version_says_what_it_lacks() -> None:
    record = made_up.record()
    assert not [note for note in run_notes(record) if note.label.startswith("record")]
    note = run_notes(record.model_copy(update={"migrated_from": 1}))[-1]
    assert note.label == "record of version 1"
    assert note.text.startswith("Written by unipath-bench 0.1.0: it does not name the kind")
