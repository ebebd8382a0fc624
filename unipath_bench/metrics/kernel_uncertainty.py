"""KID and CMMD with an interval, by the jackknife over whole units in closed form.

Both are U-statistics over pairs of different units, and unbiased. Leaving a unit out takes its row sums out
of the kernel's sums, so all leave-one-out values come from one pass over the kernel. With U units on a side
(or U matched units on both)

    V = sum over sides (U - 1) / U sum_u (theta_(-u) - mean)^2

The "standard deviation over subsets" that KID is usually printed with is no standard error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from unipath_bench.metrics._arrays import Features, Float64Array, Keys, as_matrix_pair, unit_rows
from unipath_bench.metrics._kernel_sums import (
    GaussianKernelMinusOne,
    Kernel,
    PolynomialKernel,
    RowSums,
    between_row_sums,
    within_row_sums,
)
from unipath_bench.metrics.estimate import Estimate, check_confidence, interval_above_zero
from unipath_bench.metrics.kernel import CMMD_SCALE
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut
from unipath_bench.metrics.units import Units, matched_units, unit_sums, units_of

MINIMUM_UNITS = 8


class _Side(NamedTuple):
    """Sums and numbers of pairs by unit."""

    sums: Float64Array
    counts: Float64Array


def _by_unit(rows: RowSums, units: Units) -> _Side:
    return _Side(unit_sums(rows.sums, units), unit_sums(rows.counts, units))


def _mean_within(side: _Side) -> tuple[float, Float64Array]:
    """Mean over all pairs of different units, and without each unit in turn."""
    total, pairs = side.sums.sum(), side.counts.sum()
    # A unit's row sums are its pairs as first member; as second member they count once more.
    return float(total / pairs), (total - 2 * side.sums) / (pairs - 2 * side.counts)


class _KernelSums(NamedTuple):
    """The terms of a squared distance over pairs of different units, with what each unit takes out of them."""

    xx: float
    yy: float
    without_xx: Float64Array
    without_yy: Float64Array
    from_x: _Side
    from_y: _Side

    @property
    def _total(self) -> float:
        return float(self.from_x.sums.sum())

    @property
    def _pairs(self) -> float:
        return float(self.from_x.counts.sum())

    @property
    def value(self) -> float:
        return self.xx + self.yy - 2 * self._total / self._pairs

    def without_both(self) -> Float64Array:
        """Of a matched design: without each unit on both sides."""
        sums, counts = self.from_x.sums + self.from_y.sums, self.from_x.counts + self.from_y.counts
        return self.without_xx + self.without_yy - 2 * (self._total - sums) / (self._pairs - counts)

    def without_first(self) -> Float64Array:
        return self.without_xx - 2 * (self._total - self.from_x.sums) / (self._pairs - self.from_x.counts)

    def without_second(self) -> Float64Array:
        return self.without_yy - 2 * (self._total - self.from_y.sums) / (self._pairs - self.from_y.counts)


def _kernel_sums(
    a: torch.Tensor, b: torch.Tensor, kernel: Kernel, first: Units, second: Units, matched: bool
) -> _KernelSums:
    xx, without_xx = _mean_within(_by_unit(within_row_sums(a, kernel, None if first.single else first.codes), first))
    yy, without_yy = _mean_within(_by_unit(within_row_sums(b, kernel, None if second.single else second.codes), second))
    rows, columns = between_row_sums(a, b, kernel, (first.codes, second.codes) if matched else None)
    return _KernelSums(xx, yy, without_xx, without_yy, _by_unit(rows, first), _by_unit(columns, second))


def kernel_distance_without_units(
    real: Features, generated: Features, units_real: Keys, units_generated: Keys
) -> LeaveOneOut:
    """KID (cubic kernel, all pairs of different units) of two matched sets, and the same without each unit in turn.

    ``real`` (n, D), ``generated`` (m, D); equal unit codes are one unit. For differences of two generators.

    Examples:
        In one dimension the kernel is (x y + 1)^3: 1 among zeros, 2^3 among ones, 1 between them. So the distance is
        1 + 8 - 2 * 1, whichever unit is left out.

        >>> import numpy as np
        >>> units = [0, 0, 1, 2]
        >>> found = kernel_distance_without_units(np.zeros((4, 1)), np.ones((4, 1)), units, units)
        >>> found.value, found.without.tolist()
        (7.0, [7.0, 7.0, 7.0])
    """
    a, b = as_matrix_pair(real, generated, ("real", "generated"), minimum_rows=2)
    first, second = matched_units(units_real, units_generated, len(a), len(b))
    sums = _kernel_sums(a, b, PolynomialKernel(3, None, 1.0), first, second, True)
    return LeaveOneOut(sums.value, sums.without_both())


def _mmd_estimate(
    x: Features,
    y: Features,
    kernel: Kernel,
    units_real: Keys | None,
    units_generated: Keys | None,
    matched: bool,
    confidence: float,
    scale: float,
    normalise: bool,
) -> Estimate:
    check_confidence(confidence)
    a, b = as_matrix_pair(x, y, ("real", "generated"), minimum_rows=2)
    if normalise:
        a, b = unit_rows(a, "real"), unit_rows(b, "generated")
    if matched:
        first, second = matched_units(units_real, units_generated, len(a), len(b))
    else:
        first, second = units_of(units_real, len(a), "units_real"), units_of(units_generated, len(b), "units_generated")
    number = min(first.number, second.number)
    if number < MINIMUM_UNITS:
        raise ValueError(f"{number} units are too few for an interval: at least {MINIMUM_UNITS} are needed")
    sums = _kernel_sums(a, b, kernel, first, second, matched)
    variance = (
        _delete_one_variance(sums.without_both())
        if matched
        else _delete_one_variance(sums.without_first()) + _delete_one_variance(sums.without_second())
    )
    return interval_above_zero(
        scale * sums.value,
        scale * float(np.sqrt(variance)),
        degrees=None if first.single and second.single else number - 1,
        confidence=confidence,
        samples=min(len(a), len(b)),
        units=number,
        non_negative=True,
    )


def _delete_one_variance(values: Float64Array) -> float:
    return float((len(values) - 1) / len(values) * ((values - values.mean()) ** 2).sum())


def kernel_distance_estimate(
    real: Features,
    generated: Features,
    *,
    units_real: Keys | None = None,
    units_generated: Keys | None = None,
    matched: bool = False,
    confidence: float = 0.95,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
) -> Estimate:
    """KID (polynomial kernel, all pairs of different units) with a jackknife interval.

    ``real`` (n, D), ``generated`` (m, D); units and ``matched`` as in ``frechet_estimate``. In a matched
    design pairs of the same unit are left out between the sets too: such images are alike for a reason that
    has nothing to do with the generator. Where the interval would hold 0 the outcome is AT_ZERO with a
    one-sided bound. Raises ``ValueError`` for fewer than 8 units.

    Examples:
        In one dimension the kernel is (x y + 1)^3: 1 among zeros, 2^3 among ones, 1 between them. So the distance is
        1 + 8 - 2 * 1; sets without spread leave no doubt.

        >>> import numpy as np
        >>> found = kernel_distance_estimate(np.zeros((8, 1)), np.ones((8, 1)))
        >>> found.value, found.lower, found.upper
        (7.0, 7.0, 7.0)
    """
    kernel = PolynomialKernel(degree, gamma, coef0)
    return _mmd_estimate(real, generated, kernel, units_real, units_generated, matched, confidence, 1.0, False)


def cmmd_estimate(
    real: Features,
    generated: Features,
    *,
    units_real: Keys | None = None,
    units_generated: Keys | None = None,
    matched: bool = False,
    confidence: float = 0.95,
    sigma: float = 10.0,
    scale: float = CMMD_SCALE,
    normalise: bool = True,
) -> Estimate:
    """CMMD with a jackknife interval.

    See :func:`kernel_distance_estimate` and :func:`~unipath_bench.metrics.kernel.cmmd`.

    Examples:
        Unit vectors at right angles have the squared distance 2, so for sigma 1 and scale 1 the distance is
        2 - 2 exp(-1); sets without spread leave no doubt.

        >>> import math
        >>> import numpy as np
        >>> x, y = np.array([[1.0, 0.0]] * 8), np.array([[0.0, 1.0]] * 8)
        >>> found = cmmd_estimate(x, y, sigma=1.0, scale=1.0)
        >>> math.isclose(found.value, 2 - 2 * math.exp(-1)), found.standard_error
        (True, 0.0)
    """
    kernel = GaussianKernelMinusOne(sigma)
    return _mmd_estimate(real, generated, kernel, units_real, units_generated, matched, confidence, scale, normalise)
