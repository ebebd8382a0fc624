"""Tier 1 on sets whose distances are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from tests.scoring.scoring_worlds import feature_set
from unipath_bench.contracts import ScoreInputs
from unipath_bench.core.errors import DataError, NotComputable
from unipath_bench.metrics.kernel import kernel_distance
from unipath_bench.scoring.fidelity import frechet, kid, prdc


def _inputs(real: np.ndarray, generated: np.ndarray) -> ScoreInputs:
    return ScoreInputs({"reference": feature_set(real), "generated": feature_set(generated)})


def test_frechet_of_a_shifted_copy_is_the_squared_shift() -> None:
    real = np.random.default_rng(0).integers(-64, 64, (200, 5)) / 16  # exact in float32, the shift too
    shift = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    found = frechet(_inputs(real, real + shift))
    # Equal covariances: the distance is |shift|^2 = 1 + 4 + 0.25 + 0 + 9.
    assert found.values["distance"] == pytest.approx(14.25, abs=1e-8)
    assert (found.n_images, found.dimension) == (200, 5)


def test_frechet_uses_every_replicate() -> None:
    real = np.random.default_rng(0).normal(size=(50, 3))
    generated = feature_set(
        np.vstack([real, real + 2]), ids=[f"s{i}" for i in range(50)] * 2, replicates=[0] * 50 + [1] * 50
    )
    found = frechet(ScoreInputs({"reference": feature_set(real), "generated": generated}))
    # The mixture's mean is 1 off in three dimensions: at least 3.
    assert found.n_images == 100
    assert found.values["distance"] > 3


def test_kid_estimates_the_unbiased_discrepancy_of_the_full_sets() -> None:
    rng = np.random.default_rng(1)
    real = rng.normal(size=(160, 6)).astype(np.float32).astype(float)
    fake = (rng.normal(size=(150, 6)) * 1.5 + 1).astype(np.float32).astype(float)
    xx, yy, xy = (
        polynomial_kernel(a, b, degree=3, gamma=1 / 6, coef0=1) for a, b in ((real, real), (fake, fake), (real, fake))
    )
    n, m = len(real), len(fake)
    full = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean()
    assert kid(_inputs(real, fake)).values["distance"] == pytest.approx(full, rel=1e-9)
    # Given the sets, the subsets are independent draws: their mean is within four standard errors of the full estimate.
    spread = kernel_distance(real, fake, subset_size=75, subsets=400).std_over_subsets
    subsets = kid(_inputs(real, fake), subset_size=75, subsets=400)
    assert subsets.values["distance"] == pytest.approx(full, abs=4 * spread / 400**0.5)
    assert 4 * spread / 400**0.5 < 0.2 * full


def test_kid_by_subsets_needs_more_images_than_a_subset_has() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(NotComputable, match=r"subsets of 50 images.*the smaller has 50") as caught:
        kid(_inputs(rng.normal(size=(50, 2)), rng.normal(size=(80, 2))), subset_size=50)
    assert "--n to 51" in caught.value.remedy
    assert np.isfinite(
        kid(_inputs(rng.normal(size=(51, 2)), rng.normal(size=(80, 2))), subset_size=50).values["distance"]
    )


def test_prdc_of_the_same_and_of_distant_sets() -> None:
    real = np.random.default_rng(0).normal(size=(60, 4))
    same = prdc(_inputs(real, real)).values
    assert (same["precision"], same["recall"], same["coverage"]) == (1.0, 1.0, 1.0)
    far = prdc(_inputs(real, real + 1000)).values
    assert set(far.values()) == {0.0}


def test_mode_collapse_keeps_precision_and_loses_coverage() -> None:
    real = np.random.default_rng(0).normal(size=(100, 4))
    found = prdc(_inputs(real, np.repeat(real[:5], 20, axis=0))).values
    assert found["precision"] == 1.0
    # Five distinct images lie within the balls of few of the hundred: each ball holds 5 neighbours, so about 5 x 5.
    assert found["coverage"] < 0.5
    assert found["recall"] < 0.2


def test_too_few_images_are_not_computable() -> None:
    few = np.eye(5)
    with pytest.raises(NotComputable, match="5th nearest neighbour needs at least 6 images"):
        prdc(_inputs(few, few))
    with pytest.raises(NotComputable, match="covariance needs at least 2"):
        frechet(_inputs(few[:1], few))


@pytest.mark.parametrize("metric", [frechet, kid, prdc])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_features_are_named(metric: Callable[..., object], bad: float) -> None:
    real = np.random.default_rng(0).normal(size=(80, 3))
    fake = real.copy()
    fake[[7, 41], 1] = bad
    with pytest.raises(DataError, match=r"2 of 80 image features of the generated set") as caught:
        metric(_inputs(real, fake))
    assert "s7" in caught.value.message
    assert "s41" in caught.value.message
