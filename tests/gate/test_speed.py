"""The gate of speed: ratios to a reference kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.gate.speed import REFERENCE, judge_speed, read_times

BEFORE = {REFERENCE: 0.010, "frechet": 0.050, "kid": 0.020}


def written(path: Path, times: dict[str, object]) -> Path:
    entries = [{"name": name, "stats": {"min": time, "mean": 1.0}} for name, time in times.items()]
    path.write_text(json.dumps({"benchmarks": entries}), encoding="utf-8")
    return path


@settings(max_examples=20)
@given(st.floats(0.01, 100))
def test_a_slower_machine_is_no_regression(factor: float) -> None:
    found = judge_speed({name: time * factor for name, time in BEFORE.items()}, BEFORE)
    assert not found.regressed
    assert found.runner == pytest.approx(factor)
    assert [each.change for each in found.timed] == pytest.approx([0, 0], abs=1e-9)


def test_one_slower_kernel_is_found_on_a_machine_twice_as_fast() -> None:
    """frechet: 0.0325 / 0.005 = 6.5 references, 5 before: +30%, over the 25%; kid: 2 references as before."""
    found = judge_speed({REFERENCE: 0.005, "frechet": 0.0325, "kid": 0.010, "new": 1.0}, BEFORE)
    assert [(each.name, each.regressed) for each in found.timed] == [("frechet", True), ("kid", False)]
    assert found.timed[0].change == pytest.approx(0.3)
    assert found.new == ("new",)
    assert not judge_speed({REFERENCE: 0.005, "frechet": 0.0325, "kid": 0.010}, BEFORE, tolerance=0.31).regressed


def test_a_lost_benchmark_or_reference_is_refused() -> None:
    with pytest.raises(DataError, match="kid"):
        judge_speed({REFERENCE: 1.0, "frechet": 1.0}, BEFORE)
    with pytest.raises(DataError, match="The run has no reference kernel"):
        judge_speed({"frechet": 1.0, "kid": 1.0}, BEFORE)
    assert judge_speed(BEFORE, BEFORE, reference="kid").timed[0].name == "frechet"


def test_files_are_read_and_faulty_ones_named(tmp_path: Path) -> None:
    assert read_times(written(tmp_path / "a.json", dict(BEFORE))) == BEFORE
    for bad in (0.0, -1.0, "fast", None, True):
        with pytest.raises(DataError, match="no positive numbers"):
            read_times(written(tmp_path / "b.json", {"x": bad}))
    (tmp_path / "c.json").write_text("[]", encoding="utf-8")
    for name in ("c.json", "absent.json"):
        with pytest.raises(UsageError):
            read_times(tmp_path / name)
