"""From the estimates of :mod:`unipath_bench.metrics` to the intervals of a run record.

Prompts are the captions of the reference images, so both sets come from the same cases: a **matched** design, in which
a case is left out of both sets at once. The sampling unit is the group (patient, slide) that the suite names, else the
image. Intervals hold for other patients of the same kind and the generator as it is; classifiers, galleries and
thresholds are taken as given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import FeatureSet
from unipath_bench.metrics.estimate import Estimate, Outcome
from unipath_bench.metrics.memorisation import clopper_pearson_lower
from unipath_bench.metrics.unit_uncertainty import MINIMUM_UNITS, LeaveOneOut, jackknife_estimate, mean_without_units
from unipath_bench.schema.record import Interval, IntervalKind
from unipath_bench.scoring.features import codes

Codes = npt.NDArray[np.int64]
FRECHET_METHOD = "grouped jackknife"
KERNEL_METHOD = "unit jackknife of the U-statistic"
UNIT_METHOD = "unit jackknife"
NEIGHBOURS_NOTE = (
    "No interval: none has been shown to cover for nearest-neighbour figures, whose balls change with every sample."
)

_KINDS: dict[Outcome, IntervalKind] = {
    Outcome.TWO_SIDED: "two-sided",
    Outcome.WIDENED: "widened",
    Outcome.AT_ZERO: "at zero",
    Outcome.UPPER_BOUND: "upper bound",
}


class Design(NamedTuple):
    """Units of two sets; equal codes are one unit where ``matched``."""

    reference: Codes
    generated: Codes
    matched: bool


def unit_codes(feature_set: FeatureSet) -> Codes:
    """The sampling unit of each row: its group, or its sample where the suite names no groups."""
    return codes(feature_set.groups or feature_set.ids)[0]


def design(reference: FeatureSet, generated: FeatureSet) -> Design:
    """Matched where both sets come from the same units, as they do where the prompts are the reference's captions."""
    first, second = codes(reference.groups or reference.ids, generated.groups or generated.ids)
    return Design(first, second, not np.setxor1d(first, second).size)


def interval(estimate: Estimate, method: str) -> Interval | str:
    """The interval of an estimate, or why there is none."""
    if estimate.outcome is Outcome.NOT_ESTIMABLE:
        return _sentence("Not estimable", estimate)
    kind = _KINDS[estimate.outcome]
    return Interval(
        kind=kind,
        estimate=estimate.value,
        low=estimate.lower,
        high=estimate.upper,
        level=estimate.confidence,
        units=estimate.units,
        method=method,
        note="" if estimate.reason is None else _sentence(kind.capitalize(), estimate),
    )


def _sentence(what: str, estimate: Estimate) -> str:
    text = f"{what}: {estimate.reason}"
    if estimate.needed_samples is not None:
        text += (
            f"; {estimate.needed_samples:,} images from {estimate.needed_units:,} patients, slides or images would do"
        )
    return text + "."


def too_few_units(units: Codes) -> str:
    """Why a unit jackknife cannot be had of these units; empty where it can."""
    number = len(np.unique(units))
    if number >= MINIMUM_UNITS:
        return ""
    return f"No interval: the images come from {number} patients or slides, and at least {MINIMUM_UNITS} are needed."


def unit_interval(
    figures: LeaveOneOut, units: Codes, bounds: tuple[float, float] | None = None, method: str = UNIT_METHOD
) -> Interval:
    """Interval of a figure from its values without each unit; ``ValueError`` where :func:`too_few_units` speaks."""
    found = interval(jackknife_estimate(figures, samples=len(units), bounds=bounds), method)
    if isinstance(found, str):
        raise ValueError(found)
    return found


def mean_interval(
    values: npt.NDArray[np.float64], units: Codes, bounds: tuple[float, float] | None = None
) -> Interval | str:
    """Interval of the mean of ``values`` (n,), or why there is none."""
    return too_few_units(units) or unit_interval(mean_without_units(values, units), units, bounds)


def share_interval(flags: npt.NDArray[np.bool_], units: Codes) -> Interval | str:
    """Interval of the share of true ``flags`` (n,).

    Where all are alike, the jackknife has no spread to go by; then that of Clopper and Pearson (1934) for as many
    draws as there are units, as if the images of a unit were one.
    """
    if 0 < flags.sum() < len(flags):
        return mean_interval(flags.astype(np.float64), units, (0.0, 1.0))
    number = len(np.unique(units))
    tail = 1 - clopper_pearson_lower(number, number, 0.975)
    low, high = (1 - tail, 1.0) if flags.all() else (0.0, tail)
    return Interval(estimate=float(flags.mean()), low=low, high=high, units=number, method="Clopper-Pearson over units")


def average(figures: Sequence[LeaveOneOut]) -> LeaveOneOut:
    """The mean of figures of the same units."""
    return LeaveOneOut(
        float(np.mean([each.value for each in figures])), np.mean([each.without for each in figures], axis=0)
    )
