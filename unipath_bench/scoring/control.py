"""Tier 3: is each attribute there that the prompt asked for?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import FeatureSet, Measurement, ScoreInputs, metric
from unipath_bench.core.errors import NotComputable
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut
from unipath_bench.schema.details import Attribute, AttributeCalibration, AttributeControl
from unipath_bench.schema.record import Contributions, Interval
from unipath_bench.scoring.answers import chance_weighted_f1, confusion, weighted_f1, weighted_f1_without
from unipath_bench.scoring.classifiers.calibration import (
    Probabilities,
    calibration_error,
    reliability,
    with_temperature,
)
from unipath_bench.scoring.classifiers.choosing import Choice, recipe_of
from unipath_bench.scoring.classifiers.interface import Classifier, Labelled, Labels, Recipe, columns_of
from unipath_bench.scoring.classifiers.linear import GRID, Linear
from unipath_bench.scoring.classifiers.training import Calibration, calibrate, fit, settle
from unipath_bench.scoring.features import Matrix, attribute_names, image_features, one_label
from unipath_bench.scoring.paired import NOT_MATCHED, cut, of_units, too_few_for_pairs
from unipath_bench.scoring.uncertainty import average, design, too_few_units, unit_interval


def _something_to_teach(inputs: ScoreInputs, attributes: Sequence[str]) -> None:
    left_out = _left_out(inputs, attributes)
    if all(left_out.values()):
        raise NotComputable(
            "No attribute can be scored: " + "; ".join(f"{name}: {why}" for name, why in left_out.items()) + ".",
            "Give the suite's train split images of every class that the prompts ask for.",
        )


def _left_out(inputs: ScoreInputs, attributes: Sequence[str]) -> dict[str, str]:
    """Each attribute with the reason why the training images cannot teach it; empty where they can."""
    reasons = {}
    for name in attribute_names(inputs, attributes):
        taught, real, prompted = (one_label(inputs[s], name) for s in ("train", "reference", "generated"))
        reasons[name] = _untaught(taught, np.concatenate([prompted, real]))
    return reasons


@metric(
    *("train.images", "reference.images", "generated.images", "labels"),
    purposes={"weighted_f1": "control", "percent_of_real": "control"},
    requires=_something_to_teach,
)
def attribute_control(
    inputs: ScoreInputs,
    *,
    attributes: Sequence[str] = (),
    regularisation: Sequence[float] = GRID,
    classifier: Choice = "linear",
) -> Measurement:
    """Weighted F1 of a classifier's reading of the generated images against the attributes that the prompts asked for.

    There is one ``classifier`` per attribute (by default a linear probe, its penalty chosen from ``regularisation`` by
    cross-validation; see :func:`~unipath_bench.scoring.classifiers.choosing.recipe_of`), trained on real training
    images alone, validated on the real reference images of other patients, applied to the generated ones. Its
    calibration is in ``details``: the expected calibration error on the reference images before and after
    temperature scaling, which is fitted on training images and changes no answer, and the table of reliability.
    Values:
    ``weighted_f1``, the mean over attributes (``attributes``, or all that the suite has), and
    ``percent_of_real``, 100 times the ratio of that mean to the same mean on the real reference images.
    Anchors of ``weighted_f1``: the expected value when the classifier's answers are dealt out at random, and
    the real images' score.

    An attribute that the training images cannot teach (one class only, or a class of the prompts absent) is
    left out, with the reason in ``details.not_computed``; :class:`NotComputable` where that leaves none.
    """
    train, reference, generated = (image_features(inputs, name) for name in ("train", "reference", "generated"))
    recipe = recipe_of(classifier, regularisation)
    tables: dict[str, Attribute] = {}
    answers: list[_Answers] = []
    reasons = _left_out(inputs, attributes)
    for name, reason in reasons.items():
        if not reason:
            taught, real, prompted = (one_label(inputs[s], name) for s in ("train", "reference", "generated"))
            images = Labelled(train, taught, inputs["train"].groups)
            chosen = settle(recipe, images, inputs.seed, inputs.artifacts)
            judge = fit(chosen, images, inputs.seed, inputs.artifacts)
            read = _Answers(prompted, judge.predict(generated), real, judge.predict(reference))
            calibration = calibrate(chosen, images, inputs.seed, inputs.artifacts)
            tables[name] = _table(judge, chosen, read, reference, calibration)
            answers.append(read)
    score = float(np.mean([table.weighted_f1 for table in tables.values()]))
    attainable = float(np.mean([table.real_weighted_f1 for table in tables.values()]))
    chance = float(np.mean([table.chance for table in tables.values()]))
    values = {"weighted_f1": score}
    not_reported = {}
    if attainable > 0:
        values["percent_of_real"] = 100 * score / attainable
    else:
        not_reported["percent_of_real"] = "the classifiers read none of the real images right"
    return Measurement(
        values=values,
        n_images=len(generated),
        dimension=generated.shape[1],
        anchors={"weighted_f1": (chance, attainable), "percent_of_real": (_percent(chance, attainable), 100.0)},
        details=AttributeControl(
            attributes=tables,
            not_computed={name: reason for name, reason in reasons.items() if reason},
            not_reported=not_reported,
        ),
        uncertainty=lambda: _intervals(inputs["reference"], inputs["generated"], answers, attainable > 0),
        paired=lambda: _contributions(inputs["reference"], inputs["generated"], answers, attainable > 0),
    )


class _Answers(NamedTuple):
    """What was asked for and what a classifier saw, of the generated and of the real images."""

    prompted: Labels
    seen: Labels
    real: Labels
    seen_in_real: Labels


def _intervals(
    reference: FeatureSet, generated: FeatureSet, answers: Sequence[_Answers], has_ratio: bool
) -> dict[str, Interval | str]:
    """Of the mean over attributes and of its ratio to the real images', the classifiers as they are."""
    first, second, matched = design(reference, generated)
    lack = too_few_units(second)
    if lack:
        return dict.fromkeys(("weighted_f1", "percent_of_real"), lack)
    score = average([weighted_f1_without(each.prompted, each.seen, second) for each in answers])
    found: dict[str, Interval | str] = {"weighted_f1": unit_interval(score, second, (0.0, 1.0))}
    if not has_ratio:
        return found
    if not matched:
        found["percent_of_real"] = "No interval: the generated images do not answer the prompts of the same patients."
        return found
    real = average([weighted_f1_without(each.real, each.seen_in_real, first) for each in answers])
    ratio = LeaveOneOut(100 * score.value / real.value, 100 * score.without / real.without)
    return {**found, "percent_of_real": unit_interval(ratio, second, (0.0, np.inf))}


