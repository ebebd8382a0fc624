"""The test behind the gate, on numbers alone: one-sided paired tests of a family of values, by Holm's method.

A value has regressed where its difference to the baseline (positive is worse) is significant, with the probability of
any false alarm among all values held at ``alpha`` by Holm's step-down method (1979), and the difference is larger than
the value's margin. The margin takes nothing from the significance: without it the probability holds as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unipath_bench.metrics.estimate import holm
from unipath_bench.metrics.paired import Contributions, PairedDifference, paired_difference, smallest_change

ALPHA = 0.05
"""Probability of one false alarm or more in a run that is no worse."""

POWERS = (0.8, 0.9)


@dataclass(frozen=True, slots=True)
class Tested:
    """One value of the family."""

    difference: PairedDifference
    """Positive is worse."""
    margin: float
    adjusted_p: float
    """Of being no worse, by Holm."""
    at_least: float | None
    """It is worse by at least this: the one-sided limit at 1 - alpha / number of values. None where the residual bias
    allows none."""
    regressed: bool
    smallest: tuple[float, ...] | None
    """The changes that are found with the probabilities of :data:`POWERS` at this n; None where no patient differs, so
    that nothing is known of the spread."""


def worse_by(run: Contributions, baseline: Contributions, direction: str) -> PairedDifference:
    """How much worse a run's value is than the baseline's; ``direction`` is which way is better."""
    return paired_difference(run, baseline) if direction == "lower" else paired_difference(baseline, run)


def find_regressions(
    differences: Sequence[PairedDifference], margins: Sequence[float], alpha: float = ALPHA
) -> list[Tested]:
    """Test every value of the family; ``margins`` (not negative) are in the units of the values."""
    adjusted = holm([difference.p_above(0.0) for difference in differences])
    level = alpha / max(1, len(differences))
    tested = []
    for difference, margin, p_value in zip(differences, margins, adjusted, strict=True):
        error, degrees = difference.standard_error, difference.degrees
        limit = difference.lower_limit(level)
        tested.append(
            Tested(
                difference=difference,
                margin=margin,
                adjusted_p=p_value,
                at_least=limit,
                regressed=p_value < alpha and difference.value > margin,
                smallest=(
                    tuple(smallest_change(error, degrees, level, power, margin) for power in POWERS) if error else None
                ),
            )
        )
    return tested
