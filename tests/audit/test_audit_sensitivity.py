"""Verdicts on curves, each derived by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from unipath_bench.audit.expectations import Expectation
from unipath_bench.audit.sensitivity import Curve, analyse, judge, seen, spearman

LEVELS = (0.0, 1.0, 2.0, 4.0)
WORSE = Expectation("worse", "must be worse")
EXACT = Expectation("still", "must not change")
BOUNDED = Expectation("still", "may change a little up to 2", bound=0.1, up_to=2.0)
HALVES = 8


def curve(values: tuple[float, ...], worse: int = 1, noise: float = 1e-3, halves: int = HALVES) -> Curve:
    """A curve whose halves scatter by ``noise`` around it, so that differences have a standard error of about that."""
    rng = np.random.default_rng(0)

    def scattered() -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(v + noise * rng.normal() for v in values) for _ in range(halves))

    return Curve(LEVELS, values, worse, scattered(), scattered())


@given(values=st.lists(st.integers(0, 5), min_size=4, max_size=7))
@settings(max_examples=60, deadline=None)
def test_spearman_is_scipys(values: list[int]) -> None:
    levels = list(range(len(values)))
    found = spearman(levels, [float(v) for v in values])
    if len(set(values)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(levels, values).statistic)


@pytest.mark.parametrize(
    ("differences", "p_values", "expected"),
    [
        ((1, 2, 3), (0.2, 0.01, 0.001), (2.0, "worse")),
        ((1, 2, 3), (0.01, 0.2, 0.001), (4.0, "worse")),  # testing stops at 2, so 1 does not count
        ((1, 2, 3), (0.01, 0.01, 0.2), (None, "none")),
        ((-1, -2, -3), (0.01, 0.01, 0.01), (1.0, "better")),
        ((-1, 2, 3), (0.01, 0.01, 0.01), (2.0, "worse")),  # a level that goes the other way ends the run
        ((0, 0, 0), (1.0, 1.0, 1.0), (None, "none")),
        ((1, 2, 3), (None, None, None), (None, "none")),
    ],
)
def test_the_smallest_level_that_is_seen(
    differences: tuple[float, ...], p_values: tuple[float | None, ...], expected: tuple[float | None, str]
) -> None:
    assert seen(LEVELS[1:], differences, p_values) == expected


@pytest.mark.parametrize(
    ("values", "worse", "verdict"),
    [
        ((1.0, 1.1, 1.2, 1.3), 1, "responds"),
        ((0.9, 0.8, 0.5, 0.1), -1, "responds"),
        ((0.9, 0.8, 0.0, 0.0), -1, "responds"),  # a floor that is reached early: Spearman 0.95
        ((1.0, 0.9, 0.8, 0.7), 1, "blind"),  # improves
        ((1.0, 1.0, 1.0, 1.0), 1, "blind"),  # does not change
        ((1.0, 1.6, 1.2, 1.4), 1, "blind"),  # differs, but Spearman is 0.4
    ],
)
def test_a_value_that_is_for_the_defect(values: tuple[float, ...], worse: int, verdict: str) -> None:
    found = curve(values, worse)
    assert judge(found, analyse(found), WORSE, 1.0)[0] == verdict


def test_what_noise_may_do_is_not_seen() -> None:
    found = curve((1.0, 1.01, 1.02, 1.03), noise=1.0)
    assert judge(found, analyse(found), WORSE, 1.0)[0] == "blind"


def test_without_halves_nothing_is_tested() -> None:
    found = curve((1.0, 1.1, 1.2, 1.3), halves=0)
    result = analyse(found)
    assert result.p_values == (None, None, None)
    assert result.spearman == pytest.approx(1.0)
    assert judge(found, result, WORSE, 1.0)[0] == "unsettled"


def test_a_half_on_which_a_value_is_missing_is_no_test() -> None:
    found = Curve(LEVELS, (1.0, 2.0, 3.0, 4.0), 1, ((float("nan"),) * 4,), ((1.0, 2.0, 3.0, 4.0),))
    assert judge(found, analyse(found), WORSE, 1.0) == (
        "unsettled",
        "not tested: it cannot be computed on half of the patients",
    )


@pytest.mark.parametrize(
    ("values", "expectation", "verdict"),
    [
        ((1.0, 1.0, 1.0, 1.0), EXACT, "still"),
        ((1.0, 1.0 + 1e-14, 1.0, 1.0), EXACT, "still"),  # the rounding of floating point
        ((1.0, 1.1, 1.2, 1.3), EXACT, "moves"),
        ((1.0, 1.05, 1.09, 5.0), BOUNDED, "still"),  # the level of 4 is beyond what the bound is for
        ((1.0, 1.05, 1.30, 5.0), BOUNDED, "moves"),
        ((1.0, 0.80, 0.70, 0.5), BOUNDED, "moves"),  # an improvement is a change too
    ],
)
def test_a_value_that_must_stay_still(values: tuple[float, ...], expectation: Expectation, verdict: str) -> None:
    found = curve(values)
    assert judge(found, analyse(found), expectation, 1.0)[0] == verdict


def test_beyond_the_bound_by_chance_is_not_settled() -> None:
    found = curve((1.0, 1.3, 1.3, 1.3), noise=1.0)
    assert judge(found, analyse(found), BOUNDED, 1.0)[0] == "unsettled"


def test_the_range_over_halves_holds_the_figure_of_a_clear_curve() -> None:
    result = analyse(curve((1.0, 2.0, 3.0, 4.0)))
    assert (result.spearman_low, result.spearman, result.spearman_high) == pytest.approx((1.0, 1.0, 1.0))