def control_contributions(generated: FeatureSet, answers: Sequence[tuple[Labels, Labels]]) -> Contributions | str:
    """Of the mean weighted F1 over attributes; ``answers`` are, for each, the classes asked for and those read."""
    of = cut(generated)
    lack = too_few_for_pairs(of.units)
    if lack:
        return lack
    return of_units(average([weighted_f1_without(asked, read, of.units) for asked, read in answers]), of)


def _contributions(
    reference: FeatureSet, generated: FeatureSet, answers: Sequence[_Answers], has_ratio: bool
) -> dict[str, Contributions | str]:
    """As the intervals: the classifiers, which are the same for every generator, as they are."""
    of = cut(generated)
    lack = too_few_for_pairs(of.units)
    if lack:
        return dict.fromkeys(("weighted_f1", "percent_of_real"), lack)
    found = {"weighted_f1": control_contributions(generated, [(each.prompted, each.seen) for each in answers])}
    if has_ratio:
        first, second, matched = design(reference, generated)
        found["percent_of_real"] = NOT_MATCHED
        if matched:
            real = average([weighted_f1_without(each.real, each.seen_in_real, first) for each in answers])
            # Units are numbered by the reference here, which the generated set follows prompt by prompt.
            score = average([weighted_f1_without(each.prompted, each.seen, second) for each in answers])
            ratio = LeaveOneOut(100 * score.value / real.value, 100 * score.without / real.without)
            found["percent_of_real"] = of_units(ratio, of)
    return found


def _untaught(taught: Labels, wanted: Labels) -> str:
    """Why the training images cannot teach an attribute; empty where they can."""
    absent = sorted(set(wanted.tolist()) - set(taught.tolist()))
    if absent:
        return "no training images of " + ", ".join(absent[:5]) + (" and others" if len(absent) > 5 else "")
    if len(set(taught.tolist())) < 2:
        return "the training images have one class only"
    return ""


def _table(
    judge: Classifier, recipe: Recipe, read: _Answers, reference: Matrix, calibration: Calibration | None
) -> Attribute:
    score, real = weighted_f1(read.prompted, read.seen), weighted_f1(read.real, read.seen_in_real)
    probabilities, columns = judge.probabilities(reference), columns_of(judge, read.real)
    return Attribute(
        classes=tuple(judge.classes),
        weighted_f1=score,
        real_weighted_f1=real,
        real_accuracy=float(np.mean(read.real == read.seen_in_real)),
        ece=calibration_error(probabilities, columns),
        chance=chance_weighted_f1(read.prompted, read.seen),
        percent_of_real=_percent(score, real),
        support={name: int(np.sum(read.prompted == name)) for name in judge.classes},
        confusion=confusion(read.prompted, read.seen, judge.classes),
        classifier=recipe.described(),
        calibration=_calibration(probabilities, columns, calibration),
        regularisation=recipe.regularisation[0] if isinstance(recipe, Linear) else None,
    )


def _calibration(
    probabilities: Probabilities, columns: npt.NDArray[np.int64], found: Calibration | None
) -> AttributeCalibration:
    """Reliability on the real reference images, before and after temperature scaling."""
    table = reliability(probabilities, columns)
    if found is None:
        return AttributeCalibration(
            reliability=table, not_scaled="the training images have too few groups to fit a temperature on"
        )
    return AttributeCalibration(
        reliability=table,
        temperature=found.temperature,
        temperature_fitted_on=found.images,
        ece_with_temperature=calibration_error(with_temperature(probabilities, found.temperature), columns),
    )


def _percent(score: float, real: float) -> float | None:
    return 100 * score / real if real > 0 else None
