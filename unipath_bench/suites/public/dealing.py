"""Splitting a data set that was published without splits: this project's own folds, by whole groups.

Groups (each image its own where there are none) are taken largest first, equals in the order of the SHA-256 of their
name, and put into the fold that holds the smallest share of their commonest class, then the fewest images. Nothing is
drawn at random, so the folds are the same everywhere.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.suites.tabular import Row


def deal(rows: Sequence[Row], folds: int = 5, fold: int = 0) -> list[Row]:
    """The rows with ``test`` for fold number ``fold`` (from 0) of ``folds``, and ``train`` for the others.

    Raises :class:`UsageError` for a fold that is not there and :class:`DataError` where there are fewer groups than
    folds.
    """
    if folds < 2 or not 0 <= fold < folds:
        raise UsageError(f"fold={fold} of folds={folds} is not there.", "folds is 2 or more, fold from 0 to folds - 1.")
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[str(row.cells.get("group") or f"\0{row.key}")].append(row)
    if len(groups) < folds:
        raise DataError(
            f"{len(groups)} groups cannot be dealt into {folds} folds.", f"--suite-arg folds={max(2, len(groups))}"
        )
    places = _folds({name: Counter(_label(row) for row in members) for name, members in groups.items()}, folds)
    split = {name: "test" if place == fold else "train" for name, place in places.items()}
    return [replace(row, split=split[str(row.cells.get("group") or f"\0{row.key}")]) for row in rows]


def _label(row: Row) -> str:
    return str(row.cells.get("label", ""))


def _folds(groups: dict[str, Counter[str]], folds: int) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for counts in groups.values():
        totals.update(counts)
    filled: list[Counter[str]] = [Counter() for _ in range(folds)]
    places = {}
    for name in sorted(groups, key=lambda n: (-groups[n].total(), hashlib.sha256(n.encode()).digest())):
        counts = groups[name]
        main = max(sorted(counts), key=lambda label: counts[label] / totals[label])
        place = min(range(folds), key=lambda f: (filled[f][main], filled[f].total(), f))
        filled[place].update(counts)
        places[name] = place
    return places
