"""Tier 4: are the images of use?

Train on synthetic, test on real; and real plus synthetic against real alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from unipath_bench.contracts import FeatureSet, Measurement, ScoreInputs, metric
from unipath_bench.core.errors import NotComputable, UsageError
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut
from unipath_bench.schema.details import Budget, SameSize, SyntheticTraining
from unipath_bench.schema.record import Contributions, Interval
from unipath_bench.scoring.answers import Labels, chance_weighted_f1, weighted_f1, weighted_f1_without
from unipath_bench.scoring.classifiers.choosing import Choice, recipe_of
from unipath_bench.scoring.classifiers.interface import Labelled, Recipe
from unipath_bench.scoring.classifiers.linear import GRID, Linear
from unipath_bench.scoring.classifiers.training import fit, settle
from unipath_bench.scoring.crossing import Across, Fold, cut_into_folds, cut_within, draw, out_of_fold, synthetic_counts
from unipath_bench.scoring.features import attribute_names, image_features, one_label
from unipath_bench.scoring.paired import of_blocks, too_few_for_pairs
from unipath_bench.scoring.uncertainty import average, too_few_units, unit_codes, unit_interval

RETRAINED_NOTE = "No paired difference: every classifier would have to be trained anew without each block of patients."
IMAGES_NOTE = "No paired difference: the folds part images, not patients."
REAL_NOTE = "No paired difference: it is the same for every generator."


class _Pair(NamedTuple):
    """Classes that were read in the reference images, taught by real images and by real and generated ones."""

    alone: Labels
    both: Labels


@dataclass(frozen=True)
class _Course:
    """All that a classifier may be taught and tested on."""

    reference: Labelled
    generated: Labelled
    train: Labelled
    classes: tuple[str, ...]
    folds: Sequence[Fold]
    recipe: Recipe
    inputs: ScoreInputs

    def of_real(self, real: Labelled) -> Labels:
        """Answers of a classifier taught real images alone, which the next generator's run can use too."""
        return fit(self.recipe, real, self.inputs.seed, self.inputs.artifacts).predict(self.reference.features)

    def of_generated(self, generated: Labelled, real: Labelled | None = None, folds: Sequence[Fold] = ()) -> Labels:
        """Answers of classifiers taught generated images, and real ones beside them."""
        return out_of_fold(self.reference, generated, folds or self.folds, real, self.recipe, self.inputs.seed)

    def drawn(self, budget: int, number: int) -> Labelled:
        """Real training images, ``budget`` a class."""
        counts = dict.fromkeys(self.classes, budget)
        return self.train.take(draw(self.train.labels, counts, self.inputs.seed, number))

    def score(self, answers: Labels) -> float:
        return weighted_f1(self.reference.labels, answers)

    def chance(self, answers: Labels) -> float:
        return chance_weighted_f1(self.reference.labels, answers)


def _classes_and_folds(inputs: ScoreInputs, attribute: str, classes: Sequence[str], folds: int, across: Across) -> None:
    if across not in ("groups", "images"):
        raise UsageError(f"The parameter `across` is {across!r}.", "It is groups or images.")
    name = attribute_names(inputs, (attribute,) if attribute else ())[0]
    labels = one_label(inputs["reference"], name)
    _require_teachable(name, sorted(set(labels.tolist())), one_label(inputs["train"], name), classes)
    cut_into_folds(inputs["reference"], inputs["generated"], labels, folds, inputs.seed, across)


