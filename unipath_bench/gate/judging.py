"""Is a run worse than a baseline? Every headline value is tested, as one family."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from unipath_bench.core.errors import DataError, listed
from unipath_bench.gate.family import ALPHA, POWERS, Tested, find_regressions, worse_by
from unipath_bench.gate.margins import check_margins, margin_of
from unipath_bench.metrics.estimate import quantile
from unipath_bench.metrics.paired import PairedDifference
from unipath_bench.schema.record import TaskScore, Value
from unipath_bench.views.comparison.pairs import contributions, lack_of
from unipath_bench.views.comparison.sides import Side, facts

METHOD = "one-sided paired t tests of all values listed, family-wise error by Holm (1979)"


@dataclass(frozen=True, slots=True)
class Judged:
    """One value of the family. Differences are in the value's unit, positive where the run is worse."""

    key: str
    name: str
    title: str
    unit: str
    direction: str
    baseline: float
    value: float
    worse_by: float
    """Of the quantity that the interval is about: the value, or a distance freed of its bias."""
    at_least: float | None
    """The one-sided limit that holds for all values at once."""
    margin: float
    p_value: float
    """Of being no worse, by Holm."""
    regressed: bool
    smallest_80: float | None
    smallest_90: float | None
    """The smallest changes that are found at this n with probabilities of 80 and 90%; None where no patient differs
    between the runs, so that nothing is known of the spread."""
    prompts_needed: int | None
    """Prompts at which a change of twice the margin is found with 90%; None for a margin of nought, and as above."""
    enough: bool | None
    """Whether this run has as many; None where ``prompts_needed`` is."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class NotJudged:
    """A headline value that no paired difference can be taken of."""

    key: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found."""

    run: str
    baseline: str
    prompts: int
    alpha: float
    judged: tuple[Judged, ...]
    not_judged: tuple[NotJudged, ...]
    baseline_version: int | None = None
    """The earlier version of the format that the baseline was written in; None for the present one."""

    @property
    def regressed(self) -> bool:
        """Whether any value has."""
        return any(each.regressed for each in self.judged)

    def to_json(self) -> str:
        """The verdict as a JSON document, indented."""
        document = {**asdict(self), "regressed": self.regressed, "method": METHOD}
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def judge(run: Side, baseline: Side, margins: Mapping[str, float], alpha: float = ALPHA) -> Verdict:
    """Test every headline value of the baseline.

    Where a task's headline allows no paired difference (a Frechet distance of too many dimensions), its first value
    that does stands in. ``margins`` as :func:`~unipath_bench.gate.margins.parse_margins` gives them.
    Raises :class:`DataError` where the run and the baseline cannot be compared in every value that the baseline has:
    a gate that left out what has changed would let through what it is there to stop.
    """
    problems: list[str] = []
    rows: list[_Row] = []
    absent: list[NotJudged] = []
    for score in baseline.scores:
        if score.status != "computed":
            continue
        chosen = _choose(score)
        if isinstance(chosen, NotJudged):
            absent.append(chosen)
            continue
        name, note = chosen
        found = _match(run, baseline, score, name)
        if isinstance(found, str):
            problems.append(f"{score.key}: {found}")
        else:
            before = score.values[name]
            difference = worse_by(
                contributions(found, run.name), contributions(before, baseline.name), before.direction
            )
            rows.append(_Row(score.key, name, before, found, difference, note))
    if problems:
        raise DataError(
            f"{run.name} and {baseline.name} cannot be compared:\n{listed(problems)}",
            "Run the baseline's tasks on the same suite, n, seeds and encoders, or write a new baseline.",
        )
    if not rows:
        raise DataError(
            f"{baseline.name} has no headline value that a paired difference can be taken of:\n"
            + listed([f"{each.key}: {each.reason}" for each in absent]),
            "Run the evaluation again with this version, on at least 8 patients.",
        )
    check_margins(margins, [(row.key, row.name) for row in rows])
    limits = [margin_of(row.key, row.name, row.before, margins) for row in rows]
    tested = find_regressions([row.difference for row in rows], limits, alpha)
    level = alpha / len(rows)
    judged = [_judged(row, each, level, run.prompts) for row, each in zip(rows, tested, strict=True)]
    return Verdict(run.name, baseline.name, run.prompts, alpha, tuple(judged), tuple(absent), baseline.migrated_from)


@dataclass(frozen=True, slots=True)
class _Row:
    key: str
    name: str
    before: Value
    after: Value
    difference: PairedDifference
    note: str


def _choose(score: TaskScore) -> tuple[str, str] | NotJudged:
    """Which value of a task is tested, and a note where it is not the headline."""
    headline, value = next((n, v) for n, v in score.values.items() if v.headline)
    if value.contributions is not None:
        return headline, ""
    reason = lack_of(value)
    for name, other in score.values.items():
        if other.contributions is not None:
            return name, f"stands in for {value.title}: {reason}"
    return NotJudged(score.key, value.title, reason)


def _match(run: Side, baseline: Side, score: TaskScore, name: str) -> Value | str:
    """The run's value, or why it cannot be compared."""
    found = run.find(score.key, name)
    if found is None:
        mine = next((s for s in run.scores if s.key == score.key), None)
        return f"not computed: {mine.reason}" if mine is not None and mine.reason else "the run lacks it"
    other, value = found
    wanted, have = facts(baseline, score, score.values[name]), facts(run, other, value)
    differing = [f"{what} {have[what]}, baseline {wanted[what]}" for what in wanted if wanted[what] != have[what]]
    if differing:
        return "; ".join(differing)
    before = score.values[name].contributions
    if value.contributions is None or before is None:
        return f"no paired difference: {lack_of(value)}"
    if (value.contributions.blocks, value.contributions.method) != (before.blocks, before.method):
        return "the runs asked other prompts, or their patients were cut into other blocks"
    return value


def _judged(row: _Row, tested: Tested, level: float, prompts: int) -> Judged:
    needed = _needed(tested, level, prompts)
    stretched = tested.difference.reason or ""
    return Judged(
        key=row.key,
        name=row.name,
        title=row.before.title,
        unit=row.before.unit,
        direction=row.before.direction,
        baseline=row.before.value,
        value=row.after.value,
        worse_by=tested.difference.value + 0.0,
        at_least=tested.at_least,
        margin=tested.margin,
        p_value=tested.adjusted_p,
        regressed=tested.regressed,
        smallest_80=tested.smallest[0] if tested.smallest else None,
        smallest_90=tested.smallest[1] if tested.smallest else None,
        prompts_needed=needed,
        enough=None if needed is None else needed <= prompts,
        note="; ".join(part for part in (row.note, stretched) if part),
    )


def _needed(tested: Tested, level: float, prompts: int) -> int | None:
    """Prompts at which t(1 - level) + t(90%) standard errors are twice the margin; errors shrink as 1 / sqrt(n)."""
    if tested.margin == 0 or tested.smallest is None:
        return None
    degrees = tested.difference.degrees
    reach = (quantile(1 - level, degrees) + quantile(POWERS[1], degrees)) * tested.difference.standard_error
    return max(1, math.ceil(prompts * (reach / (2 * tested.margin)) ** 2))
