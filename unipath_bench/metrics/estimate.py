"""What is known about a quantity after sampling: a value with an interval, a bound, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

AT_ZERO = "the interval holds 0, so the set is not told apart from the real one"


class Outcome(StrEnum):
    """What may be printed."""

    TWO_SIDED = "two-sided"
    """``lower`` to ``upper`` is a two-sided interval."""
    WIDENED = "widened"
    """As two-sided, stretched downwards by the bias that may be left."""
    AT_ZERO = "at zero"
    """Not told apart from zero: only ``upper`` holds, one-sided."""
    UPPER_BOUND = "upper bound"
    """The bias left is of unknown size but upwards: only ``upper`` holds, one-sided."""
    NOT_ESTIMABLE = "not estimable"
    """Too few samples: neither a value nor a bound."""


@dataclass(frozen=True)
class Estimate:
    """A quantity, what the sample says about it, and how far that reaches.

    ``value`` is corrected for bias where the plug-in is biased, and may be negative where the truth is near
    zero; None where it must not be printed (outcomes UPPER_BOUND and NOT_ESTIMABLE). ``plug_in`` is the
    figure that papers quote. ``lower`` and ``upper`` bound the quantity at ``confidence``: together in a
    two-sided interval, ``upper`` alone in a one-sided one. ``samples`` and ``units`` are those of the smaller
    set; ``dimension`` is None where it plays no part. ``reason`` says why there is no two-sided interval;
    ``needed_samples`` and ``needed_units`` what would do.
    """

    outcome: Outcome
    plug_in: float
    value: float | None
    standard_error: float | None
    lower: float | None
    upper: float | None
    confidence: float
    samples: int
    units: int
    dimension: int | None = None
    reason: str | None = None
    needed_samples: int | None = None
    needed_units: int | None = None

    @property
    def two_sided(self) -> bool:
        """Whether ``lower`` to ``upper`` is an interval."""
        return self.outcome in (Outcome.TWO_SIDED, Outcome.WIDENED)


def check_confidence(confidence: float) -> float:
    """A confidence level between 0 and 1.

    Examples:
        >>> check_confidence(0.95)
        0.95
        >>> check_confidence(95)
        Traceback (most recent call last):
        ...
        ValueError: confidence: 95 is not between 0 and 1
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: {confidence} is not between 0 and 1")
    return confidence


def quantile(probability: float, degrees: float | None) -> float:
    """Quantile of Student's t, or of the normal distribution where ``degrees`` is None.

    Examples:
        The normal distribution is symmetric about 0; Student's t of one degree is Cauchy's, with the quantile
        tan(pi / 4).

        >>> quantile(0.5, None)
        0.0
        >>> round(quantile(0.75, 1), 12)
        1.0
    """
    return float(ndtri(probability) if degrees is None else stdtrit(degrees, probability))


def two_sided_p(value: float, standard_error: float, degrees: float) -> float:
    """p-value of the hypothesis that the quantity is zero, by Student's t.

    Examples:
        Student's t of one degree is Cauchy's distribution, half of which lies beyond one standard error.

        >>> round(two_sided_p(1.0, 1.0, 1), 12)
        0.5
    """
    if standard_error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stdtr(degrees, -abs(value / standard_error)))


def interval_above_zero(
    value: float,
    standard_error: float,
    *,
    degrees: float | None,
    confidence: float,
    samples: int,
    units: int,
    non_negative: bool,
) -> Estimate:
    """Two-sided interval of an unbiased estimate.

    For a quantity that is not negative, it is a one-sided bound where the interval would contain 0.

    Examples:
        Half of Cauchy's distribution, Student's t of one degree, lies within one standard error. The interval of
        0.5 would hold 0: of a distance the upper end alone is given.

        >>> design = {"degrees": 1, "confidence": 0.5, "samples": 2, "units": 2, "non_negative": True}
        >>> found = interval_above_zero(10.0, 1.0, **design)
        >>> round(found.lower, 9), round(found.upper, 9)
        (9.0, 11.0)
        >>> interval_above_zero(0.5, 1.0, **design).lower is None
        True
    """
    reach = quantile(0.5 + confidence / 2, degrees) * standard_error
    if non_negative and value - reach <= 0:
        return Estimate(
            Outcome.AT_ZERO,
            value,
            value,
            standard_error,
            None,
            max(0.0, value + quantile(confidence, degrees) * standard_error),
            confidence,
            samples,
            units,
            reason=AT_ZERO,
        )
    return Estimate(
        Outcome.TWO_SIDED, value, value, standard_error, value - reach, value + reach, confidence, samples, units
    )


def holm(p_values: list[float]) -> list[float]:
    """p-values adjusted for their number by Holm's step-down method (1979), in the order given.

    Examples:
        0.01 is multiplied by 3 and 0.03 by 2; 0.04, the largest, may not fall below what came before it.

        >>> [round(p, 12) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return [float(p) for p in adjusted]
