"""Cutting labelled images into folds by group, so that relatives are never on both sides."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from unipath_bench.core.digest import seed_from

Rows = npt.NDArray[np.int64]


def grouped_folds(labels: npt.NDArray[np.str_], groups: Sequence[str], folds: int, seed: int) -> list[Rows]:
    """Disjoint test folds that cover all rows, classes in proportion, each group in one fold.

    As many folds as possible, at most ``folds``, such that what is outside each fold still has every class.
    Empty where not even two such folds can be cut.
    """
    names = np.asarray(groups, dtype=np.str_)
    everything, counts = np.unique(labels, return_counts=True)
    for count in range(min(folds, len(np.unique(names)), int(counts.max())), 1, -1):
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed_from("folds", seed) % 2**32)
        with warnings.catch_warnings():  # of classes with fewer images than folds, which the check below is about
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            tests = [np.asarray(test) for _, test in splitter.split(np.zeros(len(labels)), labels, names) if len(test)]
        if all(len(np.unique(np.delete(labels, test))) == len(everything) for test in tests):
            return tests
    return []
