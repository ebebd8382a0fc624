"""Frechet distance: closed forms, peers, degenerate inputs, streaming."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_fid import fid_statistics_to_metric

from unipath_bench.metrics.frechet import FeatureStatistics, frechet_distance, frechet_distance_from_statistics

Array = np.ndarray


def reference(x: Array, y: Array) -> float:
    """Nuclear norm of the cross product of the centred sets: no covariance, no squared condition number
    (float64 SVD).
    """
    shift = x[0].astype(np.float64)
    x, y = x - shift, y - shift
    mean_x, mean_y = x.mean(0), y.mean(0)
    a, b = (x - mean_x) / np.sqrt(len(x) - 1), (y - mean_y) / np.sqrt(len(y) - 1)
    roots = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(((mean_x - mean_y) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * roots)


def exact_moments(rng: np.random.Generator, n: int, mean: Array, deviations: Array) -> Array:
    """(n, D) whose sample mean is ``mean`` and whose sample covariance is diag(deviations^2), to rounding."""
    z = rng.standard_normal((n, len(mean)))
    z -= z.mean(0)
    q, _ = np.linalg.qr(z)  # orthonormal columns, each orthogonal to the constant vector
    return mean + q * np.sqrt(n - 1) * deviations


@st.composite
def feature_pairs(draw: st.DrawFn) -> tuple[Array, Array]:
    """Two sets of any rank, with repeated rows, constant columns, large means and tiny variances."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dimension = draw(st.integers(1, 24))
    pair = []
    mixing = rng.standard_normal((dimension, dimension))
    for _ in range(2):
        n = draw(st.integers(2, 60))
        x = rng.standard_normal((n, dimension)) @ mixing
        if draw(st.booleans()):
            rank = draw(st.integers(1, dimension))
            x = x[:, :rank] @ rng.standard_normal((rank, dimension))
        if draw(st.booleans()):
            x = x[rng.integers(0, n, n)]
        if draw(st.booleans()):
            x[:, rng.integers(dimension)] = rng.standard_normal()
        pair.append(x)
    scale = draw(st.sampled_from([1.0, 1e-4, 1e3]))
    shift = draw(st.sampled_from([0.0, 1e4])) * rng.standard_normal(dimension)
    return pair[0] * scale + shift, pair[1] * scale + shift


def total_variance(x: Array, y: Array) -> float:
    return float(x.var(0, ddof=1).sum() + y.var(0, ddof=1).sum())


def test_closed_form_of_diagonal_covariances() -> None:
    # For diagonal S1, S2: F = |m1 - m2|^2 + sum (s1 - s2)^2.
    rng = np.random.default_rng(1)
    m1, m2 = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 0.5])
    s1, s2 = np.array([1.0, 2.0, 3.0]), np.array([0.5, 2.5, 1.0])
    x, y = exact_moments(rng, 40, m1, s1), exact_moments(rng, 55, m2, s2)
    expected = 1 + 9 + 0 + 0.25 + 0.25 + 4
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-12)
    a, b = FeatureStatistics.from_features(x), FeatureStatistics.from_features(y)
    assert frechet_distance_from_statistics(a, b) == pytest.approx(expected, rel=1e-12)


def test_two_points_each() -> None:
    # Rank 1 in 3 dimensions: S = d d^T / 2 for a pair at difference d; nuclear norm of the cross product is
    # |d1 . d2| / 2.
    x = np.array([[0.0, 0, 0], [2, 0, 0]])
    y = np.array([[0.0, 0, 0], [1, 1, 0]])
    # means (1, 0, 0) and (.5, .5, 0): 0.5; traces 2 and 1; 2 * |2| / 2 = 2.
    assert frechet_distance(x, y) == pytest.approx(0.5 + 2 + 1 - 2, rel=1e-14)


