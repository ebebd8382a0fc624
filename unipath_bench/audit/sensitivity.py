"""What a curve of values over the levels of a defect says: is it monotone, from which level is it seen, is it right?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from unipath_bench.audit.expectations import Expectation
from unipath_bench.audit.halves import standard_error
from unipath_bench.metrics.estimate import two_sided_p

ALPHA = 0.05
"""Chance of calling any level of a curve seen where the defect changes nothing."""

ROUNDING = 1e-12
"""A difference from level 0 that is no larger is the rounding of floating point."""

MONOTONE = 0.9
"""Smallest Spearman correlation of level and value that counts as monotone."""

Verdict = Literal["responds", "blind", "still", "moves", "unsettled", "open"]
"""``responds``: for the defect, and answers to it. ``blind``: for the defect, and does not: the reason says how.
``still``: had to stay still and did. ``moves``: had to stay still and moved, for the wrong reason. ``unsettled``: this
n cannot tell. ``open``: nothing was asked of it."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A value over the levels of a defect, 0 first, on all prompts and on balanced halves of them.

    ``worse`` is +1 where higher values are worse, -1 where lower ones are. ``first`` and ``second`` hold, for each cut,
    the values over the levels on its two halves; empty where no halves could be had.
    """

    levels: tuple[float, ...]
    values: tuple[float, ...]
    worse: int
    first: tuple[tuple[float, ...], ...] = ()
    second: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What a curve says."""

    spearman: float | None
    """Rank correlation of level and badness, -1 to 1; None where the value does not change at all."""
    spearman_low: float | None
    spearman_high: float | None
    """Least and greatest of the same over the half-samples: each has half of the patients, so this is wider than an
    interval at full n would be."""
    standard_errors: tuple[float | None, ...]
    """Of the difference from level 0, for each level above 0."""
    p_values: tuple[float | None, ...]
    """Of no difference from level 0 (t test)."""
    seen_from: float | None
    """The smallest level that is seen: it and all above differ from level 0, in one direction (:func:`seen`)."""
    direction: Literal["worse", "better", "none"]
    """Where the value goes at the levels that are seen."""


def analyse(curve: Curve) -> Sensitivity:
    """Spearman correlation, tests against level 0 and the smallest level that is seen."""
    badness = [curve.worse * value for value in curve.values]
    halves = [h for h in (*curve.first, *curve.second) if all(map(math.isfinite, h))]
    over_halves = [r for h in halves if (r := spearman(curve.levels, [curve.worse * v for v in h])) is not None]
    errors, p_values = [], []
    for k in range(1, len(curve.levels)):
        error = _error(curve, k)
        errors.append(error)
        difference = _difference(curve, k)
        p_values.append(None if error is None else two_sided_p(difference, error, len(curve.first)))
    gaps = [_difference(curve, k) for k in range(1, len(curve.levels))]
    level, direction = seen(curve.levels[1:], [curve.worse * gap for gap in gaps], p_values)
    correlation = spearman(curve.levels, badness) if any(gaps) else None
    return Sensitivity(
        spearman=correlation,
        spearman_low=None if correlation is None else min(over_halves, default=None),
        spearman_high=None if correlation is None else max(over_halves, default=None),
        standard_errors=tuple(errors),
        p_values=tuple(p_values),
        seen_from=level,
        direction=direction,
    )


def spearman(levels: Sequence[float], values: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None where all values are equal."""
    if len(set(values)) < 2:
        return None
    return float(np.corrcoef(rankdata(levels), rankdata(values))[0, 1])


def seen(
    levels: Sequence[float], differences: Sequence[float], p_values: Sequence[float | None]
) -> tuple[float | None, Literal["worse", "better", "none"]]:
    """The smallest level that is seen, and which way.

    Levels are tested from the most severe downwards, each at :data:`ALPHA`, and testing stops at the first that is not
    significant or goes the other way: in a fixed order no correction for their number is needed (Maurer, Hothorn and
    Lehmacher 1995; Westfall and Krishen, J. Stat. Plan. Inference 2001;99:25).
    """
    found: float | None = None
    sign = math.copysign(1, differences[-1]) if differences[-1] else 0
    for level, difference, p in zip(reversed(levels), reversed(differences), reversed(p_values), strict=True):
        if p is None or p > ALPHA or difference * sign <= 0:
            break
        found = level
    if found is None:
        return None, "none"
    return found, "worse" if sign > 0 else "better"


def judge(curve: Curve, found: Sensitivity, expectation: Expectation, span: float | None) -> tuple[Verdict, str]:
    """The verdict on a curve, and the reason for it in words.

    ``span`` is the distance from the honest value to the bad end, in the value's unit.
    """
    if expectation.kind == "open":
        return "open", expectation.reason
    if expectation.kind == "worse":
        return _responds(curve, found)
    return _still(curve, found, expectation, span)


def _responds(curve: Curve, found: Sensitivity) -> tuple[Verdict, str]:
    if found.spearman is None:
        return "blind", "does not change at all"
    if found.p_values[-1] is None:
        return "unsettled", "not tested: it cannot be computed on half of the patients"
    if found.direction == "better":
        return "blind", "moves the wrong way: the defect improves it"
    if found.direction == "none":
        return "blind", "no difference from level 0 that this n can see, at the most severe level either"
    if found.spearman < MONOTONE - ROUNDING:
        steps = np.diff([curve.worse * value for value in curve.values])
        why = "monotone, but alike at several levels" if (steps >= 0).all() else "not monotone"
        return "blind", f"{why} (Spearman {found.spearman:.2f})"
    return "responds", ""


def _still(curve: Curve, found: Sensitivity, expectation: Expectation, span: float | None) -> tuple[Verdict, str]:
    up_to = math.inf if expectation.up_to is None else expectation.up_to
    within = [k for k in range(1, len(curve.levels)) if curve.levels[k] <= up_to]
    if not within:
        return "open", f"no level up to {up_to:g} was audited"
    changes = {k: abs(_difference(curve, k)) for k in within}
    allowed = expectation.bound * span if span is not None else 0.0
    beyond = [k for k in within if changes[k] > allowed]
    if not beyond:
        return "still", "exactly" if max(changes.values()) == 0 else "within the bound"
    worst = max(beyond, key=lambda k: changes[k])
    part = f"{changes[worst] / span:.0%} of its range" if span else f"{changes[worst]:.3g}"
    if any((p := found.p_values[k - 1]) is not None and p <= ALPHA for k in beyond):
        return "moves", f"changes by {part} at level {curve.levels[worst]:g}, where {expectation.bound:.0%} is allowed"
    return "unsettled", f"changes by {part} at level {curve.levels[worst]:g}, which chance allows at this n"


def _difference(curve: Curve, k: int) -> float:
    """From level 0; what is no more than rounding is nought."""
    difference = curve.values[k] - curve.values[0]
    return difference if abs(difference) > ROUNDING else 0.0


def _error(curve: Curve, k: int) -> float | None:
    first = [half[k] - half[0] for half in curve.first]
    second = [half[k] - half[0] for half in curve.second]
    if not first or not all(map(math.isfinite, (*first, *second))):
        return None
    return standard_error(first, second)
