"""Teaching a classifier generated images and testing it on real ones, so that no image helps on its own case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unipath_bench.contracts import FeatureSet
from unipath_bench.core.digest import seed_from
from unipath_bench.core.errors import NotComputable
from unipath_bench.metrics.units import assign_blocks, units_of
from unipath_bench.scoring.answers import Labels
from unipath_bench.scoring.classifiers.interface import Labelled, Recipe
from unipath_bench.scoring.classifiers.training import fit
from unipath_bench.scoring.features import prompts_by_id
from unipath_bench.scoring.folds import Rows, grouped_folds
from unipath_bench.scoring.paired import Cut, cut_of
from unipath_bench.scoring.uncertainty import unit_codes

BLOCKS_A_FOLD = 2
"""Blocks of patients that are left out of training and test in turn, a fold: 10 in all."""

Across = Literal["groups", "images"]
"""What must not be on both sides: the patients or slides of the prompts; or, where every class has one prompt that says
nothing of the patient, the single images."""


@dataclass(frozen=True)
class Fold:
    """Reference rows to test on, and generated rows to train on whose prompts are others'."""

    test: Rows
    synthetic: Rows


def cut_into_folds(
    reference: FeatureSet, generated: FeatureSet, labels: Labels, folds: int, seed: int, across: Across
) -> list[Fold]:
    """Folds of the reference, each with the generated rows that answer prompts of the other folds.

    :class:`NotComputable` where the groups do not suffice; or, ``across`` images, where a class has several prompts.
    """
    if across == "groups":
        _require_several_groups(labels, reference.groups)
        units: Sequence[str] = reference.groups
    else:
        _require_one_prompt_a_class(labels, reference)
        units = reference.ids
    prompt_row = {sample: i for i, sample in enumerate(reference.ids)}
    prompt_of = np.asarray([prompt_row[sample] for sample in generated.ids], dtype=np.int64)
    tests = grouped_folds(labels, units, folds, seed)
    if not tests:
        raise NotComputable(
            f"The {across} cannot be cut into two folds that each leave every class to train on.",
            "Raise --n, or use a suite with more patients or slides a class.",
        )
    return [Fold(test, np.flatnonzero(~np.isin(prompt_of, test))) for test in tests]


def _require_several_groups(labels: Labels, groups: Sequence[str]) -> None:
    classes = sorted(set(labels.tolist()))
    lone = [c for c in classes if len({g for g, label in zip(groups, labels, strict=True) if label == c}) < 2]
    if lone:
        raise NotComputable(
            f"The reference images of the classes {', '.join(lone)} come from one group each, so a "
            "classifier cannot be trained on other groups' prompts and tested on these.",
            "Raise --n, or use a suite with more patients or slides a class.",
        )


def _require_one_prompt_a_class(labels: Labels, reference: FeatureSet) -> None:
    of = prompts_by_id(reference)
    prompts: dict[str, set[str]] = {}
    for label, sample in zip(labels.tolist(), reference.ids, strict=True):
        prompts.setdefault(label, set()).add(of[sample])
    several = [label for label, found in sorted(prompts.items()) if len(found) > 1]
    if several:
        raise NotComputable(
            f"The classes {', '.join(several)} have several prompts, which may say something of the single image.",
            "Give every image of a class the same prompt, or use the task synthetic-training, which parts patients.",
        )


def out_of_fold(
    reference: Labelled, generated: Labelled, folds: Sequence[Fold], real: Labelled | None, recipe: Recipe, seed: int
) -> Labels:
    """Return the answers for every reference image.

    Each is by a classifier that saw no image generated from the prompts of the image's own fold.
    """
    answers = np.empty(len(reference), dtype=reference.labels.dtype)
    for fold in folds:
        synthetic = generated.take(fold.synthetic)
        taught = synthetic if real is None else real.with_others(synthetic)
        answers[fold.test] = fit(recipe, taught, seed).predict(reference.features[fold.test])
    return answers


def synthetic_counts(labels: Labels, folds: Sequence[Fold], classes: Sequence[str]) -> dict[str, int]:
    """Generated training images a class, mean over folds."""
    return {c: round(float(np.mean([np.sum(labels[fold.synthetic] == c) for fold in folds]))) for c in classes}


def draw(labels: Labels, counts: dict[str, int], seed: int, number: int) -> Rows:
    """Return random training rows, ``counts`` of each class (all where there are fewer), in ascending order.

    They are the prefix of one seeded order per draw, so a larger budget of the same draw contains the smaller one.
    """
    chosen = []
    for name, count in counts.items():
        rows = np.flatnonzero(labels == name)
        order = np.random.default_rng(seed_from("draw", seed, number, name)).permutation(len(rows))
        chosen.append(rows[order[:count]])
    return np.sort(np.concatenate(chosen))


def cut_within(reference: FeatureSet, folds: Sequence[Fold]) -> Cut:
    """Whole patients in two blocks a fold."""
    units = unit_codes(reference)
    block_of_unit = np.zeros(int(units.max()) + 1, np.int64)
    for number, fold in enumerate(folds):
        mine, positions = np.unique(units[fold.test], return_inverse=True)
        sizes = units_of(positions, len(positions)).sizes
        block_of_unit[mine] = BLOCKS_A_FOLD * number + assign_blocks(sizes, min(BLOCKS_A_FOLD, len(mine)), 0)
    return cut_of(reference, np.unique(block_of_unit, return_inverse=True)[1].astype(np.int64))