@pytest.mark.parametrize(("n", "m", "dimension"), [(300, 200, 40), (60, 200, 100), (50, 40, 120)])
def test_agrees_with_torch_fidelity_and_scipy(n: int, m: int, dimension: int) -> None:
    rng = np.random.default_rng(2)
    mixing = rng.standard_normal((dimension, dimension)) / np.sqrt(dimension)
    x, y = rng.standard_normal((n, dimension)) @ mixing, 1.2 * rng.standard_normal((m, dimension)) @ mixing + 0.1
    statistics = [{"mu": z.mean(0), "sigma": np.cov(z, rowvar=False)} for z in (x, y)]
    peer = fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
    # Peers take square roots of eigenvalues that are zero up to rounding: their error is about D *
    # sqrt(2^-52) of the traces.
    rough = 1e-10 if min(n, m) > dimension else 1e-5
    assert frechet_distance(x, y) == pytest.approx(peer, rel=rough)
    if min(n, m) > dimension:
        root = scipy.linalg.sqrtm(statistics[0]["sigma"] @ statistics[1]["sigma"]).real
        traces = np.trace(statistics[0]["sigma"] + statistics[1]["sigma"] - 2 * root)
        assert frechet_distance(x, y) == pytest.approx(((x.mean(0) - y.mean(0)) ** 2).sum() + traces, rel=1e-10)


@pytest.mark.integration
@settings(max_examples=150, deadline=None)
@given(feature_pairs())
def test_agrees_with_the_reference(pair: tuple[Array, Array]) -> None:
    x, y = pair
    value, expected, variance = frechet_distance(x, y), reference(x, y), total_variance(x, y)
    # 1e-8 of the distance, or 1e-12 of the variance that it is the small rest of.
    floor = 1e-12 * variance
    assert abs(value - expected) <= 1e-8 * expected + floor
    a, b = FeatureStatistics.from_features(x), FeatureStatistics.from_features(y)
    # Covariances alone keep singular directions to the root of the rounding only.
    from_statistics = frechet_distance_from_statistics(a, b)
    assert abs(from_statistics - expected) <= 1e-8 * expected + 1e-6 * variance + floor


@pytest.mark.integration
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 4), st.booleans())
def test_ill_conditioned_spectra_keep_eight_digits(seed: int, decay: float, opposed: bool) -> None:
    rng = np.random.default_rng(seed)
    dimension = 60
    deviations = np.arange(1, dimension + 1) ** -decay
    rotation = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    x = rng.standard_normal((150, dimension)) * deviations @ rotation
    y = rng.standard_normal((140, dimension)) * (deviations[::-1] if opposed else 1.1 * deviations) @ rotation
    expected = reference(x, y)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)
    a, b = FeatureStatistics.from_features(x), FeatureStatistics.from_features(y)
    assert frechet_distance_from_statistics(a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.integration
@settings(max_examples=40, deadline=None)
@given(feature_pairs(), st.integers(0, 2**32 - 1))
def test_invariances(pair: tuple[Array, Array], seed: int) -> None:
    x, y = pair
    x, y = x - x.mean(0), y - x.mean(0)
    rng = np.random.default_rng(seed)
    value = frechet_distance(x, y)
    tolerance = 1e-9 * value + 1e-10 * total_variance(x, y) + 1e-13 * float(((x.mean(0) - y.mean(0)) ** 2).sum())
    assert frechet_distance(y, x) == pytest.approx(value, abs=tolerance)
    assert frechet_distance(x[rng.permutation(len(x))], y[rng.permutation(len(y))]) == pytest.approx(
        value, abs=tolerance
    )
    rotation = np.linalg.qr(rng.standard_normal((x.shape[1], x.shape[1])))[0]
    assert frechet_distance(x @ rotation, y @ rotation) == pytest.approx(value, abs=tolerance)
    step = rng.standard_normal(x.shape[1]) * np.sqrt(total_variance(x, y))
    assert frechet_distance(x + step, y + step) == pytest.approx(value, abs=10 * tolerance)


def test_a_set_is_at_distance_zero_from_itself() -> None:
    x = np.random.default_rng(3).standard_normal((80, 20))
    assert 0 <= frechet_distance(x, x) <= 1e-12
    assert 0 <= frechet_distance(x[:10], x[:10]) <= 1e-12


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 1700), min_size=1, max_size=6), st.sampled_from([0.0, 1e4]))
def test_any_partition_and_merge_equals_one_pass(seed: int, sizes: list[int], mean: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((sum(sizes), 5)) * [1, 1e-3, 10, 1, 1] + mean
    whole = FeatureStatistics.from_features(x)
    shards = [FeatureStatistics.from_features(part) for part in np.split(x, np.cumsum(sizes)[:-1])]
    merged = FeatureStatistics()
    for index in rng.permutation(len(shards)):
        merged.merge(shards[index])
    assert merged.count == len(x)
    if len(x) < 2:
        return
    deviations = x.std(0) + 1e-3
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12, atol=1e-12)
    difference = np.abs(merged.covariance - whole.covariance) / np.outer(deviations, deviations)
    assert difference.max() <= 1e-12 * max(1.0, mean / 10)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 900), min_size=1, max_size=8))
