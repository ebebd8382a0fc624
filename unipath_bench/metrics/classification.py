"""Weighted F1, accuracy, calibration error, and the F1 of guessing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unipath_bench.metrics._arrays import FloatArray, Keys, as_codes, check_count

PROBABILITY_TOLERANCE = 1e-4


def _pair(y_true: Keys, y_pred: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    truth = as_codes(y_true, "y_true")
    if not len(truth):
        raise ValueError("y_true: no labels")
    return truth, as_codes(y_pred, "y_pred", len(truth))


def accuracy(y_true: Keys, y_pred: Keys) -> float:
    """Share of equal labels, 0 to 1; both (n,) integer codes.

    Examples:
        Three of four are right.

        >>> accuracy([0, 1, 2, 2], [0, 1, 2, 0])
        0.75
    """
    truth, predicted = _pair(y_true, y_pred)
    return float((truth == predicted).mean())


def confusion_counts(y_true: Keys, y_pred: Keys) -> npt.NDArray[np.int64]:
    """(C, C) counts: row the true class, column the predicted one, classes in ascending order of their codes.

    Examples:
        Of two images of class 0 one was taken for class 1.

        >>> confusion_counts([0, 0, 1], [0, 1, 1]).tolist()
        [[1, 1], [0, 1]]
    """
    truth, predicted = _pair(y_true, y_pred)
    classes, codes = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    count = len(classes)
    cells = codes[: len(truth)] * count + codes[len(truth) :]
    return np.bincount(cells, minlength=count * count).reshape(count, count)


def weighted_f1_from_counts(counts: npt.NDArray[np.floating] | npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Weighted F1 of confusion counts (..., C, C); see :func:`weighted_f1`.

    Examples:
        Both classes have F1 2 * 1 / (2 + 1), so their mean is 2 / 3 under any weights.

        >>> import numpy as np
        >>> round(float(weighted_f1_from_counts(np.array([[1, 1], [0, 1]]))), 4)
        0.6667
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    support, predicted = counts.sum(-1).astype(np.float64), counts.sum(-2).astype(np.float64)
    both = support + predicted
    f1 = np.divide(2 * hits, both, out=np.zeros_like(hits), where=both > 0)
    weighted: npt.NDArray[np.float64] = (support * f1).sum(-1) / support.sum(-1)
    return weighted


def weighted_f1(y_true: Keys, y_pred: Keys) -> float:
    """F1 of each class, 2 TP / (true + predicted), averaged with the classes' true counts as weights; 0 to 1.

    A class that is never predicted has F1 0, as in scikit-learn with ``zero_division=0``.

    Examples:
        Always answering class 0 gives it F1 2 * 3 / (3 + 4) and class 1 none: 3 / 4 * 6 / 7 = 9 / 14.

        >>> round(weighted_f1([0, 0, 0, 1], [0, 0, 0, 0]), 4)
        0.6429
    """
    return float(weighted_f1_from_counts(confusion_counts(y_true, y_pred)))


def chance_weighted_f1(y_true: Keys, y_pred: Keys) -> float:
    """Expected weighted F1 after the predictions are put in a uniformly random order.

    Under a random permutation the margins stay and the hits of class c have mean s_c p_c / n
    (hypergeometric), s_c its true and p_c its predicted count. F1 is linear in the hits at fixed margins, so
    the expectation is exact: sum_c (s_c / n) * 2 (s_c p_c / n) / (s_c + p_c).

    Examples:
        Two answers dealt out at random are both right or both wrong, with equal chances.

        >>> chance_weighted_f1([0, 1], [0, 1])
        0.5
    """
    counts = confusion_counts(y_true, y_pred)
    support, predicted, n = counts.sum(1), counts.sum(0), counts.sum()
    return float(((support / n) * 2 * (support * predicted / n) / (support + predicted)).sum())


def expected_calibration_error(prob: FloatArray, y_true: Keys, bins: int = 15) -> float:
    """Expected calibration error of the top class, 0 to 1 (Guo et al. 2017, arXiv 1706.04599, eq. 3).

    ``prob`` (n, C): rows of class probabilities that sum to 1; ``y_true`` (n,): columns of the true classes.
    The confidence range is cut into ``bins`` equal parts (lower end open, upper end closed); the error is the
    mean over samples of the difference between accuracy and mean confidence in the sample's bin.

    Examples:
        Sure to three quarters and right three times of four is calibrated; right every time is off by a quarter.

        >>> import numpy as np
        >>> prob = np.full((4, 2), [0.75, 0.25])
        >>> expected_calibration_error(prob, [0, 0, 0, 1])
        0.0
        >>> expected_calibration_error(prob, [0, 0, 0, 0])
        0.25
    """
    check_count(bins, "bins")
    table = np.asarray(prob)
    if table.ndim != 2 or table.dtype.kind != "f" or not table.size:
        raise ValueError(f"prob: shape {table.shape} of {table.dtype}, but floating (samples, classes) is needed")
    table = table.astype(np.float64)
    if not np.isfinite(table).all():
        raise ValueError("prob: holds NaN or infinity")
    off = np.abs(table.sum(1) - 1) > PROBABILITY_TOLERANCE
    if off.any() or (table < -PROBABILITY_TOLERANCE).any():
        raise ValueError("prob: rows must be probabilities that sum to 1")
    truth = as_codes(y_true, "y_true", len(table))
    if truth.min() < 0 or truth.max() >= table.shape[1]:
        raise ValueError(f"y_true: codes must lie in 0 to {table.shape[1] - 1}")
    confidence = table.max(1)
    correct = (table.argmax(1) == truth).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(table))
