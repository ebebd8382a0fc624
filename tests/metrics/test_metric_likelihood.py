"""Feature likelihood: one component in closed form, the definition by scipy, and what copying does to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from unipath_bench.metrics.likelihood import SMALLEST_VARIANCE, feature_likelihood


def test_one_place_in_closed_form() -> None:
    # All components at the training mean: the best common variance is the mean squared coordinate, which is
    # (n - 1) / n after scaling by the sample deviation; the training log-likelihood a dimension is then
    # -log(2 pi v) / 2 - 1 / 2.
    rng = np.random.default_rng(50)
    training = rng.standard_normal((200, 3)) * [1, 5, 0.1]
    generated = np.repeat(training.mean(0)[None], 2, 0)
    result = feature_likelihood(training, training, generated)
    v = 199 / 200
    assert result.training == pytest.approx(50 * (math.log(2 * math.pi * v) + 1), rel=1e-6)
    assert result.gap == 0


@pytest.mark.integration
def test_equals_a_fit_by_scipy_densities() -> None:
    # The same fixed point, from other starting variances, with scipy's density of a normal distribution.
    rng = np.random.default_rng(51)
    training, held_out, generated = (
        rng.standard_normal((60, 2)),
        rng.standard_normal((40, 2)),
        rng.standard_normal((5, 2)),
    )
    result = feature_likelihood(training, held_out, generated, iterations=2000)
    mean, deviation = training.mean(0), training.std(0, ddof=1)
    x, y, g = ((z - mean) / deviation for z in (training, held_out, generated))

    def terms(z: np.ndarray, variances: np.ndarray) -> np.ndarray:
        return np.stack(
            [multivariate_normal(c, v).logpdf(z) - math.log(5) for c, v in zip(g, variances, strict=True)], 1
        )

    variances = np.ones(5)
    for _ in range(3000):
        shares = terms(x, variances)
        shares = np.exp(shares - logsumexp(shares, 1, keepdims=True))
        squares = ((x[:, None] - g[None]) ** 2).sum(-1)
        variances = np.maximum((shares * squares).sum(0) / (2 * shares.sum(0)), SMALLEST_VARIANCE)
    assert result.training == pytest.approx(-50 * logsumexp(terms(x, variances), 1).mean(), rel=1e-3)
    assert result.held_out == pytest.approx(-50 * logsumexp(terms(y, variances), 1).mean(), rel=1e-2)


@pytest.mark.integration
def test_copying_and_blur_and_lost_modes_cost() -> None:
    rng = np.random.default_rng(52)
    modes = np.array([[4.0] * 8, [-4.0] * 8])
    training, held_out, honest = (modes[np.arange(400) % 2] + rng.standard_normal((400, 8)) for _ in range(3))
    score = feature_likelihood(training, held_out, honest)
    copied = feature_likelihood(training, held_out, training + 1e-4 * rng.standard_normal((400, 8)))
    one_mode = feature_likelihood(training, held_out, modes[0] + rng.standard_normal((400, 8)))
    noisy = feature_likelihood(training, held_out, honest + 3 * rng.standard_normal((400, 8)))
    assert copied.held_out > score.held_out + 10
    assert copied.gap > 10 * abs(score.gap)
    assert one_mode.held_out > score.held_out + 10
    assert noisy.held_out > score.held_out


def test_refusals_name_the_trouble() -> None:
    x = np.random.default_rng(53).standard_normal((10, 3))
    with pytest.raises(ValueError, match="held_out has 2 dimensions"):
        feature_likelihood(x, x[:, :2], x)
