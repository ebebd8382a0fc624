"""Differences of one figure between two generators that were asked the same prompts.

A figure is kept as its *contributions*: with the sampling units (patients, slides, images) cut into B blocks, what
each block adds to the deviation of the figure from its expectation. They are those of the jackknife: for a figure
theta and its values theta_(-u) without each unit, c_u = (U - 1) / U (mean - theta_(-u)), summed over the units of a
block. Their sum is zero,
and

    SE^2 = B / (B - 1) sum_b c_b^2

is the jackknife's standard error (exactly, where each unit is a block of its own). Contributions of two generators that
were asked the same prompts subtract block by block, and so does the noise of what they share: the prompts, the patients
and the real set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unipath_bench.metrics._arrays import Float64Array
from unipath_bench.metrics.estimate import check_confidence, quantile, two_sided_p
from unipath_bench.metrics.frechet_uncertainty import REFUSE_ABOVE, WIDEN_ABOVE, WIDEN_BY, Replicates, jackknife
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut

MINIMUM_BLOCKS = 8


class Contributions(NamedTuple):
    """What each block contributes to a figure.

    ``estimate``: the figure, with its bias removed where that is possible; ``residual_bias``: the bias that it may
    still have; ``parts`` (B,): what each block contributes.
    """

    estimate: float
    parts: Float64Array
    residual_bias: float = 0.0


def contributions_of_units(figures: LeaveOneOut, block_of_unit: npt.NDArray[np.int64]) -> Contributions:
    """From a figure without each unit; ``block_of_unit`` (U,) numbers the blocks from 0 to B - 1.

    Examples:
        The mean of 1, 2 and 3 is 2.5, 2 and 1.5 without each. The contributions are 2 / 3 of what those lack to 2, and
        B / (B - 1) times the sum of their squares is s^2 / n = 1 / 3.

        >>> import numpy as np
        >>> found = contributions_of_units(LeaveOneOut(2.0, np.array([2.5, 2.0, 1.5])), np.arange(3))
        >>> found.parts.round(4).tolist(), round(1.5 * float((found.parts**2).sum()), 4)
        ([-0.3333, 0.0, 0.3333], 0.3333)
    """
    number = len(figures.without)
    each = (number - 1) / number * (figures.without.mean() - figures.without)
    return Contributions(figures.value, np.bincount(block_of_unit, weights=each).astype(np.float64))


def contributions_of_replicates(replicates: Replicates) -> Contributions:
    """Contributions to a Frechet distance, from its values without each block.

    The estimate is the jackknife's J, and the standard error that of Busing, Meijer and van der Leeden (1999); see
    :mod:`unipath_bench.metrics.frechet_uncertainty`.

    Examples:
        For blocks of equal size the contributions are those of the jackknife: of the mean of 1, 2 and 3, a third of
        what each lies above it.

        >>> import numpy as np
        >>> replicates = Replicates(plug_in=2.0, without=np.array([2.5, 2.0, 1.5]), halves=2.0, h=np.full(3, 3.0))
        >>> found = contributions_of_replicates(replicates)
        >>> round(found.estimate, 12), found.parts.round(4).tolist()
        (2.0, [-0.3333, 0.0, 0.3333])
    """
    found = jackknife(*replicates)
    blocks, h = found.blocks, replicates.h
    pseudo = h * replicates.plug_in - (h - 1) * replicates.without
    parts = (pseudo - found.value) * np.sqrt((blocks - 1) / (h - 1)) / blocks
    return Contributions(found.value, parts, found.residual_bias)


@dataclass(frozen=True)
class PairedDifference:
    """Figure of ``first`` minus that of ``second``.

    ``lower`` and ``upper`` are None where ``residual_bias``, the bias that the difference may still have, exceeds three
    standard errors, as ``reason`` says; above half a standard error it stretches the interval and weakens the test by
    three times itself. ``degrees`` are those of Student's t.
    """

    value: float
    standard_error: float
    residual_bias: float
    degrees: int
    confidence: float
    lower: float | None
    upper: float | None
    p_value: float
    """Two-sided, of no difference; 1 where refused."""
    reason: str | None = None

    def p_above(self, limit: float) -> float:
        """One-sided p-value of the hypothesis that the difference is at most ``limit``; 1 where refused."""
        if self.lower is None:
            return 1.0
        distance = self.value - max(0.0, _stretch(self.residual_bias, self.standard_error)) - limit
        p_value = two_sided_p(distance, self.standard_error, self.degrees) / 2
        return p_value if distance > 0 else 1 - p_value

    def lower_limit(self, significance: float) -> float | None:
        """The one-sided limit that the difference exceeds with confidence 1 - ``significance``; None where refused."""
        if self.lower is None:
            return None
        reach = quantile(1 - significance, self.degrees) * self.standard_error
        return self.value - max(0.0, _stretch(self.residual_bias, self.standard_error)) - reach


def paired_difference(first: Contributions, second: Contributions, confidence: float = 0.95) -> PairedDifference:
    """Difference of a figure between two generators, cut into the same blocks.

    Raises ``ValueError`` for contributions of different lengths, and of fewer than 8 blocks.

    Examples:
        What two generators have in common cancels: equal contributions leave a difference without error.

        >>> import numpy as np
        >>> parts = np.array([1.0, -1.0] * 4)
        >>> found = paired_difference(Contributions(5.0, parts), Contributions(3.0, parts))
        >>> found.lower, found.value, found.upper
        (2.0, 2.0, 2.0)
    """
    check_confidence(confidence)
    blocks = len(first.parts)
    if len(second.parts) != blocks:
        raise ValueError(f"first has {blocks} blocks, second has {len(second.parts)}")
    if blocks < MINIMUM_BLOCKS:
        raise ValueError(f"{blocks} blocks are too few for an interval: at least {MINIMUM_BLOCKS} are needed")
    parts = first.parts - second.parts
    error = math.sqrt(blocks / (blocks - 1) * float((parts**2).sum()))
    return judge_difference(
        first.estimate - second.estimate, error, first.residual_bias - second.residual_bias, blocks - 1, confidence
    )


def judge_difference(
    value: float, error: float, residual_bias: float, degrees: int, confidence: float = 0.95
) -> PairedDifference:
    """What may be said of a difference with this standard error and residual bias.

    Examples:
        Student's t of one degree is Cauchy's distribution, half of which lies within one standard error; a
        residual bias above three of them is refused.

        >>> found = judge_difference(10.0, error=1.0, residual_bias=0.0, degrees=1, confidence=0.5)
        >>> round(found.lower, 9), round(found.upper, 9)
        (9.0, 11.0)
        >>> judge_difference(10.0, error=1.0, residual_bias=4.0, degrees=1).reason
        'the residual bias, 4, is more than 3 standard errors of 1'
    """
    if abs(residual_bias) > REFUSE_ABOVE * error:
        reason = f"the residual bias, {residual_bias:.3g}, is more than {REFUSE_ABOVE:g} standard errors of {error:.3g}"
        return PairedDifference(value, error, residual_bias, degrees, confidence, None, None, 1.0, reason)
    # The bias left in the estimate is about residual_bias: the truth lies near the estimate less that.
    stretch = _stretch(residual_bias, error)
    reach = quantile(0.5 + confidence / 2, degrees) * error
    doubt = max(0.0, stretch) if value > 0 else max(0.0, -stretch)
    p_value = two_sided_p(max(0.0, abs(value) - doubt), error, degrees)
    note = None if stretch == 0 else f"stretched by {WIDEN_BY:g} times the residual bias, {residual_bias:.3g}"
    lower, upper = value - reach - max(0.0, stretch), value + reach - min(0.0, stretch)
    return PairedDifference(value, error, residual_bias, degrees, confidence, lower, upper, p_value, note)


def smallest_change(error: float, degrees: int, significance: float, power: float, margin: float = 0.0) -> float:
    """The change that a one-sided test finds with probability ``power``.

    The test finds a change where the estimate exceeds both ``margin`` and t(1 - ``significance``) standard errors; the
    approximation is the usual one, that the estimate scatters by t(``power``) standard errors.

    Examples:
        The quantile at 3 / 4 of Student's t of one degree is tan(pi / 4) = 1: one standard error to be significant,
        and one more to be so three times of four.

        >>> round(smallest_change(1.0, degrees=1, significance=0.25, power=0.75), 9)
        2.0
    """
    critical = quantile(1 - significance, degrees) * error
    return max(critical, margin) + quantile(power, degrees) * error


def _stretch(residual_bias: float, error: float) -> float:
    return WIDEN_BY * residual_bias if abs(residual_bias) > WIDEN_ABOVE * error else 0.0
