"""Intervals: the formulas by brute force, refusals, designs; the coverage itself is studied in
tests/statistics.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.studies.compare_generators import compare_generators
from unipath_bench.metrics.classification import weighted_f1
from unipath_bench.metrics.estimate import Outcome, holm, two_sided_p
from unipath_bench.metrics.frechet import frechet_distance
from unipath_bench.metrics.frechet_uncertainty import Jackknife, frechet_estimate, jackknife, judge
from unipath_bench.metrics.kernel import unbiased_mmd_polynomial
from unipath_bench.metrics.kernel_uncertainty import cmmd_estimate, kernel_distance_estimate
from unipath_bench.metrics.unit_uncertainty import mean_estimate, weighted_f1_estimate
from unipath_bench.metrics.units import assign_blocks, matched_units, split_by_unit

Array = np.ndarray


def test_jackknife_removes_a_bias_of_order_one_over_n() -> None:
    # F(n) = 3 + 7 / n exactly: with G equal blocks F_(-j) = 3 + 7 G / (n (G - 1)), halves 3 + 14 / n, h = G.
    # J must be 3.
    n, blocks = 400, 20
    result = jackknife(
        3 + 7 / n, np.full(blocks, 3 + 7 * blocks / (n * (blocks - 1))), 3 + 14 / n, np.full(blocks, 20.0)
    )
    assert result.value == pytest.approx(3, rel=1e-12)
    assert result.standard_error == pytest.approx(0, abs=1e-10)
    assert result.residual_bias == pytest.approx(0, abs=1e-10)


def test_jackknife_of_a_mean_is_the_standard_error_of_the_mean() -> None:
    # For the mean of G equal blocks the pseudo-values are the block means: SE = sd(block means, divisor G -
    # 1) / sqrt(G).
    rng = np.random.default_rng(30)
    means = rng.standard_normal(20)
    without = (means.sum() - means) / 19
    result = jackknife(float(means.mean()), without, float(means.mean()), np.full(20, 20.0))
    assert result.value == pytest.approx(means.mean())
    assert result.standard_error == pytest.approx(means.std(ddof=1) / math.sqrt(20))


def test_unequal_blocks_weigh_by_their_share() -> None:
    # For a mean over blocks of unequal size tau_j is the block's mean and J the overall mean.
    rng = np.random.default_rng(31)
    sizes, means = np.array([10, 20, 30, 40, 10, 20, 30, 40]), rng.standard_normal(8)
    total, n = (sizes * means).sum(), sizes.sum()
    without = (total - sizes * means) / (n - sizes)
    h = n / sizes
    result = jackknife(total / n, without, 0.0, h)
    assert result.value == pytest.approx(total / n)
    assert result.standard_error == pytest.approx(math.sqrt(np.mean((means - total / n) ** 2 / (h - 1))))


@pytest.mark.integration
def test_frechet_estimate_equals_the_jackknife_by_hand() -> None:
    rng = np.random.default_rng(32)
    x, y = rng.standard_normal((200, 5)), 1.4 * rng.standard_normal((240, 5)) + 0.3
    units_x, units_y = np.arange(200) % 40, np.arange(240) % 40
    estimate = frechet_estimate(x, y, units_real=units_x, units_generated=units_y, matched=True, seed=3)
    block = assign_blocks(np.full(40, 11), 20, 3)
    without = np.array([frechet_distance(x[block[units_x] != j], y[block[units_y] != j]) for j in range(20)])
    plug_in = frechet_distance(x, y)
    expected = 20 * plug_in - 0.95 * without.sum()
    pseudo = 20 * plug_in - 19 * without
    error = math.sqrt(np.mean((pseudo - expected) ** 2) / 19)
    assert estimate.outcome is Outcome.TWO_SIDED
    assert estimate.plug_in == pytest.approx(plug_in, rel=1e-10)
    assert estimate.value == pytest.approx(expected, rel=1e-9)
    assert estimate.standard_error == pytest.approx(error, rel=1e-8)
    assert estimate.upper == pytest.approx(expected + stats.t.ppf(0.975, 19) * error, rel=1e-8)
    assert (estimate.samples, estimate.units, estimate.dimension) == (200, 40, 5)


@pytest.mark.integration
@settings(max_examples=60, deadline=None)
@given(st.floats(-1, 30), st.floats(0.01, 5), st.floats(-20, 20), st.integers(1, 400), st.integers(8, 400))
def test_what_may_be_printed(value: float, error: float, residual_bias: float, dimension: int, units: int) -> None:
    estimate = judge(Jackknife(value, error, residual_bias, 20), 40.0, 0.95, 400, units, dimension)
    reach = stats.t.ppf(0.975, 19) * error
    if dimension > min(100, units // 2) or residual_bias > 3 * error:
        assert estimate.outcome is Outcome.UPPER_BOUND
        assert estimate.value is None
        assert estimate.reason
    elif value - reach - (3 * residual_bias if residual_bias > 0.5 * error else 0) <= 0:
        assert estimate.outcome is Outcome.AT_ZERO
    else:
        assert estimate.outcome is (Outcome.WIDENED if residual_bias > 0.5 * error else Outcome.TWO_SIDED)
        assert estimate.lower is not None
        assert estimate.upper is not None
        assert 0 < estimate.lower < value < estimate.upper
    if not estimate.two_sided:
        assert estimate.lower is None
        assert estimate.upper == pytest.approx(max(0.0, value + stats.t.ppf(0.95, 19) * error))


@pytest.mark.integration
def test_refusals_say_what_would_do() -> None:
    rng = np.random.default_rng(33)
    beyond = frechet_estimate(rng.standard_normal((100, 90)), rng.standard_normal((100, 90)))
    assert beyond.outcome is Outcome.NOT_ESTIMABLE
    assert (beyond.value, beyond.lower, beyond.upper) == (None, None, None)
    assert "90 dimensions are too many for 100 samples" in str(beyond.reason)
    assert (beyond.needed_samples, beyond.needed_units) == (360, 180)
    few = frechet_estimate(rng.standard_normal((100, 4)), rng.standard_normal((100, 4)), units_real=np.arange(100) % 5)
    assert few.outcome is Outcome.NOT_ESTIMABLE
    assert "5 units are too few" in str(few.reason)
    units = np.arange(400) % 50
    x, y = rng.standard_normal((2, 400, 30))
    clustered = frechet_estimate(x, y, units_real=units, units_generated=units)
    assert clustered.outcome is Outcome.UPPER_BOUND
    assert (clustered.needed_samples, clustered.needed_units) == (480, 60)


@pytest.mark.integration
def test_percentile_bootstrap_of_fid_fails_badly() -> None:
    # Two samples of one population at D = 64, n = 256: the truth is 0 and the bootstrap interval is far above
    # it, and even above its own plug-in; the jackknife says that nothing is told apart.
    rng = np.random.default_rng(34)
    holds_truth, holds_plug_in, jackknife_holds = 0, 0, 0
    for replication in range(6):
        x, y = rng.standard_normal((256, 64)), rng.standard_normal((256, 64))
        values = [frechet_distance(x[rng.integers(0, 256, 256)], y[rng.integers(0, 256, 256)]) for _ in range(40)]
        low, high = np.quantile(values, [0.025, 0.975])
        holds_truth += low <= 0 <= high
        holds_plug_in += low <= frechet_distance(x, y) <= high
        estimate = frechet_estimate(x, y, seed=replication)
        jackknife_holds += estimate.outcome is Outcome.AT_ZERO
    assert (holds_truth, holds_plug_in) == (0, 0)
    assert jackknife_holds >= 5


def brute_kid(x: Array, y: Array, keep_x: Array, keep_y: Array, ux: Array, uy: Array, matched: bool) -> float:
    kernel = lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3  # noqa: E731
    x, y, ux, uy = x[keep_x], y[keep_y], ux[keep_x], uy[keep_y]
    xx, yy = ux[:, None] != ux[None], uy[:, None] != uy[None]
    xy = ux[:, None] != uy[None] if matched else np.ones((len(x), len(y)), bool)
    return kernel(x, x)[xx].mean() + kernel(y, y)[yy].mean() - 2 * kernel(x, y)[xy].mean()


@pytest.mark.integration
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_kernel_jackknife_equals_leaving_out_by_hand(seed: int, matched: bool, grouped: bool) -> None:
    rng = np.random.default_rng(seed)
    n, m = (30, 45) if grouped else (30, 30)
    x, y = rng.standard_normal((n, 4)), rng.standard_normal((m, 4)) + 1
    ux, uy = (np.arange(n) % 10, np.arange(m) % 10) if grouped else (np.arange(n), np.arange(m))
    codes: dict[str, Any] = {"units_real": ux, "units_generated": uy} if grouped else {}
    estimate = kernel_distance_estimate(x, y, matched=matched, **codes)
    every_x, every_y = np.ones(n, bool), np.ones(m, bool)
    units = 10 if grouped else n
    if matched:
        sides = [[brute_kid(x, y, ux != u, uy != u, ux, uy, True) for u in range(units)]]
    else:
        sides = [
            [brute_kid(x, y, ux != u, every_y, ux, uy, False) for u in range(units)],
            [brute_kid(x, y, every_x, uy != u, ux, uy, False) for u in range(units if grouped else m)],
        ]
    variance = sum((len(side) - 1) / len(side) * np.sum((np.array(side) - np.mean(side)) ** 2) for side in sides)
    assert estimate.plug_in == pytest.approx(brute_kid(x, y, every_x, every_y, ux, uy, matched), rel=1e-9)
    assert estimate.standard_error == pytest.approx(math.sqrt(variance), rel=1e-8)


def test_kernel_estimates_of_plain_designs_are_the_plain_distances() -> None:
    rng = np.random.default_rng(35)
    x, y = rng.standard_normal((50, 6)) + 1, rng.standard_normal((60, 6))
    assert kernel_distance_estimate(x, y).value == pytest.approx(unbiased_mmd_polynomial(x, y), rel=1e-10)
    same = cmmd_estimate(x, rng.standard_normal((60, 6)) + 1)
    assert same.outcome is Outcome.AT_ZERO
    assert same.lower is None
    with pytest.raises(ValueError, match="3 units are too few"):
        kernel_distance_estimate(x, y, units_real=np.arange(50) % 3)


def test_mean_of_single_samples_is_the_t_interval() -> None:
    values = np.random.default_rng(36).standard_gamma(2.0, 80)
    estimate = mean_estimate(values)
    peer = stats.t.interval(0.95, 79, loc=values.mean(), scale=stats.sem(values))
    assert (estimate.lower, estimate.upper) == pytest.approx(peer, rel=1e-12)
    assert mean_estimate(values, bounds=(2.0, 2.1)).lower == max(2.0, peer[0])


@pytest.mark.integration
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_unit_jackknife_equals_leaving_out_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    units = rng.permutation(np.concatenate([np.arange(9), rng.integers(0, 9, 40)]))
    truth, predicted = rng.integers(0, 3, 49), rng.integers(0, 3, 49)
    without = np.array([weighted_f1(truth[units != u], predicted[units != u]) for u in range(9)])
    estimate = weighted_f1_estimate(truth, predicted, units=units * 7)
    assert estimate.value == pytest.approx(weighted_f1(truth, predicted))
    assert estimate.standard_error == pytest.approx(math.sqrt(8 / 9 * ((without - without.mean()) ** 2).sum()))
    values = rng.standard_normal(49)
    without = np.array([values[units != u].mean() for u in range(9)])
    error = math.sqrt(8 / 9 * ((without - without.mean()) ** 2).sum())
    assert mean_estimate(values, units=units).standard_error == pytest.approx(error)


@pytest.mark.integration
def test_generators_are_told_apart_where_the_plug_in_ranks_them_wrongly() -> None:
    # Truth for the unit population scaled by s: F = 64 (s - 1)^2, so 2.56 at 1.2 and 5.02 at 0.72. The bias
    # of the plug-in grows with the generator's spread, and at n = 260 it turns the order round.
    rng = np.random.default_rng(37)
    for replication in range(5):
        real = rng.standard_normal((260, 64))
        generated = {"sharp": 1.2 * rng.standard_normal((260, 64)), "blurred": 0.72 * rng.standard_normal((260, 64))}
        assert frechet_distance(real, generated["blurred"]) < frechet_distance(real, generated["sharp"])
        result = compare_generators(real, generated, seed=replication)
        assert result.ranks == {"sharp": 1, "blurred": 2}
        (difference,) = result.differences
        assert difference.value is not None
        assert difference.standard_error is not None
        assert abs(difference.value - (2.56 - 5.0176)) < 4 * difference.standard_error


@pytest.mark.integration
def test_generators_alike_share_a_rank_and_pairs_are_corrected() -> None:
    rng = np.random.default_rng(38)
    real = rng.standard_normal((400, 8))
    generated = {name: rng.standard_normal((400, 8)) * scale for name, scale in (("a", 1.0), ("b", 1.0), ("c", 1.5))}
    result = compare_generators(real, generated)
    assert result.ranks == {"a": 1, "b": 1, "c": 3}
    assert len(result.differences) == 3
    assert all(pair.adjusted_p_value >= pair.p_value for pair in result.differences)
    refused = compare_generators(real[:40], {name: rows[:40] for name, rows in generated.items()} | {"d": real[:20]})
    assert refused.ranks is None
    assert "d: 8 dimensions are more than 20 samples" in str(refused.reason)
    with pytest.raises(ValueError, match="a comparison needs 2"):
        compare_generators(real, {"a": real})


@pytest.mark.integration
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_stepping_down_rejects(p_values: list[float]) -> None:
    # Holm: go through p ascending, reject while p_(i) <= alpha / (m - i + 1), stop at the first that is not.
    adjusted = holm(p_values)
    for alpha in (0.01, 0.05, 0.3):
        rejected = set()
        for i, index in enumerate(np.argsort(p_values, kind="stable")):
            if p_values[index] * (len(p_values) - i) > alpha:
                break
            rejected.add(int(index))
        assert {i for i, p in enumerate(adjusted) if p <= alpha} == rejected


def test_p_value_equals_scipy() -> None:
    assert two_sided_p(2.0, 0.8, 19) == pytest.approx(2 * stats.t.sf(2.5, 19), rel=1e-12)


@pytest.mark.integration
@given(st.lists(st.integers(1, 30), min_size=8, max_size=60), st.integers(2, 8), st.integers(0, 1000))
def test_blocks_are_balanced_and_whole(sizes: list[int], blocks: int, seed: int) -> None:
    block = assign_blocks(np.array(sizes), blocks, seed)
    loads = np.bincount(block, weights=sizes, minlength=blocks)
    # Filling the emptiest block last with the smallest units leaves at most one unit's size between any two.
    assert loads.max() - loads.min() <= max(sizes)
    assert np.array_equal(block, assign_blocks(np.array(sizes), blocks, seed))


def test_splits_keep_units_whole() -> None:
    groups = np.repeat(np.arange(20), np.arange(1, 21))
    first, second = split_by_unit(groups)
    assert not set(groups[first]) & set(groups[second])
    assert sorted([*first, *second]) == list(range(len(groups)))
    assert abs(len(first) - len(second)) <= 2


def test_matched_designs_need_the_same_units() -> None:
    with pytest.raises(ValueError, match="unit 7 is on one alone"):
        matched_units(np.array([1, 2, 7]), np.array([1, 2, 2]), 3, 3)
    with pytest.raises(ValueError, match="equal numbers of rows, not 3 and 4"):
        matched_units(None, None, 3, 4)
    with pytest.raises(ValueError, match="needs both"):
        matched_units(np.arange(3), None, 3, 3)
