"""The difference of one value between two runs of the same prompts, with its paired interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from unipath_bench.core.errors import DataError
from unipath_bench.metrics.estimate import holm
from unipath_bench.metrics.paired import Contributions, paired_difference
from unipath_bench.schema.record import Value
from unipath_bench.scoring.paired import numbers

LEVEL = 0.95
NOT_RECORDED = "the record holds no contributions: it was made before they were kept; run the same command again"


@dataclass(frozen=True, slots=True)
class Pair:
    """Value of run ``first`` minus that of run ``second`` (positions among the runs)."""

    first: int
    second: int
    difference: float | None = None
    """Of the quantity that the interval is about: the value, or a distance freed of its bias. None where there is no
    paired difference, for the ``reason`` given."""
    low: float | None = None
    high: float | None = None
    level: float = LEVEL
    p_value: float | None = None
    """Of no difference, by Holm's method for the number of pairs of this value."""
    significant: bool = False
    better: int | None = None
    """The run that is better, where the difference is significant."""
    blocks: int | None = None
    """Blocks of patients, slides or images that the interval comes from; t has one degree less."""
    reason: str = ""


def find_pairs(values: Sequence[Value | None], names: Sequence[str], direction: str, obstacle: str) -> tuple[Pair, ...]:
    """Every pair of the runs that have the value; ``obstacle`` says why they may not be compared, if so."""
    found = []
    tested: list[int] = []
    for (i, a), (j, b) in combinations([(i, v) for i, v in enumerate(values) if v is not None], 2):
        reason = obstacle or _lack(a, names[i]) or _lack(b, names[j]) or _other_cut(a, b)
        if reason:
            found.append(Pair(i, j, reason=reason))
            continue
        difference = paired_difference(contributions(a, names[i]), contributions(b, names[j]), LEVEL)
        if difference.lower is None:
            found.append(Pair(i, j, reason=difference.reason or ""))
            continue
        tested.append(len(found))
        found.append(
            Pair(
                i,
                j,
                difference.value,
                difference.lower,
                difference.upper,
                p_value=difference.p_value,
                blocks=difference.degrees + 1,
                reason=difference.reason or "",
            )
        )
    adjusted = holm([found[t].p_value or 0.0 for t in tested])
    for t, p_value in zip(tested, adjusted, strict=True):
        found[t] = _judged(found[t], p_value, direction)
    return tuple(found)


def contributions(value: Value, run: str) -> Contributions:
    """Of a value that has them; raises :class:`DataError` naming the run where they are damaged."""
    if value.contributions is None:
        raise ValueError(f"{value.title} of {run} has no contributions")
    try:
        return numbers(value.contributions)
    except ValueError as error:
        raise DataError(
            f"The contributions to {value.title!r} of {run} are damaged: {error}.", "Run the evaluation again."
        ) from error


def lack_of(value: Value) -> str:
    """Why a value has no contributions; empty where it has."""
    if value.contributions is not None:
        return ""
    return value.contributions_note.removeprefix("No paired difference: ").rstrip(".") or NOT_RECORDED


def _lack(value: Value, run: str) -> str:
    reason = lack_of(value)
    return f"{run}: {reason}" if reason == NOT_RECORDED else reason


def _other_cut(a: Value, b: Value) -> str:
    one, two = a.contributions, b.contributions
    if one is None or two is None or (one.blocks, one.method) == (two.blocks, two.method):
        return ""
    return "the runs asked other prompts, or their patients were cut into other blocks"


def _judged(pair: Pair, p_value: float, direction: str) -> Pair:
    significant = p_value < 1 - LEVEL and bool(pair.difference)
    lower_first = (pair.difference or 0.0) < 0
    better = pair.first if lower_first == (direction == "lower") else pair.second
    return replace(pair, p_value=p_value, significant=significant, better=better if significant else None)