@metric(
    *("train.images", "reference.images", "generated.images", "labels"),
    requires=_classes_and_folds,
    purposes={"synthetic_weighted_f1": "utility", "both_weighted_f1": "utility", "augmentation_gain": "utility"},
)
def synthetic_training(
    inputs: ScoreInputs,
    *,
    attribute: str = "",
    budgets: Sequence[int] = (5, 10, 25, 50),
    draws: int = 3,
    folds: int = 5,
    regularisation: Sequence[float] = GRID,
    classifier: Choice = "linear",
    classes: Sequence[str] = (),
    across: Across = "groups",
    full: bool = False,
) -> Measurement:
    """Weighted F1 on real images of a classifier trained on generated images labelled by their prompts.

    The prompts are those of the reference images, so the reference is cut into ``folds`` by group (patient,
    slide): each fold is tested on with a classifier trained on images generated from the prompts of the other
    folds, and the answers of all folds are scored together. ``attribute`` is the one to learn (by default the
    primary, the first); ``classes``, where given, are those that it must have, no more and no fewer. With ``across``
    "images" the folds part single images, which is allowed where each class has one prompt: it says nothing of the
    patient. ``classifier`` is as in attribute control, its hyperparameters chosen on the real training images.

    Values: ``synthetic_weighted_f1``, with anchors chance (the answers dealt out at random) and the same
    classifier trained on as many real training images a class (mean of ``draws`` seeded draws; where the
    training split has fewer of a class, all of them); and ``augmentation_gain``, the gain in weighted F1 by
    adding the generated images to ``budgets`` real images a class, mean over budgets and draws. Budgets that
    the training split cannot meet in every class are left out, as ``details`` says. With ``full`` also
    ``real_weighted_f1`` and ``both_weighted_f1``, of the whole training split alone and with the generated images, and
    in the table of budgets the same number of generated images alone.
    """
    name = attribute_names(inputs, (attribute,) if attribute else ())[0]
    reference, generated, train = (
        Labelled(image_features(inputs, s), one_label(inputs[s], name), inputs[s].groups)
        for s in ("reference", "generated", "train")
    )
    found = tuple(sorted(set(reference.labels.tolist())))
    parts = cut_into_folds(inputs["reference"], inputs["generated"], reference.labels, folds, inputs.seed, across)
    train = train.take(np.flatnonzero(np.isin(train.labels, found)))
    recipe = settle(recipe_of(classifier, regularisation), train, inputs.seed, inputs.artifacts)
    course = _Course(reference, generated, train, found, parts, recipe, inputs)

    alone = course.of_generated(generated)
    wanted = synthetic_counts(generated.labels, parts, found)
    same_size = [
        course.score(course.of_real(train.take(draw(train.labels, wanted, inputs.seed, d)))) for d in range(draws)
    ]
    score, real = course.score(alone), float(np.mean(same_size))
    values = {"synthetic_weighted_f1": score}
    chance = course.chance(alone)
    anchors: dict[str, tuple[float | None, float | None]] = {"synthetic_weighted_f1": (chance, real)}
    table, pairs, left_out = _at_budgets(course, budgets, draws, full)
    not_reported = {}
    if table:
        values["augmentation_gain"] = float(np.mean([row.gain for row in table]))
    else:
        not_reported["augmentation_gain"] = f"no budget can be met: {_fewest(course)}"
    answers = {"synthetic_weighted_f1": alone}
    if full:
        answers |= {
            "real_weighted_f1": course.of_real(train),
            "both_weighted_f1": course.of_generated(generated, train),
        }
        for value in ("real_weighted_f1", "both_weighted_f1"):
            values[value] = course.score(answers[value])
            anchors[value] = (course.chance(answers[value]), None)
    details = SyntheticTraining(
        attribute=name,
        classes=found,
        classifier=recipe.described(),
        regularisation=recipe.regularisation[0] if isinstance(recipe, Linear) else None,
        folds=len(parts),
        draws=draws,
        synthetic_only=score,
        real_only_same_size=real,
        chance=chance,
        same_size={c: SameSize(wanted=wanted[c], have=int(np.sum(train.labels == c))) for c in found},
        budgets=tuple(table),
        budgets_left_out=left_out,
        not_reported=not_reported,
    )
    return Measurement(
        values=values,
        n_images=len(generated),
        dimension=generated.features.shape[1],
        anchors=anchors,
        details=details,
        uncertainty=lambda: _intervals(reference.labels, answers, pairs, inputs["reference"]),
        paired=lambda: {
            "synthetic_weighted_f1": IMAGES_NOTE if across == "images" else _contributions(course, alone),
            "augmentation_gain": RETRAINED_NOTE,
            **({"real_weighted_f1": REAL_NOTE, "both_weighted_f1": RETRAINED_NOTE} if full else {}),
        },
    )


