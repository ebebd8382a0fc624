"""KID and CMMD beside brute force and torch-fidelity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_kid import kid_features_to_metric

from unipath_bench.metrics import _kernel_sums
from unipath_bench.metrics._kernel_sums import PolynomialKernel, between_row_sums, within_row_sums
from unipath_bench.metrics.kernel import cmmd, kernel_distance, unbiased_mmd_polynomial

Array = np.ndarray


def brute_mmd(kxx: Array, kyy: Array, kxy: Array) -> float:
    n, m = len(kxx), len(kyy)
    xx = (kxx.sum() - np.trace(kxx)) / (n * (n - 1))
    yy = (kyy.sum() - np.trace(kyy)) / (m * (m - 1))
    return float(xx + yy - 2 * kxy.mean())


def polynomial(a: Array, b: Array) -> Array:
    return (a @ b.T / a.shape[1] + 1) ** 3


def fidelity(x: Array, y: Array, subset_size: int, subsets: int, seed: int) -> tuple[float, float]:
    result = kid_features_to_metric(
        torch.from_numpy(x),
        torch.from_numpy(y),
        kid_subsets=subsets,
        kid_subset_size=subset_size,
        rng_seed=seed,
        verbose=False,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1.0,
    )
    return result["kernel_inception_distance_mean"], result["kernel_inception_distance_std"]


@pytest.mark.integration
@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**31 - 1),
    st.integers(12, 60),
    st.integers(12, 60),
    st.integers(1, 30),
    st.sampled_from([0.0, 3.0]),
    st.integers(1, 60),
)
def test_same_subsets_same_number_as_torch_fidelity(
    seed: int, n: int, m: int, dimension: int, mean: float, subsets: int
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dimension)) + mean, rng.standard_normal((m, dimension)) * 1.3 + mean
    # Both orders of work: one Gram matrix where there are many subsets, subset by subset where there are few.
    result = kernel_distance(x, y, subset_size=10, subsets=subsets, seed=seed)
    mean_peer, std_peer = fidelity(x, y, 10, subsets, seed)
    scale = float(np.abs(polynomial(x, x)).max())
    assert result.mean == pytest.approx(mean_peer, rel=1e-10, abs=1e-13 * scale)
    assert result.std_over_subsets == pytest.approx(std_peer, rel=1e-10, abs=1e-13 * scale)


def test_both_orders_of_work_agree_beyond_one_block() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal((1500, 7)), rng.standard_normal((1300, 7)) + 0.1
    few = kernel_distance(x, y, subset_size=200, subsets=3, seed=5)  # 1500^2 > 3 * 200^2: subset by subset
    many = kernel_distance(x, y, subset_size=200, subsets=60, seed=5)  # 1500^2 < 60 * 200^2: one Gram matrix
    assert few.mean == pytest.approx(fidelity(x, y, 200, 3, 5)[0], rel=1e-10)
    assert many.mean == pytest.approx(fidelity(x, y, 200, 60, 5)[0], rel=1e-10)


@pytest.mark.parametrize(("n", "m"), [(2, 3), (40, 25), (1100, 1300)])
def test_unbiased_mmd_equals_brute_force(n: int, m: int) -> None:
    rng = np.random.default_rng(9)
    x, y = rng.standard_normal((n, 6)), rng.standard_normal((m, 6)) + 0.5
    expected = brute_mmd(polynomial(x, x), polynomial(y, y), polynomial(x, y))
    assert unbiased_mmd_polynomial(x, y) == pytest.approx(expected, rel=1e-10)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**31 - 1),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([1, 7, 8, 1024]),
    st.sampled_from([5, 16, 512]),
    st.booleans(),
)
def test_row_sums_equal_brute_force_in_tiles_of_any_size(
    seed: int, n: int, m: int, rows_at_once: int, columns_at_once: int, threads: bool
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, 3)), rng.standard_normal((m, 3))
    units = rng.integers(0, 9, n), rng.integers(0, 9, m)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_kernel_sums, "TILE_ROWS", rows_at_once)
        patch.setattr(_kernel_sums, "TILE_COLUMNS", columns_at_once)
        patch.setattr(_kernel_sums, "THREADED", 0 if threads else 10**9)
        single = within_row_sums(torch.from_numpy(x), PolynomialKernel())
        within = within_row_sums(torch.from_numpy(x), PolynomialKernel(), units[0])
        rows, columns = between_row_sums(torch.from_numpy(x), torch.from_numpy(y), PolynomialKernel(), units)
    other = units[0][:, None] != units[0][None]
    apart = units[0][:, None] != units[1][None]
    kxx, kxy = polynomial(x, x), polynomial(x, y)
    scale = {"rtol": 1e-12, "atol": 1e-12 * max(np.abs(kxx).max(), np.abs(kxy).max())}
    np.testing.assert_allclose(single.sums, kxx.sum(1) - np.diag(kxx), **scale)
    assert np.array_equal(single.counts, np.full(n, n - 1))
    np.testing.assert_allclose(within.sums, (kxx * other).sum(1), **scale)
    assert np.array_equal(within.counts, other.sum(1))
    for result, axis in ((rows, 1), (columns, 0)):
        np.testing.assert_allclose(result.sums, (kxy * apart).sum(axis), **scale)
        assert np.array_equal(result.counts, apart.sum(axis))


def test_unbiased_mmd_by_hand() -> None:
    # One dimension, k(a, b) = (ab + 1)^3: k(0, 1) = 1; k(1, 2) = 27; between: k(0,1), k(0,2) = 1, k(1,1) = 8,
    # k(1,2) = 27.
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    assert unbiased_mmd_polynomial(x, y) == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cmmd_equals_brute_force(dtype: type) -> None:
    rng = np.random.default_rng(10)
    x: Array
    y: Array
    x, y = (rng.standard_normal((n, 16)).astype(dtype) + 1 for n in (1100, 90))
    a, b = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x.astype(np.float64), y.astype(np.float64)))

    def kernel(p: Array, q: Array) -> Array:
        return np.exp(-((p[:, None] - q[None]) ** 2).sum(-1) / 200)

    expected = 1000 * brute_mmd(kernel(a, a), kernel(b, b), kernel(a, b))
    assert cmmd(x, y) == pytest.approx(expected, rel=1e-8, abs=1e-11)
    assert cmmd(a, b, normalise=False) == pytest.approx(expected, rel=1e-8, abs=1e-11)
    assert cmmd(x, y, scale=1.0) == pytest.approx(expected / 1000, rel=1e-8, abs=1e-14)


def test_cmmd_is_unbiased_where_the_v_statistic_is_not() -> None:
    # Halves of one sample: the mean of the U-statistic over splits is 0; the V-statistic is positive every
    # time.
    rng = np.random.default_rng(11)
    halves = (np.split(rng.standard_normal((60, 8)), 2) for _ in range(200))
    values = [cmmd(first, second, sigma=1.0) for first, second in halves]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(200)


def test_order_does_not_matter() -> None:
    rng = np.random.default_rng(12)
    x, y = rng.standard_normal((70, 5)), rng.standard_normal((50, 5)) + 1
    shuffled = rng.permutation(70)
    assert unbiased_mmd_polynomial(x[shuffled], y) == pytest.approx(unbiased_mmd_polynomial(x, y), rel=1e-12)
    assert unbiased_mmd_polynomial(y, x) == pytest.approx(unbiased_mmd_polynomial(x, y), rel=1e-12)
    assert cmmd(x[shuffled], y) == pytest.approx(cmmd(x, y), rel=1e-10)


def test_refusals_name_the_trouble() -> None:
    x = np.random.default_rng(13).standard_normal((30, 4))
    with pytest.raises(ValueError, match="subset_size: 30 is not below the 30 rows"):
        kernel_distance(x, np.vstack([x, x]), subset_size=30)
    with pytest.raises(ValueError, match="at least 2"):
        unbiased_mmd_polynomial(x, x[:1])
    with pytest.raises(ValueError, match="x: row 3 is zero"):
        cmmd(np.where(np.arange(30)[:, None] == 3, 0.0, x), x)
    with pytest.raises(ValueError, match="sigma"):
        cmmd(x, x, sigma=0.0)
    with pytest.raises(ValueError, match="degree"):
        kernel_distance(x, x, subset_size=10, degree=0)
