"""Weighted F1, accuracy, calibration error and the F1 of guessing."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from unipath_bench.metrics.classification import (
    accuracy,
    chance_weighted_f1,
    expected_calibration_error,
    weighted_f1,
)

LABELS = st.lists(st.tuples(st.integers(-2, 4), st.integers(-2, 4)), min_size=1, max_size=40)


@pytest.mark.integration
@settings(max_examples=100, deadline=None)
@given(LABELS)
def test_f1_and_accuracy_equal_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(pairs).T
    assert weighted_f1(truth, predicted) == pytest.approx(
        f1_score(truth, predicted, average="weighted", zero_division=0), rel=1e-12
    )
    assert accuracy(truth, predicted) == pytest.approx(accuracy_score(truth, predicted))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=6))
def test_chance_f1_is_the_mean_over_all_permutations(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(pairs).T
    expected = np.mean([weighted_f1(truth, np.array(order)) for order in permutations(predicted.tolist())])
    assert chance_weighted_f1(truth, predicted) == pytest.approx(float(expected), rel=1e-12)


def test_chance_f1_of_balanced_classes() -> None:
    # C balanced classes, predictions balanced as well: s = p = n / C, so the sum is C * (1/C) * 2 (n/C^2) /
    # (2n/C) = 1 / C.
    labels = np.arange(40) % 4
    assert chance_weighted_f1(labels, np.roll(labels, 1)) == pytest.approx(0.25)


def test_calibration_error_by_hand() -> None:
    # Two bins. Confidences 0.6 (right), 0.8 (wrong) in (0.5, 1]: |1 - 1.4| / 2 = 0.2.
    prob = np.array([[0.6, 0.4], [0.2, 0.8]])
    assert expected_calibration_error(prob, [0, 0], bins=2) == pytest.approx(0.2)


def test_refusals_name_the_trouble() -> None:
    with pytest.raises(ValueError, match="no labels"):
        weighted_f1([], [])
    with pytest.raises(ValueError, match="y_pred: 1 entries, but 2"):
        accuracy([1, 2], [1])
    with pytest.raises(ValueError, match="sum to 1"):
        expected_calibration_error(np.array([[0.5, 0.6]]), [0])
    with pytest.raises(ValueError, match="must lie in 0 to 1"):
        expected_calibration_error(np.array([[0.5, 0.5]]), [2])
    with pytest.raises(ValueError, match="not an integer"):
        weighted_f1(np.array([0.5]), [1])
