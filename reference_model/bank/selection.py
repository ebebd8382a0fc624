"""Which real tiles become prototypes: those nearest to the centroids of K-means, spread over patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from reference_model.bank.clustering import cluster
from reference_model.bank.directions import unit_rows
from unipath_bench import UsageError
from unipath_bench.core.arrays import Features


@dataclass(frozen=True)
class Selection:
    """The chosen rows."""

    rows: tuple[int, ...]
    """In ascending order."""
    per_group: int
    """Most rows of one group."""


def choose(
    features: Features, groups: Sequence[str | None], size: int, seed: int, per_group: int | None = None
) -> Selection:
    """``size`` rows of ``features`` (N, D), at most ``per_group`` of one group (rows without one are each their own).

    The rows, scaled to length 1, are clustered by K-means into ``size`` clusters. Pairs of tile and own centroid are
    taken in the order of their distance, each where its cluster has no prototype yet and its group is not full; places
    that are left (a cluster whose tiles are all of full groups, or duplicates) go to the nearest remaining tiles
    whose group is not full. Ties go to the earlier row. ``per_group`` is by default twice the even share, or more
    where ``size`` cannot be reached otherwise.

    Raises :class:`~unipath_bench.UsageError` where ``size`` or ``per_group`` ask for more than there is.
    """
    names = [f"group {group}" if group is not None else f"row {row}" for row, group in enumerate(groups)]
    if not 1 <= size <= len(features):
        raise UsageError(
            f"--size {size}: there are {len(features)} tiles to choose from.", f"Ask for 1 to {len(features)}."
        )
    bound = _bound(names, size, per_group)
    labels, distances = cluster(unit_rows(features, "the tiles"), size, seed)
    order = np.lexsort((np.arange(len(features)), distances))
    used: Counter[str] = Counter()
    filled: set[int] = set()
    chosen: set[int] = set()
    for row in map(int, order):
        if int(labels[row]) not in filled and used[names[row]] < bound:
            filled.add(int(labels[row]))
            chosen.add(row)
            used[names[row]] += 1
    for row in map(int, order):
        if len(chosen) == size:
            break
        if row not in chosen and used[names[row]] < bound:
            chosen.add(row)
            used[names[row]] += 1
    return Selection(tuple(sorted(chosen)), bound)


def _bound(names: Sequence[str], size: int, per_group: int | None) -> int:
    counts = Counter(names)
    if per_group is not None:
        if per_group < 1 or _reach(counts.values(), per_group) < size:
            raise UsageError(
                f"--per-group {per_group}: {len(counts)} groups give at most {_reach(counts.values(), per_group)} "
                f"prototypes, and {size} are wanted.",
                "Raise --per-group, or lower --size.",
            )
        return per_group
    bound = -(-2 * size // len(counts))
    while _reach(counts.values(), bound) < size:
        bound += 1
    return bound


def _reach(counts: Iterable[int], bound: int) -> int:
    return sum(max(0, min(count, bound)) for count in counts)
