"""Scores are pure functions: they leave their inputs alone, and tensors and arrays give the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unipath_bench.metrics.alignment import cosine_per_pair
from unipath_bench.metrics.basis import PcaBasis
from unipath_bench.metrics.extrapolation import frechet_infinity
from unipath_bench.metrics.frechet import FeatureStatistics, frechet_distance
from unipath_bench.metrics.frechet_uncertainty import frechet_estimate
from unipath_bench.metrics.kernel import cmmd, kernel_distance, unbiased_mmd_polynomial
from unipath_bench.metrics.kernel_uncertainty import cmmd_estimate, kernel_distance_estimate
from unipath_bench.metrics.manifold import precision_recall_density_coverage
from unipath_bench.metrics.memorisation import authenticity, nearest_neighbours
from unipath_bench.metrics.retrieval import recall_at_k

KEYS = np.arange(80)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "cosine_per_pair": cosine_per_pair,
    "pca": lambda x, y: PcaBasis.fit(x, 4).project(y).sum().item(),
    "frechet_infinity": lambda x, y: frechet_infinity(x, y, points=3).value,
    "statistics": lambda x, y: FeatureStatistics.from_features(x).merge(FeatureStatistics.from_features(y)).covariance,
    "frechet_distance": frechet_distance,
    "frechet_distance_below_dimension": lambda x, y: frechet_distance(x[:6], y[:7]),
    "frechet_estimate": frechet_estimate,
    "kernel_distance": lambda x, y: kernel_distance(x, y, subset_size=20, subsets=3),
    "unbiased_mmd_polynomial": unbiased_mmd_polynomial,
    "cmmd": cmmd,
    "cmmd_plain": lambda x, y: cmmd(x, y, normalise=False),
    "kernel_distance_estimate": kernel_distance_estimate,
    "cmmd_estimate": cmmd_estimate,
    "prdc": precision_recall_density_coverage,
    "nearest_neighbours": lambda x, y: nearest_neighbours(x, y, 3)[0],
    "nearest_neighbours_of_itself": lambda x, y: nearest_neighbours(x, x, 3, exclude_self=True)[0],
    "authenticity": authenticity,
    "recall_at_k": lambda x, y: recall_at_k(x, y, KEYS, KEYS, [1, 9]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_inputs_stay_as_they_are(name: str, dtype: type) -> None:
    rng = np.random.default_rng(44)
    x, y = (rng.standard_normal((80, 8)).astype(dtype) + 0.5 for _ in range(2))
    copies = x.copy(), y.copy()
    first = FUNCTIONS[name](x, y)
    assert np.array_equal(x, copies[0])
    assert np.array_equal(y, copies[1])
    for array in (x, y):
        array.setflags(write=False)
    second = FUNCTIONS[name](x, y)
    tensors = FUNCTIONS[name](torch.from_numpy(copies[0]), torch.from_numpy(copies[1]))
    strided = FUNCTIONS[name](np.asfortranarray(x), y[::-1][::-1])
    np.testing.assert_equal(second, first)
    np.testing.assert_equal(tensors, first)
    if isinstance(first, (float, np.ndarray)):
        np.testing.assert_allclose(strided, first, rtol=1e-9)
