"""Tier 3: is each attribute there that the prompt asked for?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from unipath_bench.contracts import FeatureSet, Measurement, ScoreInputs, metric
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut
from unipath_bench.schema.record import Contributions, Interval
from unipath_bench.scoring.classifier import (
    GRID,
    Labels,
    LinearProbe,
    calibration_error,
    chance_weighted_f1,
    choose_regularisation,
    confusion,
    weighted_f1,
    weighted_f1_without,
)
from unipath_bench.scoring.features import Matrix, attribute_names, image_features, one_label
from unipath_bench.scoring.not_computable import NotComputable
from unipath_bench.scoring.paired import NOT_MATCHED, cut, of_units, too_few_for_pairs
from unipath_bench.scoring.uncertainty import average, design, too_few_units, unit_interval


@metric("train.images", "reference.images", "generated.images", "labels")
def attribute_control(
    inputs: ScoreInputs, *, attributes: Sequence[str] = (), regularisation: Sequence[float] = GRID
) -> Measurement:
    """Weighted F1 of a classifier's reading of the generated images against the attributes that the prompts
    asked for.

    One linear probe an attribute, its penalty chosen from ``regularisation`` by cross-validation, trained on
    real training images alone, validated on the real reference images, applied to the generated ones. Values:
    ``weighted_f1``, the mean over attributes (``attributes``, or all that the suite has), and
    ``percent_of_real``, 100 times the ratio of that mean to the same mean on the real reference images.
    Anchors of ``weighted_f1``: the expected value when the classifier's answers are dealt out at random, and
    the real images' score.

    An attribute that the training images cannot teach (one class only, or a class of the prompts absent) is
    left out, with the reason in ``details["not_computed"]``; :class:`NotComputable` where that leaves none.
    """
    train, reference, generated = (image_features(inputs, name) for name in ("train", "reference", "generated"))
    tables: dict[str, dict[str, Any]] = {}
    answers: list[_Answers] = []
    left_out: dict[str, str] = {}
    for name in attribute_names(inputs, attributes):
        taught, real, prompted = (one_label(inputs[s], name) for s in ("train", "reference", "generated"))
        reason = _untaught(taught, np.concatenate([prompted, real]))
        if reason:
            left_out[name] = reason
        else:
            chosen = choose_regularisation(train, taught, inputs["train"].groups, regularisation, inputs.seed)
            probe = LinearProbe(train, taught, chosen)
            tables[name] = {**_table(probe, reference, real, generated, prompted), "regularisation": chosen}
            answers.append(_Answers(prompted, probe.predict(generated), real, probe.predict(reference)))
    if not tables:
        raise NotComputable(
            "No attribute can be scored: " + "; ".join(f"{name}: {why}" for name, why in left_out.items()) + ".",
            "Give the suite's train split images of every class that the prompts ask for.",
        )
    score, ceiling, floor = (
        float(np.mean([table[key] for table in tables.values()]))
        for key in ("weighted_f1", "real_weighted_f1", "chance")
    )
    values = {"weighted_f1": score}
    not_reported = {}
    if ceiling > 0:
        values["percent_of_real"] = 100 * score / ceiling
    else:
        not_reported["percent_of_real"] = "the classifiers read none of the real images right"
    return Measurement(
        values=values,
        n=len(generated),
        dimension=generated.shape[1],
        anchors={"weighted_f1": (floor, ceiling), "percent_of_real": (_percent(floor, ceiling), 100.0)},
        details={"attributes": tables, "not_computed": left_out, "not_reported": not_reported},
        uncertainty=lambda: _intervals(inputs["reference"], inputs["generated"], answers, ceiling > 0),
        paired=lambda: _contributions(inputs["reference"], inputs["generated"], answers, ceiling > 0),
    )


class _Answers(NamedTuple):
    """What was asked for and what a probe saw, of the generated and of the real images."""

    prompted: Labels
    seen: Labels
    real: Labels
    seen_in_real: Labels


def _intervals(
    reference: FeatureSet, generated: FeatureSet, answers: Sequence[_Answers], has_ratio: bool
) -> dict[str, Interval | str]:
    """Of the mean over attributes and of its ratio to the real images', the probes as they are."""
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
    ceiling = average([weighted_f1_without(each.real, each.seen_in_real, first) for each in answers])
    ratio = LeaveOneOut(100 * score.value / ceiling.value, 100 * score.without / ceiling.without)
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
    """As the intervals: the probes, which are the same for every generator, as they are."""
    of = cut(generated)
    lack = too_few_for_pairs(of.units)
    if lack:
        return dict.fromkeys(("weighted_f1", "percent_of_real"), lack)
    found = {"weighted_f1": control_contributions(generated, [(each.prompted, each.seen) for each in answers])}
    if has_ratio:
        first, second, matched = design(reference, generated)
        found["percent_of_real"] = NOT_MATCHED
        if matched:
            ceiling = average([weighted_f1_without(each.real, each.seen_in_real, first) for each in answers])
            # Units are numbered by the reference here, which the generated set follows prompt by prompt.
            score = average([weighted_f1_without(each.prompted, each.seen, second) for each in answers])
            ratio = LeaveOneOut(100 * score.value / ceiling.value, 100 * score.without / ceiling.without)
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


def _table(probe: LinearProbe, reference: Matrix, real: Labels, generated: Matrix, prompted: Labels) -> dict[str, Any]:
    seen, seen_in_real = probe.predict(generated), probe.predict(reference)
    score, ceiling = weighted_f1(prompted, seen), weighted_f1(real, seen_in_real)
    return {
        "classes": probe.classes,
        "weighted_f1": score,
        "real_weighted_f1": ceiling,
        "real_accuracy": float(np.mean(real == seen_in_real)),
        "ece": calibration_error(probe, reference, real),
        "chance": chance_weighted_f1(prompted, seen),
        "percent_of_real": _percent(score, ceiling),
        "support": {name: int(np.sum(prompted == name)) for name in probe.classes},
        "confusion": confusion(prompted, seen, probe.classes),
    }


def _percent(score: float, ceiling: float) -> float | None:
    return 100 * score / ceiling if ceiling > 0 else None
