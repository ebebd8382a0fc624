"""The table of what each value is for: complete, with reasons, and in agreement with itself."""

from __future__ import annotations

import dataclasses

import pytest

from unipath_bench.audit.catalogue import DEFECTS
from unipath_bench.audit.expectations import expected
from unipath_bench.contracts import Measurement, ScoreInputs, metric
from unipath_bench.core.registries import METRICS
from unipath_bench.scoring.catalogue import load_tasks

OF_REAL_IMAGES = ("synthetic_training", "real_weighted_f1")
"""Shown for comparison: no generated image takes part in it, so no defect can move it."""
VALUES = {(spec.metric, value) for spec in load_tasks().values() for value in spec.values} - {OF_REAL_IMAGES}
PURPOSES = {(name, value): purpose for name in METRICS.names() for value, purpose in METRICS.get(name).purposes.items()}
"""Metric and value name to what the value is for."""


@pytest.mark.parametrize(("name", "value"), sorted(VALUES))
def test_every_value_of_the_catalogue_is_for_some_defect_and_a_reason_is_given_for_all(name: str, value: str) -> None:
    declared = [expected(METRICS.get(name), value, defect) for defect in DEFECTS]
    assert any(e.kind == "worse" for e in declared)
    assert all(e.reason for e in declared)
    assert not [d for d, e in zip(DEFECTS, declared, strict=True) if "nothing is declared" in e.reason]


def test_every_defect_has_a_value_that_is_for_it() -> None:
    for defect in DEFECTS:
        assert [v for m, v in PURPOSES if expected(METRICS.get(m), v, defect).kind == "worse"], defect


def test_scores_of_images_alone_stand_exactly_still_under_shuffled_captions() -> None:
    for of_images in ("frechet", "kid", "prdc", "memorisation"):
        for name, value in PURPOSES:
            if name == of_images:
                expectation = expected(METRICS.get(name), value, "captions-shuffled")
                assert (expectation.kind, expectation.bound, expectation.up_to) == ("still", 0.0, None)


def test_alignment_and_control_bear_a_mild_stain_shift_within_a_stated_bound() -> None:
    for (name, value), purpose in PURPOSES.items():
        if purpose in ("alignment", "control"):
            expectation = expected(METRICS.get(name), value, "stain-shift")
            assert expectation.kind == "still"
            assert 0 < expectation.bound <= 0.2
            assert expectation.up_to in DEFECTS["stain-shift"].levels


def test_nothing_is_declared_of_a_value_without_a_purpose() -> None:
    @metric("generated.images")
    def colour_gap(inputs: ScoreInputs) -> Measurement:
        return Measurement({"gap": 1.0}, n_images=len(inputs["generated"]))

    assert expected(colour_gap, "gap", "blur").kind == "open"
    meant = dataclasses.replace(colour_gap, purposes={"gap": "distance"})
    assert expected(meant, "gap", "blur").kind == "worse"
