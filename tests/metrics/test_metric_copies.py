"""Copy thresholds and the share of copies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from unipath_bench.metrics.memorisation import (
    clopper_pearson_lower,
    copied_fraction,
    copy_threshold,
    nearest_neighbours,
)


@given(st.integers(1, 400), st.data(), st.sampled_from([0.9, 0.95, 0.99]))
def test_lower_bound_equals_scipy(n: int, data: st.DataObject, confidence: float) -> None:
    count = data.draw(st.integers(0, n))
    peer = binomtest(count, n, alternative="greater").proportion_ci(confidence, method="exact").low
    assert clopper_pearson_lower(count, n, confidence) == pytest.approx(peer, abs=1e-12)


def test_threshold_is_the_inverted_distribution_function() -> None:
    # Of 1..100, the 5% quantile without interpolation is the 5th smallest.
    assert copy_threshold(np.arange(100.0, 0, -1), 0.05) == 5
    assert copy_threshold(np.array([3.0]), 0.5) == 3


def test_copies_are_found() -> None:
    rng = np.random.default_rng(25)
    training, held_out = rng.standard_normal((300, 16)), rng.standard_normal((200, 16))
    threshold = copy_threshold(nearest_neighbours(held_out, training)[0][:, 0], 0.01)
    honest, copied = rng.standard_normal((100, 16)), training[:40] + 1e-3
    distances = nearest_neighbours(np.vstack([honest, copied]), training)[0][:, 0]
    result = copied_fraction(distances, threshold)
    assert 40 <= result.copies <= 44
    assert result.fraction == result.copies / 140
    assert result.lower == pytest.approx(
        binomtest(result.copies, 140, alternative="greater").proportion_ci(0.95, "exact").low
    )


def test_a_distance_of_zero_is_a_copy_even_at_threshold_zero() -> None:
    # Training duplicates in the real test set bring the threshold to 0; an identical image is still a copy, a
    # near one is not.
    assert copied_fraction(np.array([0.0, 1e-9, 1.0]), 0.0).copies == 1
    assert copied_fraction(np.array([0.5, 1.0]), 0.5).copies == 0


def test_refusals_name_the_trouble() -> None:
    with pytest.raises(ValueError, match="below 0"):
        copied_fraction(np.array([-1.0]), 1.0)
    with pytest.raises(ValueError, match="not between 0 and 1"):
        copy_threshold(np.array([1.0]), 1.0)
    with pytest.raises(ValueError, match="at least 1"):
        copied_fraction(np.array([]), 1.0)
