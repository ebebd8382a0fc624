"""Tier 4: are the images of use? Train on synthetic, test on real; and real plus synthetic against real
alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from unipath_bench.contracts import FeatureSet, Measurement, ScoreInputs, metric
from unipath_bench.digest import seed_from
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut
from unipath_bench.metrics.units import assign_blocks, units_of
from unipath_bench.schema.record import Contributions, Interval
from unipath_bench.scoring.classifier import (
    GRID,
    Labels,
    LinearProbe,
    chance_weighted_f1,
    choose_regularisation,
    weighted_f1,
    weighted_f1_without,
)
from unipath_bench.scoring.features import Matrix, attribute_names, image_features, one_label
from unipath_bench.scoring.folds import Rows, grouped_folds
from unipath_bench.scoring.not_computable import NotComputable
from unipath_bench.scoring.paired import Cut, cut_of, of_blocks, too_few_for_pairs
from unipath_bench.scoring.uncertainty import average, too_few_units, unit_codes, unit_interval


@dataclass(frozen=True)
class _Labelled:
    features: Matrix
    labels: Labels

    def take(self, rows: Rows) -> _Labelled:
        return _Labelled(self.features[rows], self.labels[rows])

    def with_others(self, other: _Labelled) -> _Labelled:
        return _Labelled(np.vstack([self.features, other.features]), np.concatenate([self.labels, other.labels]))


@dataclass(frozen=True)
class _Fold:
    """Reference rows to test on, and generated rows to train on whose prompts come from other groups."""

    test: Rows
    synthetic: Rows


BLOCKS_A_FOLD = 2
"""Blocks of patients that are left out of training and test in turn, a fold: 10 in all."""

GAIN_NOTE = "No paired difference: every classifier would have to be trained anew without each block of patients."


class _Pair(NamedTuple):
    """Classes that were read in the reference images, taught by real images and by real and generated ones."""

    alone: Labels
    both: Labels


@metric("train.images", "reference.images", "generated.images", "labels")
def synthetic_training(
    inputs: ScoreInputs,
    *,
    attribute: str = "",
    budgets: Sequence[int] = (5, 10, 25, 50),
    draws: int = 3,
    folds: int = 5,
    regularisation: Sequence[float] = GRID,
) -> Measurement:
    """Weighted F1 on real images of a classifier trained on generated images labelled by their prompts.

    The prompts are those of the reference images, so the reference is cut into ``folds`` by group (patient,
    slide): each fold is tested on with a classifier trained on images generated from the prompts of the other
    folds, and the answers of all folds are scored together. ``attribute`` is the one to learn (by default the
    primary, the first).

    Values: ``synthetic_weighted_f1``, with anchors chance (the answers dealt out at random) and the same
    classifier trained on as many real training images a class (mean of ``draws`` seeded draws; where the
    training split has fewer of a class, all of them); and ``augmentation_gain``, the gain in weighted F1 by
    adding the generated images to ``budgets`` real images a class, mean over budgets and draws. Budgets that
    the training split cannot meet in every class are left out, as ``details`` says."""
    name = attribute_names(inputs, (attribute,) if attribute else ())[0]
    reference, generated, train = (
        _Labelled(image_features(inputs, s), one_label(inputs[s], name)) for s in ("reference", "generated", "train")
    )
    classes = sorted(set(reference.labels.tolist()))
    _require_teachable(name, classes, reference.labels, train.labels, inputs["reference"].groups)
    kept = np.flatnonzero(np.isin(train.labels, classes))
    train = train.take(kept)
    groups = inputs["train"].take(kept).groups
    penalty = choose_regularisation(train.features, train.labels, groups, regularisation, inputs.seed)
    parts = _folds(inputs["reference"], inputs["generated"], reference.labels, folds, inputs.seed)

    alone = _out_of_fold(reference, generated, parts, None, penalty)
    wanted = _synthetic_counts(generated.labels, parts, classes)
    same_size = [
        weighted_f1(
            reference.labels,
            LinearProbe(real.features, real.labels, penalty).predict(reference.features),
        )
        for real in (train.take(_draw(train.labels, wanted, inputs.seed, d)) for d in range(draws))
    ]
    table, left_out = [], {}
    pairs: list[_Pair] = []
    fewest = min(int(np.sum(train.labels == c)) for c in classes)
    for budget in budgets:
        if budget > fewest:
            left_out[str(budget)] = f"the training split has {fewest} images of its rarest class"
            continue
        drawn = _budget(budget, draws, classes, reference, generated, train, parts, inputs.seed, penalty)
        table.append(_budget_row(budget, reference.labels, drawn))
        pairs.extend(drawn)
    score, chance = weighted_f1(reference.labels, alone), chance_weighted_f1(reference.labels, alone)
    ceiling = float(np.mean(same_size))
    values = {"synthetic_weighted_f1": score}
    not_reported = {}
    if table:
        values["augmentation_gain"] = float(np.mean([row["gain"] for row in table]))
    else:
        not_reported["augmentation_gain"] = f"no budget can be met: the rarest class has {fewest} training images"
    return Measurement(
        values=values,
        n=len(generated.labels),
        dimension=generated.features.shape[1],
        anchors={"synthetic_weighted_f1": (chance, ceiling)},
        details={
            "attribute": name,
            "classes": classes,
            "regularisation": penalty,
            "folds": len(parts),
            "draws": draws,
            "synthetic_only": score,
            "real_only_same_size": ceiling,
            "chance": chance,
            "same_size": {c: {"wanted": wanted[c], "have": int(np.sum(train.labels == c))} for c in classes},
            "budgets": table,
            "budgets_left_out": left_out,
            "not_reported": not_reported,
        },
        uncertainty=lambda: _intervals(reference.labels, alone, pairs, inputs["reference"]),
        paired=lambda: {
            "synthetic_weighted_f1": _contributions(inputs, reference, generated, parts, penalty, alone),
            "augmentation_gain": GAIN_NOTE,
        },
    )


def _require_teachable(
    name: str, classes: Sequence[str], reference: Labels, train: Labels, groups: Sequence[str]
) -> None:
    if len(classes) < 2:
        raise NotComputable(
            f"All reference images are of one class of {name!r}: there is nothing to tell apart.",
            "Raise --n, or use a suite with several classes.",
        )
    absent = [c for c in classes if c not in set(train.tolist())]
    if absent:
        raise NotComputable(
            f"The training split has no images of the classes {', '.join(absent)} of {name!r}.",
            "Add training images of these classes.",
        )
    lone = [c for c in classes if len({g for g, label in zip(groups, reference, strict=True) if label == c}) < 2]
    if lone:
        raise NotComputable(
            f"The reference images of the classes {', '.join(lone)} of {name!r} come from one group each, so a "
            "classifier cannot be trained on other groups' prompts and tested on these.",
            "Raise --n, or use a suite with more patients or slides a class.",
        )


def _folds(reference: FeatureSet, generated: FeatureSet, labels: Labels, folds: int, seed: int) -> list[_Fold]:
    """Folds of the reference by group, each with the generated rows that answer prompts of the other folds."""
    prompt_row = {sample: i for i, sample in enumerate(reference.ids)}
    prompt_of = np.asarray([prompt_row[sample] for sample in generated.ids], dtype=np.int64)
    tests = grouped_folds(labels, reference.groups, folds, seed)
    if not tests:
        raise NotComputable(
            "The groups cannot be cut into two folds that each leave every class to train on.",
            "Raise --n, or use a suite with more patients or slides a class.",
        )
    return [_Fold(test, np.flatnonzero(~np.isin(prompt_of, test))) for test in tests]


def _out_of_fold(
    reference: _Labelled, generated: _Labelled, folds: Sequence[_Fold], real: _Labelled | None, regularisation: float
) -> Labels:
    """Answers for every reference image, each by a classifier that saw no image generated from its group's
    prompts."""
    answers = np.empty(len(reference.labels), dtype=reference.labels.dtype)
    for fold in folds:
        synthetic = generated.take(fold.synthetic)
        taught = synthetic if real is None else real.with_others(synthetic)
        probe = LinearProbe(taught.features, taught.labels, regularisation)
        answers[fold.test] = probe.predict(reference.features[fold.test])
    return answers


def _synthetic_counts(labels: Labels, folds: Sequence[_Fold], classes: Sequence[str]) -> dict[str, int]:
    """Generated training images a class, mean over folds."""
    return {c: round(float(np.mean([np.sum(labels[fold.synthetic] == c) for fold in folds]))) for c in classes}


def _draw(labels: Labels, counts: dict[str, int], seed: int, draw: int) -> Rows:
    """Random training rows, ``counts`` a class (all where there are fewer): the prefix of one seeded order a
    draw.

    A larger budget of the same draw contains the smaller one.
    """
    chosen = []
    for name, count in counts.items():
        rows = np.flatnonzero(labels == name)
        order = np.random.default_rng(seed_from("draw", seed, draw, name)).permutation(len(rows))
        chosen.append(rows[order[:count]])
    return np.sort(np.concatenate(chosen))


def _budget(
    budget: int, draws: int, classes: Sequence[str], reference: _Labelled, generated: _Labelled, train: _Labelled,
    folds: Sequence[_Fold], seed: int, regularisation: float,
) -> list[_Pair]:  # fmt: skip
    """Answers of real alone and of real plus synthetic at ``budget`` real images a class, a pair for each draw."""
    pairs = []
    for draw in range(draws):
        real = train.take(_draw(train.labels, dict.fromkeys(classes, budget), seed, draw))
        probe = LinearProbe(real.features, real.labels, regularisation)
        both = _out_of_fold(reference, generated, folds, real, regularisation)
        pairs.append(_Pair(probe.predict(reference.features), both))
    return pairs


def _budget_row(budget: int, truth: Labels, pairs: Sequence[_Pair]) -> dict[str, Any]:
    """Weighted F1, mean over the draws."""
    alone, both = (float(np.mean([weighted_f1(truth, pair[side]) for pair in pairs])) for side in (0, 1))
    return {"labels_per_class": budget, "real": alone, "real_plus_synthetic": both, "gain": both - alone}


def _intervals(
    truth: Labels, alone: Labels, pairs: Sequence[_Pair], reference: FeatureSet
) -> dict[str, Interval | str]:
    """Over the patients that are tested on; the classifiers as they are."""
    units = unit_codes(reference)
    lack = too_few_units(units)
    if lack:
        return dict.fromkeys(("synthetic_weighted_f1", "augmentation_gain"), lack)
    found: dict[str, Interval | str] = {
        "synthetic_weighted_f1": unit_interval(weighted_f1_without(truth, alone, units), units, (0.0, 1.0))
    }
    if pairs:
        before, after = (average([weighted_f1_without(truth, pair[side], units) for pair in pairs]) for side in (0, 1))
        gain = LeaveOneOut(after.value - before.value, after.without - before.without)
        found["augmentation_gain"] = unit_interval(gain, units, (-1.0, 1.0))
    return found


def _contributions(
    inputs: ScoreInputs, reference: _Labelled, generated: _Labelled, folds: Sequence[_Fold], penalty: float,
    answers: Labels,
) -> Contributions | str:  # fmt: skip
    """Classifiers trained anew without each block of patients, which counts the noise of the training images too.

    Blocks lie within folds, so a fold's own blocks leave its classifier as it is."""
    of = _cut_within(inputs["reference"], folds)
    lack = too_few_for_pairs(of.units)
    if lack:
        return lack
    rows = of.block_of_row
    row_of = {sample: row for row, sample in enumerate(inputs["reference"].ids)}
    synthetic_rows = rows[[row_of[sample] for sample in inputs["generated"].ids]]
    number = int(rows.max()) + 1
    changed = np.tile(answers, (number, 1))
    for fold in folds:
        taught = generated.take(fold.synthetic)
        blocks = synthetic_rows[fold.synthetic]
        for block in np.unique(blocks).tolist():
            left = taught.take(np.flatnonzero(blocks != block))
            if len(np.unique(left.labels)) < len(np.unique(taught.labels)):
                return "No paired difference: without some block of patients a class has no training images."
            probe = LinearProbe(left.features, left.labels, penalty)
            changed[block, fold.test] = probe.predict(reference.features[fold.test])
    without = [weighted_f1(reference.labels[rows != b], changed[b, rows != b]) for b in range(number)]
    return of_blocks(LeaveOneOut(weighted_f1(reference.labels, answers), np.asarray(without)), of)


def _cut_within(reference: FeatureSet, folds: Sequence[_Fold]) -> Cut:
    """Whole patients in two blocks a fold."""
    units = unit_codes(reference)
    block_of_unit = np.zeros(int(units.max()) + 1, np.int64)
    for number, fold in enumerate(folds):
        mine, positions = np.unique(units[fold.test], return_inverse=True)
        sizes = units_of(positions, len(positions)).sizes
        block_of_unit[mine] = BLOCKS_A_FOLD * number + assign_blocks(sizes, min(BLOCKS_A_FOLD, len(mine)), 0)
    return cut_of(reference, np.unique(block_of_unit, return_inverse=True)[1].astype(np.int64))
