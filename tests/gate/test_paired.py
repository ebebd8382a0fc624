"""Contributions and paired differences against closed forms, and against the estimators that they are taken from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.studies.compare_generators import compare_generators
from unipath_bench.metrics import manifold_blocks
from unipath_bench.metrics.frechet_uncertainty import frechet_estimate
from unipath_bench.metrics.kernel_uncertainty import kernel_distance_estimate, kernel_distance_without_units
from unipath_bench.metrics.manifold import precision_recall_density_coverage
from unipath_bench.metrics.manifold_blocks import MANIFOLD_FIGURES, manifold_without_blocks
from unipath_bench.metrics.paired import (
    Contributions,
    contributions_of_units,
    judge_difference,
    paired_difference,
    smallest_change,
)
from unipath_bench.metrics.paired_sets import frechet_contributions, recall_without_blocks
from unipath_bench.metrics.retrieval import recall_per_query
from unipath_bench.metrics.unit_uncertainty import mean_estimate, mean_without_units


def of_mean(values: np.ndarray, units: np.ndarray, blocks: int | None = None) -> Contributions:
    number = len(np.unique(units))
    return contributions_of_units(mean_without_units(values, units), np.arange(number) % (blocks or number))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 40))
def test_the_difference_of_means_is_the_paired_t_test(seed: int, n: int) -> None:
    """With one image a unit and a block, a - b and its interval are those of Student's paired test."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    found = paired_difference(of_mean(a, np.arange(n)), of_mean(b, np.arange(n)))
    test = stats.ttest_rel(a, b)
    low, high = test.confidence_interval(0.95)
    assert found.value == pytest.approx(a.mean() - b.mean(), abs=1e-12)
    assert (found.lower, found.upper) == (pytest.approx(low), pytest.approx(high))
    assert found.p_value == pytest.approx(test.pvalue)
    assert found.p_above(0.0) == pytest.approx(stats.ttest_rel(a, b, alternative="greater").pvalue)
    shifted = stats.ttest_1samp(a - b, 0.1, alternative="greater").pvalue
    assert found.p_above(0.1) == pytest.approx(shifted)
    assert found.lower_limit(0.01) == pytest.approx(
        stats.ttest_rel(a, b, alternative="greater").confidence_interval(0.99).low
    )


def test_blocks_of_units_keep_the_standard_error_on_average() -> None:
    """Sums of independent contributions over blocks have the same expected squares: checked over 400 samples."""
    rng = np.random.default_rng(0)
    single, blocked = [], []
    for _ in range(400):
        values, units = rng.gamma(2.0, size=240), np.arange(240) // 3
        single.append(mean_estimate(values, units=units).standard_error or 0.0)
        zero = Contributions(0.0, np.zeros(20))
        blocked.append(paired_difference(of_mean(values, units, 20), zero).standard_error)
    assert np.mean(np.square(blocked)) == pytest.approx(np.mean(np.square(single)), rel=0.05)


def test_what_the_runs_share_cancels() -> None:
    shared = np.random.default_rng(1).normal(size=50)
    units = np.arange(50)
    found = paired_difference(of_mean(shared + 0.25, units), of_mean(shared, units))
    assert found.value == pytest.approx(0.25)
    assert found.standard_error == pytest.approx(0.0, abs=1e-12)
    assert found.p_above(0.0) == pytest.approx(0.0, abs=1e-9)


def test_a_run_against_itself_is_no_difference() -> None:
    same = of_mean(np.random.default_rng(2).normal(size=30), np.arange(30))
    found = paired_difference(same, same)
    assert (found.value, found.standard_error, found.p_value) == (0.0, 0.0, 1.0)
    assert found.p_above(0.0) >= 0.5


def test_the_kernel_distance_keeps_its_jackknife_error() -> None:
    rng = np.random.default_rng(3)
    real, generated, units = rng.normal(size=(60, 5)), rng.normal(0.3, 1.1, size=(60, 5)), np.arange(60) // 2
    estimate = kernel_distance_estimate(real, generated, units_real=units, units_generated=units, matched=True)
    figures = kernel_distance_without_units(real, generated, units, units)
    none = Contributions(0.0, np.zeros(30))
    found = paired_difference(contributions_of_units(figures, np.arange(30)), none)
    assert found.value == pytest.approx(estimate.value)
    assert found.standard_error == pytest.approx(estimate.standard_error)


def test_the_frechet_distance_keeps_its_jackknife_and_its_difference() -> None:
    rng = np.random.default_rng(4)
    real = rng.normal(size=(320, 6))
    runs = {"a": real + rng.normal(0.3, 0.5, size=real.shape), "b": real + rng.normal(0.1, 0.8, size=real.shape)}
    units = np.arange(320) // 4
    parts = {}
    for name, generated in runs.items():
        estimate = frechet_estimate(real, generated, units_real=units, units_generated=units, matched=True)
        found = frechet_contributions(real, generated, units_real=units, units_generated=units)
        assert isinstance(found, Contributions)
        alone = paired_difference(found, Contributions(0.0, np.zeros(20), found.residual_bias))
        assert found.estimate == pytest.approx(estimate.value)
        assert alone.standard_error == pytest.approx(estimate.standard_error)
        parts[name] = found
    peer = compare_generators(
        real, runs, units_real=units, units_generated=dict.fromkeys(runs, units), matched=True
    ).differences[0]
    mine = paired_difference(parts["a"], parts["b"])
    assert mine.value == pytest.approx(peer.value)
    assert mine.standard_error == pytest.approx(peer.standard_error)
    assert (mine.lower, mine.upper) == (pytest.approx(peer.lower), pytest.approx(peer.upper))


