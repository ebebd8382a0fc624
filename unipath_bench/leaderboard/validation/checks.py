"""The outcome of a validation: a table of checks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from unipath_bench.core.errors import EXIT_BAD_DATA, EXIT_DONE, EXIT_MISSING

Status = Literal["passed", "failed", "could not check"]
SHOWN = 6
"""Reasons that one check lists; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a submission, and the answer."""

    name: str
    status: Status
    detail: str = ""
    """What was found, why it failed, or what it would take to check it."""
    optional: bool = False
    """Whether a submission may be taken although this could not be checked."""


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one archive."""

    archive: str
    sha256: str
    bytes: int
    board: str
    checks: tuple[Check, ...]

    @property
    def refused(self) -> bool:
        """Whether any check failed."""
        return any(check.status == "failed" for check in self.checks)

    @property
    def complete(self) -> bool:
        """Whether every check that a board asks for could be made."""
        return all(check.status != "could not check" or check.optional for check in self.checks)

    @property
    def verdict(self) -> str:
        """``refused``, ``accepted``, or ``incomplete`` where nothing failed but something could not be checked."""
        return "refused" if self.refused else "accepted" if self.complete else "incomplete"

    @property
    def exit_code(self) -> int:
        """4 refused, 3 incomplete, 0 accepted."""
        return EXIT_BAD_DATA if self.refused else EXIT_DONE if self.complete else EXIT_MISSING

    def to_json(self) -> str:
        """The report as a JSON document, indented."""
        return json.dumps({**asdict(self), "verdict": self.verdict}, indent=2, ensure_ascii=False, allow_nan=False)


def passed(name: str, detail: str = "") -> Check:
    """Return a check that passed; ``detail`` may say what was found."""
    return Check(name, "passed", detail)


def failed(name: str, detail: str) -> Check:
    """Return a check that failed, which refuses the archive; ``detail`` says why."""
    return Check(name, "failed", detail)


def unknown(name: str, detail: str, *, optional: bool = False) -> Check:
    """Return a check that could not be made; unless it is ``optional``, it leaves the validation incomplete."""
    return Check(name, "could not check", detail, optional)


def judged(name: str, problems: Sequence[str], detail: str = "") -> Check:
    """Passed where there are no problems."""
    if not problems:
        return passed(name, detail)
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return failed(name, "; ".join(problems[:SHOWN]) + more)