def _require_teachable(name: str, found: Sequence[str], train: Labels, wanted: Sequence[str]) -> None:
    if wanted and set(found) != set(wanted):
        absent, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
        raise NotComputable(
            f"The task is for the {len(wanted)} classes {', '.join(sorted(wanted))}; the reference images "
            + " and ".join(
                part
                for part in (
                    f"have none of {', '.join(absent)}" if absent else "",
                    f"have {_some(more)} too" if more else "",
                )
                if part
            )
            + f" in {name!r}.",
            "Use the suite that the task is for, and no --n that leaves a class out.",
        )
    if len(found) < 2:
        raise NotComputable(
            f"All reference images are of one class of {name!r}: there is nothing to tell apart.",
            "Raise --n, or use a suite with several classes.",
        )
    absent = [c for c in found if c not in set(train.tolist())]
    if absent:
        raise NotComputable(
            f"The training split has no images of the classes {', '.join(absent)} of {name!r}.",
            "Add training images of these classes.",
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")


def _at_budgets(
    course: _Course, budgets: Sequence[int], draws: int, full: bool
) -> tuple[list[Budget], list[_Pair], dict[str, str]]:
    """A row a budget, mean over draws; all answers; and the budgets that cannot be met, with the reason."""
    table, pairs, left_out = [], list[_Pair](), {}
    fewest = min(int(np.sum(course.train.labels == c)) for c in course.classes)
    for budget in budgets:
        if budget > fewest:
            left_out[str(budget)] = _fewest(course)
            continue
        drawn = []
        for number in range(draws):
            real = course.drawn(budget, number)
            drawn.append(_Pair(course.of_real(real), course.of_generated(course.generated, real)))
        alone, both = (float(np.mean([course.score(pair[side]) for pair in drawn])) for side in (0, 1))
        table.append(
            Budget(
                labels_per_class=budget,
                real=alone,
                real_plus_synthetic=both,
                gain=both - alone,
                synthetic=_synthetic_at(course, budget, draws) if full else None,
            )
        )
        pairs.extend(drawn)
    return table, pairs, left_out


def _synthetic_at(course: _Course, budget: int, draws: int) -> float | None:
    """Of ``budget`` generated images a class, mean over draws; None where a fold has fewer of a class."""
    labels = course.generated.labels
    if any(np.sum(labels[fold.synthetic] == c) < budget for fold in course.folds for c in course.classes):
        return None
    counts = dict.fromkeys(course.classes, budget)
    scores = []
    for number in range(draws):
        fewer = [
            Fold(fold.test, fold.synthetic[draw(labels[fold.synthetic], counts, course.inputs.seed, number)])
            for fold in course.folds
        ]
        scores.append(course.score(course.of_generated(course.generated, None, fewer)))
    return float(np.mean(scores))


def _fewest(course: _Course) -> str:
    fewest = min(int(np.sum(course.train.labels == c)) for c in course.classes)
    return f"the training split has {fewest} images of its rarest class"


def _intervals(
    truth: Labels, answers: dict[str, Labels], pairs: Sequence[_Pair], reference: FeatureSet
) -> dict[str, Interval | str]:
    """Over the patients that are tested on; the classifiers as they are."""
    units = unit_codes(reference)
    lack = too_few_units(units)
    if lack:
        return dict.fromkeys((*answers, "augmentation_gain"), lack)
    found: dict[str, Interval | str] = {
        name: unit_interval(weighted_f1_without(truth, each, units), units, (0.0, 1.0))
        for name, each in answers.items()
    }
    if pairs:
        before, after = (average([weighted_f1_without(truth, pair[side], units) for pair in pairs]) for side in (0, 1))
        gain = LeaveOneOut(after.value - before.value, after.without - before.without)
        found["augmentation_gain"] = unit_interval(gain, units, (-1.0, 1.0))
    return found


def _contributions(course: _Course, answers: Labels) -> Contributions | str:
    """Classifiers trained anew without each block of patients, which counts the noise of the training images too.

    Blocks lie within folds, so a fold's own blocks leave its classifier as it is.
    """
    inputs, truth = course.inputs, course.reference.labels
    of = cut_within(inputs["reference"], course.folds)
    lack = too_few_for_pairs(of.units)
    if lack:
        return lack
    rows = of.block_of_row
    row_of = {sample: row for row, sample in enumerate(inputs["reference"].ids)}
    synthetic_rows = rows[[row_of[sample] for sample in inputs["generated"].ids]]
    number = int(rows.max()) + 1
    changed = np.tile(answers, (number, 1))
    for fold in course.folds:
        taught = course.generated.take(fold.synthetic)
        blocks = synthetic_rows[fold.synthetic]
        for block in np.unique(blocks).tolist():
            left = taught.take(np.flatnonzero(blocks != block))
            if len(np.unique(left.labels)) < len(np.unique(taught.labels)):
                return "No paired difference: without some block of patients a class has no training images."
            again = fit(course.recipe, left, inputs.seed)
            changed[block, fold.test] = again.predict(course.reference.features[fold.test])
    without = [weighted_f1(truth[rows != b], changed[b, rows != b]) for b in range(number)]
    return of_blocks(LeaveOneOut(weighted_f1(truth, answers), np.asarray(without)), of)
