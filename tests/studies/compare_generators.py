"""Which of several generators is nearer to the real set, and which cannot be told apart.

Plug-in Frechet distances must not rank generators: their bias depends on each generator's spread. All
generators and the real set are cut into the same blocks, and the jackknife J is taken of the difference of
two distances, in which the noise of the shared real set (and, in a matched design, of the shared units)
cancels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from unipath_bench.metrics._arrays import Features, Keys, as_matrix_pair
from unipath_bench.metrics.estimate import check_confidence, holm
from unipath_bench.metrics.frechet_uncertainty import (
    BLOCKS,
    BlockedSet,
    Replicates,
    block_design,
    jackknife,
    replicate,
    too_few,
)
from unipath_bench.metrics.paired import judge_difference
from unipath_bench.metrics.units import design_limit


@dataclass(frozen=True)
class Difference:
    """Frechet distance of ``first`` minus that of ``second``, both to the real set: below 0 where ``first`` is nearer.

    ``value``, ``standard_error``, ``lower`` and ``upper`` are None where the difference is not estimable, for
    the ``reason`` given. ``p_value`` is that of no difference, ``adjusted_p_value`` the same after Holm's
    correction for the number of pairs compared. The interval is for this pair alone.
    """

    first: str
    second: str
    value: float | None
    standard_error: float | None
    lower: float | None
    upper: float | None
    p_value: float
    adjusted_p_value: float
    reason: str | None = None


@dataclass(frozen=True)
class Comparison:
    """All pairs of generators, and their ranks from 1.

    A rank is one more than the number of generators that are nearer beyond doubt. ``ranks`` is None where the sample
    does not allow any ranking. Generators that cannot be told apart share a rank unless a third tells them apart.
    """

    differences: tuple[Difference, ...]
    ranks: dict[str, int] | None
    confidence: float
    reason: str | None = None


def compare_generators(
    real: Features,
    generated: Mapping[str, Features],
    *,
    units_real: Keys | None = None,
    units_generated: Mapping[str, Keys] | None = None,
    matched: bool = False,
    confidence: float = 0.95,
    blocks: int = BLOCKS,
    seed: int = 0,
) -> Comparison:
    """Frechet distances of two or more generators to one real set, compared pair by pair.

    ``real`` (n, D); ``generated``: name to (m, D) features. ``units_real``, ``units_generated`` and
    ``matched`` as in :func:`~unipath_bench.metrics.frechet_uncertainty.frechet_estimate`; in a matched design
    all generators share the units of the real set. Differences are refused above min(n / 4, units / 2)
    dimensions, and where the residual bias exceeds three standard errors; above half a standard error it
    widens the interval and weakens the test by three times itself.
    Raises ``ValueError`` for fewer than two generators, and as ``frechet_estimate`` does.
    """
    check_confidence(confidence)
    if len(generated) < 2:
        raise ValueError(f"generated: {len(generated)} generators, but a comparison needs 2")
    if units_generated is not None and set(units_generated) != set(generated):
        raise ValueError("units_generated: the generators named are not those of generated")
    replicates: dict[str, Replicates] = {}
    limits = []
    dimension = 0
    for name, features in generated.items():
        a, b = as_matrix_pair(real, features, ("real", name), minimum_rows=2)
        units = None if units_generated is None else units_generated[name]
        design = block_design(len(a), len(b), units_real, units, matched, blocks, seed)
        dimension = a.shape[1]
        samples, number = min(len(a), len(b)), min(design.first.number, design.second.number)
        limits.append(design_limit(samples, number))
        reason = too_few(dimension, samples, number, design.blocks)
        if reason is None and dimension > limits[-1]:
            reason = f"{dimension} dimensions are more than {samples} samples in {number} units allow ({limits[-1]})"
        if reason is not None:
            return _refused(list(generated), confidence, f"{name}: {reason}")
        replicates[name] = replicate(
            BlockedSet(a, design.first_blocks, design.blocks), BlockedSet(b, design.second_blocks, design.blocks), seed
        )
    if len({len(each.without) for each in replicates.values()}) > 1:
        return _refused(
            list(generated), confidence, "generators of different numbers of units, too few for equal blocks"
        )
    pairs = [_difference(a, b, replicates[a], replicates[b], confidence) for a, b in combinations(generated, 2)]
    adjusted = holm([pair.p_value for pair in pairs])
    pairs = [Difference(**{**vars(pair), "adjusted_p_value": p}) for pair, p in zip(pairs, adjusted, strict=True)]
    better = dict.fromkeys(generated, 0)
    for pair in pairs:
        if pair.value is not None and pair.adjusted_p_value < 1 - confidence:
            better[pair.second if pair.value < 0 else pair.first] += 1
    return Comparison(tuple(pairs), {name: 1 + count for name, count in better.items()}, confidence)


def _difference(first: str, second: str, a: Replicates, b: Replicates, confidence: float) -> Difference:
    h = 2 / (1 / a.h + 1 / b.h)
    result = jackknife(a.plug_in - b.plug_in, a.without - b.without, a.halves - b.halves, h)
    found = judge_difference(result.value, result.standard_error, result.residual_bias, result.blocks - 1, confidence)
    if found.lower is None:
        return Difference(first, second, None, None, None, None, 1.0, 1.0, found.reason)
    return Difference(
        first,
        second,
        found.value,
        found.standard_error,
        found.lower,
        found.upper,
        found.p_value,
        found.p_value,
        found.reason,
    )


def _refused(names: list[str], confidence: float, reason: str) -> Comparison:
    pairs = tuple(Difference(a, b, None, None, None, None, 1.0, 1.0, reason) for a, b in combinations(names, 2))
    return Comparison(pairs, None, confidence, reason)
