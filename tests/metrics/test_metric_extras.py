"""Extrapolation of the Frechet distance, and PCA bases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from unipath_bench.metrics.basis import PcaBasis
from unipath_bench.metrics.extrapolation import frechet_infinity
from unipath_bench.metrics.frechet import frechet_distance


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
