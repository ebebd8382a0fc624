"""Vendi score, extrapolation, the C_T test, PCA bases, percentages of a range."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.decomposition import PCA

from unipath_bench.metrics.anchors import per_cent_of_range
from unipath_bench.metrics.basis import PcaBasis
from unipath_bench.metrics.copying import copying_test, copying_z_score
from unipath_bench.metrics.diversity import vendi_score
from unipath_bench.metrics.extrapolation import frechet_infinity
from unipath_bench.metrics.frechet import frechet_distance


def test_vendi_counts_orthogonal_kinds() -> None:
    # 3 orthogonal directions held 10, 10 and 20 times: eigenvalues 1/4, 1/4, 1/2.
    features = np.repeat(np.eye(5)[:3], [10, 10, 20], 0) * np.arange(1, 41)[:, None]
    assert vendi_score(features) == pytest.approx(math.exp(1.5 * math.log(2)))
    assert vendi_score(features, order=0) == pytest.approx(3)
    assert vendi_score(features, order=2) == pytest.approx(1 / (1 / 16 + 1 / 16 + 1 / 4))
    assert vendi_score(features, order=math.inf) == pytest.approx(2)
    assert vendi_score(np.ones((7, 3))) == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30))
def test_vendi_equals_the_definition(seed: int, n: int, dimension: int) -> None:
    features = np.random.default_rng(seed).standard_normal((n, dimension))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(unit @ unit.T / n)
    values = values[values > 1e-13]
    assert vendi_score(features) == pytest.approx(float(np.exp(-(values * np.log(values)).sum())), rel=1e-9)


@pytest.mark.integration
def test_extrapolation_takes_out_most_of_the_bias() -> None:
    rng = np.random.default_rng(40)
    x, y = rng.standard_normal((1500, 32)), 1.2 * rng.standard_normal((1500, 32))
    truth = 32 * 0.04
    result = frechet_infinity(x, y)
    assert result.sizes[0] == 750
    assert result.sizes[-1] == 1500
    assert result.slope > 0
    assert abs(result.value - truth) < 0.3 * (frechet_distance(x, y) - truth)
    assert frechet_infinity(x, y).value == result.value
    with pytest.raises(ValueError, match="too small for 32 dimensions"):
        frechet_infinity(x, y, smallest=32)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.lists(st.integers(0, 20), min_size=1, max_size=40))
def test_z_score_equals_scipy(generated: list[int], held_out: list[int]) -> None:
    if len(set(generated + held_out)) == 1:
        assert copying_z_score(np.array(generated, float), np.array(held_out, float)) == 0
        return
    z = copying_z_score(np.array(generated, float), np.array(held_out, float))
    peer = mannwhitneyu(generated, held_out, alternative="less", use_continuity=False, method="asymptotic")
    # scipy's p of "generated smaller" is the normal distribution function at z.
    assert 0.5 * math.erfc(-z / math.sqrt(2)) == pytest.approx(peer.pvalue, abs=1e-10)


def test_copying_is_seen_cell_by_cell() -> None:
    rng = np.random.default_rng(41)
    held_out, cells = rng.random(300), np.arange(300) % 3
    generated = rng.random(300) * np.where(cells == 0, 0.2, 1.0)
    result = copying_test(generated, held_out, generated_cells=cells, held_out_cells=cells)
    assert result.cells[0] < -5
    assert abs(result.cells[1]) < 4
    assert result.statistic == pytest.approx(np.mean(list(result.cells.values())))
    assert copying_test(generated, held_out).statistic < 0
    sparse = copying_test(generated[:61], held_out, generated_cells=np.minimum(cells[:61], 1), held_out_cells=cells)
    assert sparse.left_out == (2,)
    with pytest.raises(ValueError, match="no cell holds 20"):
        copying_test(generated[:10], held_out)


def test_basis_equals_scikit_learn_and_is_pinned() -> None:
    rng = np.random.default_rng(42)
    held_out = (rng.standard_normal((120, 30)) * np.arange(30, 0, -1)).astype(np.float32)
    basis = PcaBasis.fit(held_out, 6)
    peer = PCA(6, svd_solver="full").fit(held_out.astype(np.float64))
    np.testing.assert_allclose(np.abs(basis.components), np.abs(peer.components_), atol=1e-10)
    assert basis.captured == pytest.approx(peer.explained_variance_ratio_.sum(), rel=1e-10)
    assert (basis.components[np.arange(6), np.abs(basis.components).argmax(1)] > 0).all()
    projected = basis.project(held_out).numpy()
    np.testing.assert_allclose(np.abs(projected), np.abs(peer.transform(held_out.astype(np.float64))), atol=1e-8)
    with pytest.raises(ValueError, match="40 directions cannot be had"):
        PcaBasis.fit(held_out, 40)
    with pytest.raises(ValueError, match="the basis has 30"):
        basis.project(held_out[:, :4])


def test_per_cent_of_range() -> None:
    assert per_cent_of_range(0.3, 0.1, 0.5) == pytest.approx(50)
    assert per_cent_of_range(30.0, 100.0, 10.0) == pytest.approx(700 / 9)  # a distance: the ceiling is below the floor
    with pytest.raises(ValueError, match="no range"):
        per_cent_of_range(1.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="finite"):
        per_cent_of_range(math.nan, 0.0, 1.0)
