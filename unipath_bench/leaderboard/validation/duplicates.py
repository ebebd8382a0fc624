"""Another entry's images under a new name: found by the fingerprints that entries leave, and by their scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unipath_bench.leaderboard.boards import FINGERPRINTS, Submitted, entry_folders, load_entry
from unipath_bench.leaderboard.fingerprints import (
    MOST_ALIKE,
    Fingerprints,
    compare_fingerprints,
    load_fingerprints,
)
from unipath_bench.leaderboard.validation.checks import Check, judged, passed
from unipath_bench.schema.record import RunRecord, Value
from unipath_bench.scoring.paired import numbers

ALIKE = 0.02
"""Two records are of nearly equal images where, in every value that has contributions, those differ by less than this
share of their size: the difference between two models is then less than their own noise by a factor of fifty."""
FEWEST = 3
"""Values that must have contributions for that to be judged."""


def check_duplicates(board: Path, record: RunRecord, mine: Fingerprints | None, archive_sha256: str) -> Check:
    """No earlier entry of the board has the same images, or nearly the same."""
    name = "earlier entries"
    if record.plan.model.oracle:
        return passed(name, "an oracle replays images that others replay too")
    others = [
        (folder, entry)
        for folder in entry_folders(board)
        if (entry := load_entry(folder)).entry.archive_sha256 != archive_sha256
    ]
    problems = [problem for folder, entry in others if (problem := _likeness(folder, entry, record, mine))]
    return judged(name, problems, f"unlike {len(others)} others")


def _likeness(folder: Path, other: Submitted, record: RunRecord, mine: Fingerprints | None) -> str:
    called = f"{other.entry.name} ({other.record.plan.model.name})"
    theirs = load_fingerprints(folder / FINGERPRINTS)
    if mine is not None and theirs is not None:
        found = compare_fingerprints(mine, theirs)
        if found.equal > MOST_ALIKE:
            return f"{found.equal:.0%} of its images are those of {called}, pixel for pixel"
        if found.near > MOST_ALIKE:
            return f"{found.near:.0%} of its images are nearly those of {called}"
    if same_contributions(record, other.record):
        return f"its images move every score as those of {called} do"
    return ""


def same_contributions(first: RunRecord, second: RunRecord) -> bool:
    """Whether each block of patients contributes nearly the same to every value in both records."""
    distances = []
    for score in first.scores:
        other = next((each for each in second.scores if each.key == score.key), None)
        for name, value in score.values.items():
            found = _distance(value, other.values.get(name)) if other is not None else None
            if found is not None:
                distances.append(found)
    return len(distances) >= FEWEST and max(distances) < ALIKE


def _distance(first: Value, second: Value | None) -> float | None:
    """Size of the difference of contributions, as a share of their own; None where they cannot be compared."""
    if first.contributions is None or second is None or second.contributions is None:
        return None
    if (first.contributions.blocks, first.contributions.method) != (
        second.contributions.blocks,
        second.contributions.method,
    ):
        return None
    try:
        mine, theirs = numbers(first.contributions), numbers(second.contributions)
    except ValueError:  # the check of identities names what is damaged
        return None
    size = float(np.linalg.norm(mine.parts))
    if len(mine.parts) != len(theirs.parts) or size == 0:
        return None
    apart = float(np.linalg.norm(mine.parts - theirs.parts)) / size
    return max(apart, abs(mine.estimate - theirs.estimate) / size)
