"""The family of tests: Holm by hand, margins, and the false-alarm rate of pure noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from unipath_bench.core.errors import UsageError
from unipath_bench.gate.family import find_regressions, worse_by
from unipath_bench.gate.margins import default_margin, margin_of, parse_margins
from unipath_bench.metrics.paired import Contributions, judge_difference
from unipath_bench.schema.record import Value


def value(bad_end: float | None, good_end: float | None) -> Value:
    return Value(value=0.5, title="A", direction="higher", headline=True, bad_end=bad_end, good_end=good_end)


def test_worse_is_positive_whichever_way_is_better() -> None:
    """Blocks sum to nought, so the differences are those of the estimates."""
    low, high = Contributions(1.0, np.zeros(8)), Contributions(3.0, np.zeros(8))
    assert worse_by(high, low, "lower").value == 2.0
    assert worse_by(high, low, "higher").value == -2.0


def test_holm_by_hand() -> None:
    """p = 0.01, 0.02, 0.03 of three: adjusted 0.03, 0.04, 0.04; at 0.035 the first alone is found."""
    differences = [judge_difference(float(stats.t.isf(p, 19)), 1.0, 0.0, 19) for p in (0.02, 0.01, 0.03)]
    tested = find_regressions(differences, [0.0, 0.0, 0.0], alpha=0.035)
    assert [each.adjusted_p for each in tested] == pytest.approx([0.04, 0.03, 0.04])
    assert [each.regressed for each in tested] == [False, True, False]
    assert tested[1].at_least == pytest.approx(differences[1].value - float(stats.t.isf(0.035 / 3, 19)))


def test_a_margin_must_be_passed_too() -> None:
    certain = judge_difference(1.0, 0.01, 0.0, 19)
    assert [each.regressed for each in find_regressions([certain, certain], [0.9, 1.1])] == [True, False]


def test_better_is_no_regression() -> None:
    assert not find_regressions([judge_difference(-1.0, 0.01, 0.0, 19)], [0.0])[0].regressed


@pytest.mark.integration
def test_pure_noise_alarms_as_often_as_it_should() -> None:
    """11 independent values of 20 normal blocks each, 4,000 times: 5% within four standard errors (1.4%)."""
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(4000):
        draws = rng.normal(size=(11, 20))
        errors = draws.std(1, ddof=1) / np.sqrt(20)
        differences = [
            judge_difference(float(d), float(e), 0.0, 19) for d, e in zip(draws.mean(1), errors, strict=True)
        ]
        alarms += any(each.regressed for each in find_regressions(differences, [0.0] * 11))
    assert alarms / 4000 == pytest.approx(0.05, abs=0.014)


def test_the_default_margin_is_a_hundredth_of_the_scale() -> None:
    assert default_margin(value(0.2, 0.7)) == pytest.approx(0.005)
    assert default_margin(value(30.0, 10.0)) == pytest.approx(0.2)
    assert default_margin(value(None, 1.0)) == 0.0


def test_margins_are_chosen_by_value_key_or_task() -> None:
    chosen = parse_margins(["clip-score=0.01", "fid[x]=2", "fid[x]:basis_distance=3"])
    assert margin_of("clip-score[phantom-clip]", "cosine", value(0.0, 1.0), chosen) == 0.01
    assert margin_of("fid[x]", "distance", value(0.0, 1.0), chosen) == 2
    assert margin_of("fid[x]", "basis_distance", value(0.0, 1.0), chosen) == 3
    assert margin_of("fid[y]", "distance", value(0.0, 1.0), chosen) == pytest.approx(0.01)


@pytest.mark.parametrize("item", ["clip-score", "=1", "clip-score=-1", "clip-score=nan", "clip-score=inf", "a=b"])
def test_what_is_no_margin_is_refused(item: str) -> None:
    with pytest.raises(UsageError, match="KEY=NUMBER"):
        parse_margins([item])


def test_a_margin_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        parse_margins(["a=1", "a=2"])