def test_the_cut_into_batches_does_not_matter(seed: int, sizes: list[int]) -> None:
    x = np.random.default_rng(seed).standard_normal((sum(sizes) + 2, 4)).astype(np.float32)
    stream = FeatureStatistics()
    for part in np.split(x, np.cumsum(sizes)):
        stream.update(part)
    whole = FeatureStatistics.from_features(x)
    assert np.array_equal(stream.covariance, whole.covariance)
    assert np.array_equal(stream.mean, whole.mean)


@pytest.mark.parametrize("offset", [3_500.0, 350_000.0])
def test_large_means_lose_nothing(offset: float) -> None:
    x = (np.random.default_rng(4).standard_normal((3000, 6)) + offset).astype(np.float32)
    # numpy's two-pass covariance of the float64 copy is the peer; the offset has been rounded into the data
    # already.
    centred = x.astype(np.float64) - offset
    statistics = FeatureStatistics.from_features(x)
    np.testing.assert_allclose(statistics.covariance, np.cov(centred, rowvar=False), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(statistics.mean, centred.mean(0) + offset, rtol=1e-15)


def test_reading_statistics_does_not_disturb_the_stream() -> None:
    x = np.random.default_rng(5).standard_normal((700, 3))
    stream = FeatureStatistics()
    stream.update(x[:300])
    np.testing.assert_allclose(stream.covariance, np.cov(x[:300], rowvar=False), rtol=1e-12)
    stream.update(x[300:])
    np.testing.assert_allclose(stream.covariance, np.cov(x, rowvar=False), rtol=1e-12, atol=1e-14)
    rebuilt = FeatureStatistics.from_moments(stream.count, stream.mean, stream.covariance)
    np.testing.assert_allclose(rebuilt.covariance, stream.covariance, rtol=1e-14)
    rebuilt.update(x[:50])
    np.testing.assert_allclose(rebuilt.covariance, np.cov(np.vstack([x, x[:50]]), rowvar=False), rtol=1e-12, atol=1e-14)


def test_inputs_are_not_changed_and_tensors_are_welcome() -> None:
    x = np.random.default_rng(6).standard_normal((30, 4)).astype(np.float32)
    before = x.copy()
    x.setflags(write=False)
    value = frechet_distance(x, x[::-1] * 2)
    assert np.array_equal(x, before)
    assert frechet_distance(torch.from_numpy(before), torch.from_numpy(before[::-1] * 2)) == value


def test_refusals_name_the_trouble() -> None:
    x = np.random.default_rng(7).standard_normal((30, 4))
    broken = x.copy()
    broken[17, 2] = np.nan
    with pytest.raises(ValueError, match=r"y: row 17 holds NaN or infinity"):
        frechet_distance(x, broken)
    with pytest.raises(ValueError, match=r"4 dimensions.*3"):
        frechet_distance(x, x[:, :3])
    with pytest.raises(ValueError, match=r"y: 1 rows, but at least 2"):
        frechet_distance(x, x[:1])
    with pytest.raises(ValueError, match=r"shape \(4,\)"):
        frechet_distance(x[0], x)
    with pytest.raises(ValueError, match="not floating"):
        frechet_distance(x.astype(int), x)
    with pytest.raises(ValueError, match="cannot join"):
        FeatureStatistics.from_features(x).merge(FeatureStatistics.from_features(x[:, :2]))
