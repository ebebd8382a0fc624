"""What must not change a figure: the order of the samples, a rotation of the space, a shift of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.metrics.kernel import cmmd, kernel_distance, unbiased_mmd_polynomial
from unipath_bench.metrics.manifold import precision_recall_density_coverage
from unipath_bench.metrics.retrieval import recall_at_k

Array = np.ndarray
SEEDS = st.integers(0, 2**32 - 1)


def rotation(rng: np.random.Generator, dimension: int) -> Array:
    return np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]


def brute_mmd(x: Array, y: Array) -> tuple[float, float]:
    """KID's U-statistic over all pairs in extended precision, and the largest kernel value that it is the rest of."""
    a, b = (z.astype(np.longdouble) for z in (x, y))
    xx, yy, xy = ((p @ q.T / p.shape[1] + 1) ** 3 for p, q in ((a, a), (b, b), (a, b)))
    n, m = len(a), len(b)
    value = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean()
    return float(value), float(max(abs(k).max() for k in (xx, yy, xy)))


@st.composite
def hard_sets(draw: st.DrawFn) -> tuple[Array, Array]:
    """Sets with low rank, duplicates, constant columns, large means, tiny variances."""
    rng = np.random.default_rng(draw(SEEDS))
    n, m, dimension = draw(st.integers(4, 60)), draw(st.integers(4, 60)), draw(st.integers(1, 30))
    rank = draw(st.integers(1, dimension))
    mixing = rng.standard_normal((rank, dimension))
    x, y = rng.standard_normal((n, rank)) @ mixing, 1.3 * rng.standard_normal((m, rank)) @ mixing + 0.2
    kind = draw(st.sampled_from(["plain", "duplicates", "constant", "offset", "tiny"]))
    if kind == "duplicates":
        x[: n // 2], y[: m // 2] = x[0], x[0]
    if kind == "constant":
        x[:, 0] = y[:, 0] = 7.0
    if kind == "offset":
        x, y = x + 1e4, y + 1e4
    if kind == "tiny":
        x, y = x * 1e-8 + 1, y * 1e-8 + 1
    return x, y


@pytest.mark.integration
@settings(max_examples=100, deadline=None)
@given(hard_sets())
def test_kid_equals_brute_force_in_extended_precision(pair: tuple[Array, Array]) -> None:
    x, y = pair
    expected, largest = brute_mmd(x, y)
    assert unbiased_mmd_polynomial(x, y) == pytest.approx(expected, rel=1e-10, abs=1e-14 * largest)
    # The subsets of one draw, by brute force: their mean, in either order of work.
    size = 3
    for subsets in (2, 200):
        rng = np.random.RandomState(5)  # as torch-fidelity draws its subsets
        found = kernel_distance(x, y, subset_size=size, subsets=subsets, seed=5)
        mean = np.mean(
            [
                brute_mmd(x[rng.choice(len(x), size, replace=False)], y[rng.choice(len(y), size, replace=False)])[0]
                for _ in range(subsets)
            ]
        )
        assert found.mean == pytest.approx(mean, rel=1e-10, abs=1e-13 * largest)


@pytest.mark.integration
@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(12, 80), st.integers(12, 80), st.integers(1, 24))
def test_kernel_distances_do_not_see_order_or_rotation(seed: int, n: int, m: int, dimension: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dimension)), rng.standard_normal((m, dimension)) + 0.3
    turn = rotation(rng, dimension)
    for measure in (unbiased_mmd_polynomial, cmmd):
        value = measure(x, y)
        expected = pytest.approx(value, rel=1e-9, abs=1e-9)
        assert measure(x[rng.permutation(n)], y[rng.permutation(m)]) == expected
        assert measure(x @ turn, y @ turn) == expected
        assert measure(y, x) == expected


@pytest.mark.integration
@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(12, 80), st.integers(12, 80), st.integers(1, 24), st.floats(-1e3, 1e3), st.floats(0.01, 100))
def test_manifold_scores_do_not_see_order_rotation_shift_or_scale(
    seed: int, n: int, m: int, dimension: int, shift: float, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dimension)), 1.1 * rng.standard_normal((m, dimension)) + 0.2
    value = precision_recall_density_coverage(x, y, k=3)
    assert precision_recall_density_coverage(x[rng.permutation(n)], y[rng.permutation(m)], k=3) == value
    turn = scale * rotation(rng, dimension)
    assert precision_recall_density_coverage(x @ turn + shift, y @ turn + shift, k=3) == value
    # Precision and recall change places with the sets.
    swapped = precision_recall_density_coverage(y, x, k=3)
    assert (swapped.precision, swapped.recall) == (value.recall, value.precision)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 40), st.integers(10, 90), st.integers(2, 24))
def test_recall_does_not_see_order_or_rotation(seed: int, queries: int, items: int, dimension: int) -> None:
    rng = np.random.default_rng(seed)
    gallery = rng.standard_normal((items, dimension))
    asked, keys = rng.standard_normal((queries, dimension)), rng.integers(0, items, queries)
    ks = [1, 3, 10]
    value = recall_at_k(asked, gallery, keys, np.arange(items), ks)
    order, places = rng.permutation(queries), rng.permutation(items)
    moved = recall_at_k(asked[order], gallery[places], keys[order], np.arange(items)[places], ks)
    assert moved == pytest.approx(value, abs=1e-15)
    turn = rotation(rng, dimension)
    assert recall_at_k(asked @ turn, gallery @ turn, keys, np.arange(items), ks) == pytest.approx(value, abs=1e-15)
