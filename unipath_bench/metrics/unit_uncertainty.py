"""Means and F1 with an interval, by the jackknife over whole units.

With U units and theta_(-u) the figure without unit u: SE^2 = (U - 1) / U sum_u (theta_(-u) - mean)^2, and the
interval is theta +- t(U - 1) SE. Images of one patient are not independent: leaving whole patients out is
what keeps the interval honest.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unipath_bench.metrics._arrays import Float64Array, FloatArray, Keys, as_codes, as_values
from unipath_bench.metrics.classification import weighted_f1_from_counts
from unipath_bench.metrics.estimate import Estimate, check_confidence, interval_above_zero
from unipath_bench.metrics.units import Units, unit_sums, units_of

MINIMUM_UNITS = 8


class LeaveOneOut(NamedTuple):
    """A figure of all samples, ``value``, and the same without each unit in turn, ``without`` (U,).

    Units are in ascending order of their codes. Figures of the same units combine entry by entry: means and ratios have
    intervals too.
    """

    value: float
    without: Float64Array


def jackknife_estimate(
    figures: LeaveOneOut,
    *,
    samples: int,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """Interval of a figure from its values without each unit, cut off at ``bounds``.

    Raises ``ValueError`` for fewer than 8 units.

    Examples:
        Nine values with the sum of squares 8 * 3^2 = 72 have the variance 72 / 8 = 9, so their mean has the
        standard error sqrt(9 / 9).

        >>> import numpy as np
        >>> figures = mean_without_units(np.array([3.0, -3.0] * 4 + [0.0]))
        >>> found = jackknife_estimate(figures, samples=9)
        >>> found.value, round(found.standard_error, 9), found.units
        (0.0, 1.0, 9)
    """
    check_confidence(confidence)
    number = len(figures.without)
    if number < MINIMUM_UNITS:
        raise ValueError(f"{number} units are too few for an interval: at least {MINIMUM_UNITS} are needed")
    spread = float(((figures.without - figures.without.mean()) ** 2).sum())
    result = interval_above_zero(
        figures.value,
        math.sqrt((number - 1) / number * spread),
        degrees=number - 1,
        confidence=confidence,
        samples=samples,
        units=number,
        non_negative=False,
    )
    if bounds is None or result.lower is None or result.upper is None:
        return result
    limits = {"lower": max(bounds[0], result.lower), "upper": min(bounds[1], result.upper)}
    return Estimate(**{**vars(result), **limits})


def mean_without_units(values: FloatArray, units: Keys | None = None) -> LeaveOneOut:
    """Mean of ``values`` (n,), each sample weighing the same, over all and without each unit; two units or more.

    Examples:
        The mean of 1, 2 and 6 is 3; without each of them 4, 3.5 and 1.5. Where 1 and 2 are of one patient, 6 and 1.5.

        >>> import numpy as np
        >>> found = mean_without_units(np.array([1.0, 2.0, 6.0]))
        >>> found.value, found.without.tolist()
        (3.0, [4.0, 3.5, 1.5])
        >>> mean_without_units(np.array([1.0, 2.0, 6.0]), units=[0, 0, 1]).without.tolist()
        [6.0, 1.5]
    """
    array = as_values(values, "values")
    grouping = units_of(units, len(array))
    sums, sizes = unit_sums(array, grouping), grouping.sizes
    return LeaveOneOut(float(array.mean()), (sums.sum() - sums) / (sizes.sum() - sizes))


def mean_estimate(
    values: FloatArray,
    *,
    units: Keys | None = None,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """Mean of ``values`` (n,), each sample with the same weight, with a unit jackknife interval cut off at ``bounds``.

    For cosines, per-query recalls, accuracies, and differences of two generators on the same units.
    Raises ``ValueError`` for fewer than 8 units.

    Examples:
        Nine values with the sum of squares 8 * 3^2 = 72 have the variance 72 / 8 = 9, so their mean has the
        standard error sqrt(9 / 9).

        >>> import numpy as np
        >>> found = mean_estimate(np.array([3.0, -3.0] * 4 + [0.0]))
        >>> found.value, round(found.standard_error, 9), found.units
        (0.0, 1.0, 9)
    """
    return jackknife_estimate(
        mean_without_units(values, units), samples=len(values), confidence=confidence, bounds=bounds
    )


def _counts_by_unit(truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], units: Units) -> Float64Array:
    classes, codes = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    size = len(classes)
    cells = (units.codes * size + codes[: len(truth)]) * size + codes[len(truth) :]
    return np.bincount(cells, minlength=units.number * size * size).reshape(units.number, size, size).astype(np.float64)


def weighted_f1_without_units(y_true: Keys, y_pred: Keys, units: Keys | None = None) -> LeaveOneOut:
    """Weighted F1 of integer codes (n,), over all samples and without each unit; two units or more.

    Examples:
        Class 0 has F1 2 * 2 / (2 + 3) and weight 2 / 3: 8 / 15. Without one of its images it is 2 / 3 * 1 / 2 = 1 /
        3, and without the image of class 1 nothing is wrong.

        >>> found = weighted_f1_without_units([0, 0, 1], [0, 0, 0])
        >>> round(found.value, 4), found.without.round(4).tolist()
        (0.5333, [0.3333, 0.3333, 1.0])
    """
    truth = as_codes(y_true, "y_true")
    predicted = as_codes(y_pred, "y_pred", len(truth))
    counts = _counts_by_unit(truth, predicted, units_of(units, len(truth)))
    total = counts.sum(0)
    return LeaveOneOut(float(weighted_f1_from_counts(total)), weighted_f1_from_counts(total - counts))


def weighted_f1_estimate(
    y_true: Keys, y_pred: Keys, *, units: Keys | None = None, confidence: float = 0.95
) -> Estimate:
    """Weighted F1 with a unit jackknife interval in 0 to 1. Raises ``ValueError`` for fewer than 8 units.

    Examples:
        Where all answers are right, so are they without any of the units.

        >>> found = weighted_f1_estimate([0, 1] * 4, [0, 1] * 4)
        >>> found.lower, found.value, found.upper
        (1.0, 1.0, 1.0)
    """
    return jackknife_estimate(
        weighted_f1_without_units(y_true, y_pred, units), samples=len(y_true), confidence=confidence, bounds=(0.0, 1.0)
    )
