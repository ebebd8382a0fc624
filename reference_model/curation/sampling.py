"""Sampling to a number: evenly over the clusters of K-means, so that what is rare stays."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from reference_model.bank.clustering import cluster
from reference_model.bank.ordering import hash_ids, seeded_keys


def default_clusters(count: int) -> int:
    """The square root of the number of images, rounded up."""
    return max(1, math.ceil(math.sqrt(count)))


def sample(
    directions: npt.NDArray[np.float64], ids: Sequence[str], target: int, clusters: int, seed: int
) -> tuple[list[int], npt.NDArray[np.int64]]:
    """``target`` rows of ``directions`` (N, D), ascending, and the cluster of every row, int64 (N,).

    Clusters give as evenly as they can (:func:`shares`); within one, rows are drawn by a seeded order of their ids.
    """
    labels, _ = cluster(directions, min(clusters, len(directions)), seed)
    keys = seeded_keys(hash_ids(ids), seed, "sample")
    members = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    given = shares([len(rows) for rows in members], target)
    chosen = [rows[np.argsort(keys[rows])[:count]] for rows, count in zip(members, given, strict=True)]
    return sorted(int(row) for rows in chosen for row in rows), labels


def shares(sizes: Sequence[int], target: int) -> list[int]:
    """How many images each cluster gives, as evenly as the sizes of the clusters allow.

    A cluster gives all its images up to a level that is the same for all clusters, and that level where it has more.
    What is then left of the target is given by the earliest clusters that have more, one image each. The sum is
    ``min(target, sum(sizes))``.
    """
    target = min(target, sum(sizes))
    level = 0
    while sum(min(size, level + 1) for size in sizes) <= target and level < max(sizes, default=0):
        level += 1
    given = [min(size, level) for size in sizes]
    for i, size in enumerate(sizes):
        if sum(given) == target:
            break
        if size > level:
            given[i] += 1
    return given