def test_too_many_dimensions_for_a_frechet_difference_are_refused() -> None:
    features = np.random.default_rng(5).normal(size=(64, 20))
    found = frechet_contributions(features, features + 1.0, units_real=np.arange(64), units_generated=np.arange(64))
    assert isinstance(found, str)
    assert "20 dimensions are more than 64 samples in 64 units allow (16)" in found


@pytest.mark.integration
@pytest.mark.parametrize("tiles", [(2048, 4096), (32, 50)])
@pytest.mark.parametrize("shape", ["scattered", "with ties", "in clusters", "tight and far away"])
def test_manifold_figures_without_blocks_are_those_of_what_is_left(
    shape: str, tiles: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In clusters all near neighbours of a row are of its own block, more of them than are looked at first; single
    precision cannot tell apart the rows of tight ones far away."""
    monkeypatch.setattr(manifold_blocks, "TILE_ROWS", tiles[0])
    monkeypatch.setattr(manifold_blocks, "TILE_COLUMNS", tiles[1])
    rng = np.random.default_rng(6)
    count, second_count = (90, 120) if shape in {"scattered", "with ties"} else (450, 450)
    real, generated = rng.normal(size=(count, 3)), rng.normal(0.4, 0.8, size=(second_count, 3))
    first, second = rng.integers(0, 9, count), rng.integers(0, 9, second_count)
    if shape == "with ties":
        real, generated = np.round(real), np.round(generated)
    if shape == "in clusters":
        real, generated = real + 9.0 * first[:, None], generated + 9.0 * second[:, None]
    if shape == "tight and far away":
        real, generated = (
            rows + np.array([1e5, 0, 0]) * rng.integers(0, 2, (len(rows), 1)) for rows in (real, generated)
        )
    figures = manifold_without_blocks(real, generated, first, second, k=3)
    whole = precision_recall_density_coverage(real, generated, k=3)
    for name in MANIFOLD_FIGURES:
        assert figures[name].value == pytest.approx(getattr(whole, name))
        for block in range(9):
            left = precision_recall_density_coverage(real[first != block], generated[second != block], k=3)
            assert figures[name].without[block] == pytest.approx(getattr(left, name))


def test_a_block_that_leaves_too_few_neighbours_is_refused() -> None:
    with pytest.raises(ValueError, match="5 rows are left"):
        manifold_without_blocks(np.eye(10), np.eye(10), np.arange(10) // 5, np.arange(10) // 5, k=5)


@pytest.mark.integration
def test_recall_without_blocks_is_that_of_what_is_left() -> None:
    rng = np.random.default_rng(7)
    gallery = rng.normal(size=(80, 4))
    gallery[5] = gallery[6]  # a tie
    queries = gallery + rng.normal(size=(80, 4))
    asked, held = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, gallery))
    keys, blocks = rng.integers(0, 50, 80), rng.integers(0, 8, 80)
    found = recall_without_blocks(asked, held, keys, blocks, [1, 5, 20])
    for k, figures in found.items():
        assert figures.value == pytest.approx(recall_per_query(asked, held, keys, keys, [k])[k].mean())
        for block in range(8):
            rows = blocks != block
            left = recall_per_query(asked[rows], held[rows], keys[rows], keys[rows], [k])[k]
            assert figures.without[block] == pytest.approx(left.mean())


def test_bias_residual_bias_stretches_then_refuses() -> None:
    """By hand: error 1, t(0.975, 19) = 2.093; bias 1 stretches the lower end by 3, bias 3.5 is refused."""
    stretched = judge_difference(10.0, 1.0, 1.0, 19)
    assert (stretched.lower, stretched.upper) == (pytest.approx(7 - 2.093, abs=1e-3), pytest.approx(12.093, abs=1e-3))
    assert stretched.p_above(0.0) == pytest.approx(float(stats.t.sf(7.0, 19)))
    assert judge_difference(-10.0, 1.0, -1.0, 19).lower == pytest.approx(-12.093, abs=1e-3)
    refused = judge_difference(10.0, 1.0, 3.5, 19)
    assert (refused.lower, refused.p_value, refused.p_above(0.0), refused.lower_limit(0.05)) == (None, 1.0, 1.0, None)
    assert "3.5, is more than 3 standard errors" in (refused.reason or "")


def test_blocks_must_agree_and_be_enough() -> None:
    with pytest.raises(ValueError, match="second has 9"):
        paired_difference(Contributions(0.0, np.zeros(8)), Contributions(0.0, np.zeros(9)))
    with pytest.raises(ValueError, match="at least 8"):
        paired_difference(Contributions(0.0, np.zeros(7)), Contributions(0.0, np.zeros(7)))


@pytest.mark.parametrize("margin", [0.0, 5.0])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_the_smallest_change_is_found_as_often_as_it_says(power: float, margin: float) -> None:
    """Simulated: 20,000 estimates with their own standard errors from 30 normal blocks."""
    rng = np.random.default_rng(8)
    blocks, level = 30, 0.005
    change = smallest_change(1.0, blocks - 1, level, power, margin)
    draws = rng.normal(scale=np.sqrt(blocks), size=(20_000, blocks))
    value, error = change + draws.mean(1), draws.std(1, ddof=1) / np.sqrt(blocks)
    found = (value > stats.t.ppf(1 - level, blocks - 1) * error) & (value > margin)
    assert found.mean() == pytest.approx(power, abs=0.03)
