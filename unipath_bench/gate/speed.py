"""The gate of speed: pytest-benchmark files compared by the ratio of each benchmark to a reference kernel.

Both files hold a *reference kernel*, a fixed piece of arithmetic that no change of the project touches, timed in the
same process as the rest. A benchmark's cost is its least time divided by the reference's least time, so a runner that
is slower throughout changes nothing. The least of many rounds is used because other load on a machine can only add
time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unipath_bench.core.errors import DataError, UsageError, listed
from unipath_bench.schema.base import read_json

TOLERANCE = 0.25
"""A benchmark may become this much dearer, as a share, before the gate stops it."""

REFERENCE = "test_reference_kernel"


@dataclass(frozen=True, slots=True)
class Timed:
    """One benchmark in both files. Costs are multiples of the reference kernel's time."""

    name: str
    baseline: float
    cost: float
    change: float
    """Cost over the baseline's, less 1."""
    regressed: bool


@dataclass(frozen=True, slots=True)
class SpeedVerdict:
    """What the gate of speed found."""

    reference: str
    tolerance: float
    runner: float
    """Time of the reference kernel over that of the baseline: how much slower this machine is."""
    timed: tuple[Timed, ...]
    new: tuple[str, ...]
    """Benchmarks that the baseline lacks."""

    @property
    def regressed(self) -> bool:
        """Whether any benchmark has."""
        return any(each.regressed for each in self.timed)

    def to_json(self) -> str:
        """The verdict as a JSON document, indented."""
        return json.dumps({**asdict(self), "regressed": self.regressed}, indent=2, allow_nan=False)


def judge_speed(
    times: Mapping[str, float], baseline: Mapping[str, float], reference: str = REFERENCE, tolerance: float = TOLERANCE
) -> SpeedVerdict:
    """Compare least times in seconds, by benchmark name.

    Raises :class:`DataError` where a file lacks the reference kernel, or the run lacks a benchmark of the baseline.
    """
    for what, of in (("run", times), ("baseline", baseline)):
        if reference not in of:
            raise DataError(
                f"The {what} has no reference kernel {reference!r}. It has:\n{listed(sorted(of))}",
                "Time it in the same session, or name another with --reference.",
            )
    lost = sorted(set(baseline) - set(times))
    if lost:
        raise DataError(
            f"The run lacks benchmarks of the baseline:\n{listed(lost)}", "Time them too, or write a new baseline."
        )
    timed = []
    for name in sorted(set(baseline) - {reference}):
        before, after = baseline[name] / baseline[reference], times[name] / times[reference]
        change = after / before - 1
        timed.append(Timed(name, before, after, change, change > tolerance))
    runner = times[reference] / baseline[reference]
    return SpeedVerdict(reference, tolerance, runner, tuple(timed), tuple(sorted(set(times) - set(baseline))))


def read_times(path: Path) -> dict[str, float]:
    """Least time in seconds of each benchmark of a pytest-benchmark file (``--benchmark-json``).

    Raises :class:`UsageError` for a file that is none, and :class:`DataError` for a time that is no positive number.
    """
    try:
        document: Any = read_json(path, "Give a file that pytest --benchmark-json wrote.")
        found = {str(entry["name"]): entry["stats"]["min"] for entry in document["benchmarks"]}
    except (KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no pytest-benchmark file ({type(error).__name__}: {error}).",
            "Give a file that pytest --benchmark-json wrote.",
        ) from error
    bad = [f"{name}: {time!r}" for name, time in found.items() if not _is_time(time)]
    if bad:
        raise DataError(f"{path} holds times that are no positive numbers:\n{listed(bad)}", "Time these again.")
    return {name: float(time) for name, time in found.items()}


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
