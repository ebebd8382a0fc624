"""Frechet distance with its bias removed and an interval, by a grouped jackknife; and differences of two generators.

The plug-in distance is biased upwards by about a / n, and resampling with replacement makes that worse. Here
G blocks of whole units are deleted in turn, from both sets at once. With F the plug-in, F_(-j) without block
j, and h_j one over the block's share (the delete-a-group jackknife with unequal groups of Busing, Meijer and
van der Leeden 1999):

    J = G F - sum_j (1 - 1 / h_j) F_(-j)
    tau_j = h_j F - (h_j - 1) F_(-j)
    SE^2 = (1 / G) sum_j (tau_j - J)^2 / (h_j - 1)

and the interval is J +- t(G - 1) SE. J removes the bias of order 1 / n only. What is left shows in delta = (2
F - mean F over halves) - J, with halves made of whole blocks; where it matters the interval is widened or
refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from unipath_bench.metrics._arrays import BoolArray, Features, Float64Array, Keys, as_matrix_pair, check_count
from unipath_bench.metrics._linalg import add_gram, empty_gram
from unipath_bench.metrics.estimate import AT_ZERO, Estimate, Outcome, check_confidence, quantile
from unipath_bench.metrics.frechet import distance_of_moments, frechet_distance
from unipath_bench.metrics.units import Units, assign_blocks, design_limit, matched_units, units_of

BLOCKS = 20
MINIMUM_BLOCKS = 8
HALVES = 10
DIMENSION_SHARE = 0.9
WIDEN_ABOVE = 0.5
REFUSE_ABOVE = 3.0
WIDEN_BY = 3.0


class _Moments(NamedTuple):
    """Count, sum of rows about a common shift, and upper triangle of the sum of their outer products."""

    rows: int
    total: torch.Tensor
    products: torch.Tensor

    def minus(self, other: _Moments) -> _Moments:
        return _Moments(self.rows - other.rows, self.total - other.total, self.products - other.products)

    def plus(self, other: _Moments) -> _Moments:
        return _Moments(self.rows + other.rows, self.total + other.total, self.products + other.products)

    def covariance(self) -> torch.Tensor:
        upper = torch.addr(self.products, self.total, self.total, alpha=-1.0 / self.rows)
        return upper.div_(self.rows - 1)

    def mean(self) -> torch.Tensor:
        return self.total / self.rows


class BlockedSet:
    """One set cut into blocks, with the moments of each about the mean of the whole."""

    def __init__(self, rows: torch.Tensor, block_of_row: npt.NDArray[np.int64], blocks: int) -> None:
        labels = torch.from_numpy(block_of_row).to(rows.device)
        self.counts = np.bincount(block_of_row, minlength=blocks)
        shift = self.shift = rows.double().mean(0)
        self.moments = []
        for block in range(blocks):
            part = rows[labels == block].double() - shift
            gram = empty_gram(rows.shape[1], rows.device)
            add_gram(gram, part)
            self.moments.append(_Moments(len(part), part.sum(0), gram))
        self.all = self.sum_of(np.ones(blocks, bool))

    def sum_of(self, chosen: BoolArray) -> _Moments:
        """Return the moments of the chosen blocks together; ``chosen`` is boolean, (blocks,), true at least once."""
        parts = [moment for moment, use in zip(self.moments, chosen, strict=True) if use]
        total = parts[0]
        for part in parts[1:]:
            total = total.plus(part)
        return total


def _distance(a: _Moments, b: _Moments, offset: torch.Tensor) -> float:
    """F of two sets whose sums are taken about points that lie ``offset`` apart."""
    return distance_of_moments(a.covariance(), b.covariance(), (a.mean() - b.mean()) + offset)


class Replicates(NamedTuple):
    """Plug-in, leave-one-block-out values (G,), mean over half samples, and h (G,)."""

    plug_in: float
    without: Float64Array
    halves: float
    h: Float64Array


def _half_choices(blocks: int, seed: int) -> list[BoolArray]:
    """Complementary halves of the blocks, in random pairs."""
    rng = np.random.default_rng([seed, 1])
    choices = []
    for _ in range(HALVES // 2):
        chosen = np.zeros(blocks, bool)
        chosen[rng.permutation(blocks)[: blocks // 2]] = True
        choices += [chosen, ~chosen]
    return choices


def replicate(a: BlockedSet, b: BlockedSet, seed: int) -> Replicates:
    """All values of F that the jackknife needs: 1 + G + 10 distances.

    Examples:
        Sets without spread, 3 apart, have the distance 3^2 whichever block is left out.

        >>> import numpy as np
        >>> import torch
        >>> blocks = np.arange(8) % 4
        >>> a = BlockedSet(torch.zeros(8, 1), blocks, 4)
        >>> b = BlockedSet(torch.full((8, 1), 3.0), blocks, 4)
        >>> found = replicate(a, b, seed=0)
        >>> found.plug_in, found.without.tolist(), found.halves, found.h.tolist()
        (9.0, [9.0, 9.0, 9.0, 9.0], 9.0, [4.0, 4.0, 4.0, 4.0])
    """
    blocks = len(a.moments)
    offset = a.shift - b.shift
    shares = (a.counts / a.counts.sum() + b.counts / b.counts.sum()) / 2
    without = [_distance(a.all.minus(a.moments[j]), b.all.minus(b.moments[j]), offset) for j in range(blocks)]
    halves = [_distance(a.sum_of(chosen), b.sum_of(chosen), offset) for chosen in _half_choices(blocks, seed)]
    return Replicates(_distance(a.all, b.all, offset), np.array(without), float(np.mean(halves)), 1.0 / shares)


@dataclass(frozen=True)
class Jackknife:
    """Result of the jackknife over G = ``blocks`` blocks.

    ``value`` is J, with its ``standard_error``; ``residual_bias`` is delta, an estimate of the bias that J still has.
    """

    value: float
    standard_error: float
    residual_bias: float
    blocks: int


def jackknife(plug_in: float, without: Float64Array, halves: float, h: Float64Array) -> Jackknife:
    """Return J, its standard error and the residual bias, from the values of the replicates.

    The formulas are those of the module.

    Examples:
        The jackknife of a mean is that mean, with the error s / sqrt n: of 1, 2 and 3, the root of 1 / 3.

        >>> import numpy as np
        >>> found = jackknife(2.0, without=np.array([2.5, 2.0, 1.5]), halves=2.0, h=np.full(3, 3.0))
        >>> round(found.value, 12), round(found.standard_error**2, 4)
        (2.0, 0.3333)
    """
    blocks = len(without)
    value = blocks * plug_in - float(((1 - 1 / h) * without).sum())
    pseudo = h * plug_in - (h - 1) * without
    error = math.sqrt(float(((pseudo - value) ** 2 / (h - 1)).mean()))
    return Jackknife(value, error, (2 * plug_in - halves) - value, blocks)


class Design(NamedTuple):
    """Units of both sets and the block of each row."""

    first: Units
    second: Units
    first_blocks: npt.NDArray[np.int64]
    second_blocks: npt.NDArray[np.int64]
    blocks: int


def block_design(
    n: int, m: int, units_real: Keys | None, units_generated: Keys | None, matched: bool, blocks: int, seed: int
) -> Design:
    """Assign the units of ``n`` real and ``m`` generated rows to at most ``blocks`` blocks of nearly equal size.

    There are never more blocks than units. ``matched``: unit codes mean the same in both sets, and a unit is in the
    same block in both; else each set is assigned by itself. Raises ``ValueError`` where ``blocks`` is below
    :data:`MINIMUM_BLOCKS`.

    Examples:
        Eight matched samples without codes make eight blocks at most, and each is in the same one in both sets.

        >>> design = block_design(8, 8, None, None, matched=True, blocks=20, seed=0)
        >>> design.blocks, sorted(design.first_blocks.tolist())
        (8, [0, 1, 2, 3, 4, 5, 6, 7])
        >>> design.first_blocks.tolist() == design.second_blocks.tolist()
        True
    """
    check_count(blocks, "blocks", minimum=MINIMUM_BLOCKS)
    if matched:
        first, second = matched_units(units_real, units_generated, n, m)
        blocks = min(blocks, first.number)
        of_unit = assign_blocks(first.sizes + second.sizes, blocks, seed)
        return Design(first, second, of_unit[first.codes], of_unit[second.codes], blocks)
    first = units_of(units_real, n, "units_real")
    second = units_of(units_generated, m, "units_generated")
    blocks = min(blocks, first.number, second.number)
    return Design(
        first,
        second,
        assign_blocks(first.sizes, blocks, seed)[first.codes],
        assign_blocks(second.sizes, blocks, seed + 1)[second.codes],
        blocks,
    )


def needed_for(dimension: int, samples: int, units: int) -> tuple[int, int]:
    """Return the samples and units that a two-sided interval in ``dimension`` dimensions asks for.

    The present number of samples per unit is assumed.

    Examples:
        Four samples and two units a dimension; with five samples a unit, the units ask for more samples.

        >>> needed_for(100, samples=200, units=200)
        (400, 200)
        >>> needed_for(100, samples=200, units=40)
        (1000, 200)
    """
    needed_units = max(2 * dimension, MINIMUM_BLOCKS)
    return max(4 * dimension, math.ceil(needed_units * samples / units)), needed_units


def too_few(dimension: int, samples: int, units: int, blocks: int) -> str | None:
    """Why not even a bound can be had.

    Examples:
        >>> too_few(2, samples=100, units=4, blocks=4)
        '4 units are too few to delete in turn: at least 8 are needed'
        >>> too_few(2, samples=100, units=100, blocks=20) is None
        True
    """
    if blocks < MINIMUM_BLOCKS:
        return f"{units} units are too few to delete in turn: at least {MINIMUM_BLOCKS} are needed"
    limit = DIMENSION_SHARE * samples * (1 - 1 / blocks)
    if dimension > limit:
        return (
            f"{dimension} dimensions are too many for {samples} samples: above {limit:.0f} the bias cannot be estimated"
        )
    return None


def frechet_estimate(
    real: Features,
    generated: Features,
    *,
    units_real: Keys | None = None,
    units_generated: Keys | None = None,
    matched: bool = False,
    confidence: float = 0.95,
    blocks: int = BLOCKS,
    seed: int = 0,
) -> Estimate:
    """Frechet distance of the populations behind two samples, with an interval or the reason why there is none.

    ``real`` (n, D) and ``generated`` (m, D) floating. ``units_*``: integer code of each sample's sampling
    unit (patient, slide); None makes each sample a unit. ``matched``: the sets were made from the same units
    (captions of the test images), unit codes mean the same in both, and a unit is deleted from both at once;
    without codes, row i belongs to row i. ``seed`` puts units into blocks.

    Outcomes: NOT_ESTIMABLE above 0.9 min(n, m) (1 - 1 / G) dimensions or below 8 units; UPPER_BOUND above
    min(n / 4, units / 2) dimensions or where the bias left exceeds three standard errors; AT_ZERO where the
    lower limit is not above 0; WIDENED by three times the bias left where that exceeds half a standard error;
    else TWO_SIDED. The covariances of 20 blocks are held: 20 D^2 numbers per set.

    Examples:
        0 and 2 have mean 1 and variance 2, 3 and 7 have 5 and 8, so the plug-in figure is 4^2 + (sqrt 8 - sqrt
        2)^2; but nothing can be left out of two samples in turn.

        >>> import numpy as np
        >>> found = frechet_estimate(np.array([[0.0], [2.0]]), np.array([[3.0], [7.0]]))
        >>> round(found.plug_in, 9), found.value, str(found.outcome)
        (18.0, None, 'not estimable')
        >>> found.reason
        '2 units are too few to delete in turn: at least 8 are needed'
    """
    check_confidence(confidence)
    a, b = as_matrix_pair(real, generated, ("real", "generated"), minimum_rows=2)
    design = block_design(len(a), len(b), units_real, units_generated, matched, blocks, seed)
    samples, units, dimension = min(len(a), len(b)), min(design.first.number, design.second.number), a.shape[1]
    needed_samples, needed_units = needed_for(dimension, samples, units)
    reason = too_few(dimension, samples, units, design.blocks)
    if reason is not None:
        return Estimate(
            Outcome.NOT_ESTIMABLE,
            frechet_distance(a, b),
            None,
            None,
            None,
            None,
            confidence,
            samples,
            units,
            dimension,
            reason,
            needed_samples,
            needed_units,
        )
    replicates = replicate(
        BlockedSet(a, design.first_blocks, design.blocks), BlockedSet(b, design.second_blocks, design.blocks), seed
    )
    result = jackknife(*replicates)
    return judge(result, replicates.plug_in, confidence, samples, units, dimension)


def judge(result: Jackknife, plug_in: float, confidence: float, samples: int, units: int, dimension: int) -> Estimate:
    """What of a jackknife may be printed.

    Examples:
        Student's t of one degree, which two blocks leave, is Cauchy's distribution: half of it lies within one standard
        error. A residual bias of more than three of them is refused.

        >>> design = {"confidence": 0.5, "samples": 100, "units": 100, "dimension": 2}
        >>> found = judge(Jackknife(10.0, standard_error=1.0, residual_bias=0.0, blocks=2), plug_in=11.0, **design)
        >>> round(found.lower, 9), round(found.upper, 9)
        (9.0, 11.0)
        >>> refused = judge(Jackknife(10.0, standard_error=1.0, residual_bias=4.0, blocks=2), plug_in=11.0, **design)
        >>> str(refused.outcome), refused.value, refused.lower
        ('upper bound', None, None)
    """
    value, error, residual_bias = result.value, result.standard_error, result.residual_bias
    degrees = result.blocks - 1
    reach = quantile(0.5 + confidence / 2, degrees) * error
    upper_bound = max(0.0, value + quantile(confidence, degrees) * error)
    needed_samples, needed_units = needed_for(dimension, samples, units)

    def estimate(
        outcome: Outcome,
        kept: float | None,
        lower: float | None,
        upper: float,
        reason: str | None = None,
        needed: bool = False,
    ) -> Estimate:
        return Estimate(
            outcome,
            plug_in,
            kept,
            error,
            lower,
            upper,
            confidence,
            samples,
            units,
            dimension,
            reason,
            needed_samples if needed else None,
            needed_units if needed else None,
        )

    if dimension > design_limit(samples, units):
        reason = (
            f"{dimension} dimensions are more than {samples} samples in {units} units allow "
            f"({design_limit(samples, units)}): what is left of the bias is upwards"
        )
        return estimate(Outcome.UPPER_BOUND, None, None, upper_bound, reason, needed=True)
    if residual_bias > REFUSE_ABOVE * error:
        reason = f"the residual bias, {residual_bias:.3g}, is more than {REFUSE_ABOVE:g} standard errors of {error:.3g}"
        return estimate(Outcome.UPPER_BOUND, None, None, upper_bound, reason)
    widened = residual_bias > WIDEN_ABOVE * error
    lower = value - reach - (WIDEN_BY * residual_bias if widened else 0.0)
    if lower <= 0:
        return estimate(
            Outcome.AT_ZERO,
            value,
            None,
            upper_bound,
            AT_ZERO,
        )
    if widened:
        reason = f"stretched downwards by {WIDEN_BY:g} times the residual bias, {residual_bias:.3g}"
        return estimate(Outcome.WIDENED, value, lower, value + reach, reason)
    return estimate(Outcome.TWO_SIDED, value, lower, value + reach)
