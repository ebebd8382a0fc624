"""Recorded scores held to those that are computed here from the enclosed features."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from unipath_bench.core.packages import package_versions
from unipath_bench.leaderboard.validation.checks import Check, judged, passed, unknown
from unipath_bench.schema.board import Board
from unipath_bench.schema.record import Contributions, Interval, RunRecord, TaskScore, Value
from unipath_bench.scoring.paired import numbers

TOLERANCE = 1e-3
"""How far a recorded number may be from the one computed here, in units of the value's scale (from end to end, or
the value itself, as computed here). On one machine the two are equal; other machines' encoders differ in the last
digits."""


def check_scores(
    board: Board, record: RunRecord, found: Mapping[str, TaskScore], lacking: Mapping[str, str]
) -> list[Check]:
    """The board's metrics, and apart from them all other scores of the record."""
    keys = {metric.key for metric in board.metrics}
    return [
        _check("scores recomputed", [s for s in record.scores if s.key in keys], found, lacking, optional=False),
        _check("other scores", [s for s in record.scores if s.key not in keys], found, lacking, optional=True),
        _check_details(record, found),
    ]


def _check(
    name: str,
    scores: Sequence[TaskScore],
    found: Mapping[str, TaskScore],
    lacking: Mapping[str, str],
    *,
    optional: bool,
) -> Check:
    problems: list[str] = []
    absent: list[str] = []
    compared = 0
    for score in scores:
        if score.status != "computed":
            continue
        if score.key in lacking or score.key not in found:
            absent.append(f"{score.key}: {lacking.get(score.key, 'it was not computed here')}")
            continue
        compared += len(score.values)
        problems.extend(f"{score.key}: {problem}" for problem in differing(score, found[score.key]))
    if problems or not absent:
        return judged(name, problems, f"{compared} values within {TOLERANCE:g} of their scale")
    return unknown(name, "; ".join(absent), optional=optional)


def differing(recorded: TaskScore, found: TaskScore) -> Iterator[str]:
    """In what a recorded score differs from the one computed here, what its details say apart."""
    for what in ("status", "version", "title", "n_images", "dimension", "encoder_digest", "tier", "coupled"):
        mine, theirs = getattr(found, what), getattr(recorded, what)
        if mine != theirs:
            yield f"{what} {theirs}, computed here {mine}"
    if _kind(recorded) != _kind(found):
        yield f"details of the kind {_kind(recorded)}, computed here {_kind(found)}"
    for name in sorted({*recorded.values, *found.values}):
        before, after = recorded.values.get(name), found.values.get(name)
        if before is None or after is None:
            yield f"{name} is {'recorded' if after is None else 'computed here'} alone"
        else:
            yield from (f"{name}: {problem}" for problem in _value_problems(before, after))


def _value_problems(recorded: Value, found: Value) -> Iterator[str]:
    slack = TOLERANCE * _scale(found) + 1e-9
    for what in ("title", "direction", "headline", "unit", "bad_end_source", "good_end_source"):
        if getattr(recorded, what) != getattr(found, what):
            yield f"{what} {getattr(recorded, what)!r}, computed here {getattr(found, what)!r}"
    pairs: dict[str, tuple[float | None, float | None]] = {
        what: (getattr(recorded, what), getattr(found, what)) for what in ("value", "bad_end", "good_end")
    }
    if (recorded.interval is None) != (found.interval is None):
        yield "its interval is recorded or computed here alone"
    elif recorded.interval is not None and found.interval is not None:
        for what in ("kind", "level", "units", "method"):
            theirs, mine = getattr(recorded.interval, what), getattr(found.interval, what)
            if theirs != mine:
                yield f"interval {what} {theirs}, computed here {mine}"
        pairs |= _interval_pairs(recorded.interval, found.interval)
    for what, (before, after) in pairs.items():
        if (before is None) != (after is None) or abs((before or 0.0) - (after or 0.0)) > slack:
            yield f"{what} {_show(before)}, computed here {_show(after)}"
    yield from _contribution_problems(recorded.contributions, found.contributions, slack)


def _interval_pairs(recorded: Interval, found: Interval) -> dict[str, tuple[float | None, float | None]]:
    return {f"interval {what}": (getattr(recorded, what), getattr(found, what)) for what in ("estimate", "low", "high")}


def _contribution_problems(recorded: Contributions | None, found: Contributions | None, slack: float) -> Iterator[str]:
    if (recorded is None) != (found is None):
        yield "its contributions are recorded or computed here alone"
    if recorded is None or found is None:
        return
    if (recorded.blocks, recorded.method, recorded.units) != (found.blocks, found.method, found.units):
        yield "its contributions are of other patients or blocks"
        return
    try:
        theirs = numbers(recorded)
    except ValueError as error:
        yield f"its contributions are damaged: {error}"
        return
    mine = numbers(found)
    if len(theirs.parts) != len(mine.parts) or float(np.abs(theirs.parts - mine.parts).max()) > slack:
        yield "its contributions differ"
    for what in ("estimate", "residual_bias"):
        if abs(getattr(theirs, what) - getattr(mine, what)) > slack:
            yield f"contributions' {what} {getattr(theirs, what):.6g}, computed here {getattr(mine, what):.6g}"


def _check_details(record: RunRecord, found: Mapping[str, TaskScore]) -> Check:
    """Tables behind the scores. Where the packages are others, ties may be broken otherwise: no reason to refuse."""
    name = "details"
    problems = [
        f"{score.key}: {problem}"
        for score in record.scores
        if score.key in found
        for problem in list(_unlike(_plain(score), _plain(found[score.key]), "details"))[:1]
    ]
    if problems and record.environment.packages != package_versions():
        return unknown(name, "they differ, but were made with other packages: " + "; ".join(problems), optional=True)
    return judged(name, problems) if problems else passed(name, f"of {len(found)} scores")


def _kind(score: TaskScore) -> str:
    return score.details.kind if score.details is not None else "none"


def _plain(score: TaskScore) -> Any:
    return score.details.model_dump(mode="json") if score.details is not None else None


def _unlike(theirs: Any, mine: Any, where: str) -> Iterator[str]:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        if set(mine) != set(theirs):
            yield f"{where} have other keys"
            return
        for key in mine:
            yield from _unlike(theirs[key], mine[key], f"{where}.{key}")
    elif isinstance(mine, list) and isinstance(theirs, list):
        if len(mine) != len(theirs):
            yield f"{where} have {len(theirs)} entries, computed here {len(mine)}"
            return
        for row, (a, b) in enumerate(zip(theirs, mine, strict=True)):
            yield from _unlike(a, b, f"{where}[{row}]")
    elif _is_number(mine) and _is_number(theirs):
        if not math.isclose(mine, theirs, rel_tol=TOLERANCE, abs_tol=1e-6):
            yield f"{where} {theirs:.6g}, computed here {mine:.6g}"
    elif mine != theirs:
        yield f"{where} {str(theirs)[:60]!r}, computed here {str(mine)[:60]!r}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(value: Value) -> float:
    spans = [abs(value.value)]
    if value.bad_end is not None and value.good_end is not None:
        spans.append(abs(value.good_end - value.bad_end))
    return max(spans)


def _show(number: float | None) -> str:
    return "none" if number is None else f"{number:.6g}"
