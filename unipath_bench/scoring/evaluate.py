"""One task on one set of inputs: its values with both ends of their scales, or why there are none."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Mapping
from typing import Any

from unipath_bench.contracts import Measurement, Metric, ScoreInputs
from unipath_bench.core.errors import DataError, NotComputable, UsageError, listed
from unipath_bench.schema.details import Details, Other
from unipath_bench.schema.record import Contributions, Interval, TaskScore, Value
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.anchors import Anchored, anchored, position

NO_INTERVAL = "The metric gives no interval."
NO_CONTRIBUTIONS = "The metric declares nothing that a paired difference could be taken of."


def evaluate(spec: TaskSpec, metric: Metric, inputs: ScoreInputs) -> TaskScore:
    """Compute a task with its anchors; the score is under the task's name and says nothing of encoders.

    :class:`NotComputable` becomes the status "not computed"; values that the metric could not give are absent and
    named in ``details.not_reported``. Raises :class:`UsageError` where the task's parameters or values do not fit its
    metric, :class:`DataError` where the metric returns NaN, infinity, or details that are not JSON.
    """
    check_parameters(spec, metric)
    try:
        measured, anchors = anchored(metric, inputs, spec.parameters, spec)
    except NotComputable as error:
        return not_computed(spec, error.message, error.remedy)
    details = _details(spec, measured)
    reasons = details.not_reported if details is not None else {}
    _check(spec, metric, measured, reasons)
    if details is not None:  # with reasons for the values that the task asks for and no others
        asked = {name: reason for name, reason in reasons.items() if name in spec.values}
        details = details.model_copy(update={"not_reported": asked})
    if spec.headline not in measured.values:
        return not_computed(spec, reasons[spec.headline], details=details)
    intervals, paired = measured.uncertainty(), measured.paired()
    return TaskScore(
        **_described(spec),
        status="computed",
        n_images=measured.n_images,
        dimension=measured.dimension,
        values={
            name: _value(
                spec,
                name,
                measured,
                anchors[name],
                intervals.get(name, NO_INTERVAL),
                paired.get(name, NO_CONTRIBUTIONS),
            )
            for name in spec.values
            if name in measured.values
        },
        details=details,
    )


def not_computed(spec: TaskSpec, reason: str, remedy: str = "", *, details: Details | None = None) -> TaskScore:
    """The score of a task that has none."""
    return TaskScore(**_described(spec), status="not computed", reason=reason, remedy=remedy, details=details)


def _described(spec: TaskSpec) -> dict[str, Any]:
    return {"key": spec.name, "task": spec.name, "tier": spec.tier, "version": spec.version, "title": spec.title}


def _details(spec: TaskSpec, measured: Measurement) -> Details | None:
    """The metric's details; a plain mapping becomes :class:`Other`, one without content none."""
    if not isinstance(measured.details, Mapping):
        return measured.details
    try:
        content = json.loads(json.dumps(dict(measured.details), allow_nan=False))
        return Other(not_reported=content.pop("not_reported", {}), content=content) if content else None
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The details that the metric of {spec.name!r} returned are not JSON: {error}",
            "A metric's details are plain numbers, strings, lists and dictionaries, without NaN; `not_reported` maps "
            "names to reasons.",
        ) from error


def check_parameters(spec: TaskSpec, metric: Metric) -> None:
    """Raise :class:`UsageError` where a task gives its metric parameters that it does not take."""
    try:
        inspect.signature(metric.function).bind(None, **spec.parameters)
    except TypeError as error:
        raise UsageError(
            f"The task {spec.name!r} gives its metric {metric.name!r} wrong parameters: {error}.",
            "Correct `parameters` in the task's YAML.",
        ) from error


def _check(spec: TaskSpec, metric: Metric, measured: Measurement, reasons: Mapping[str, str]) -> None:
    known = {*measured.values, *reasons}
    unknown = [name for name in spec.values if name not in known]
    if unknown:
        raise UsageError(
            f"The task {spec.name!r} lists values that its metric {metric.name!r} does not give:\n{listed(unknown)}",
            f"It gives: {', '.join(sorted(known))}.",
        )
    bad = [name for name in spec.values if name in measured.values and not math.isfinite(measured.values[name])]
    if bad:
        raise DataError(
            f"The metric {metric.name!r} gave NaN or infinity for {', '.join(bad)} of the task {spec.name!r}.",
            "A figure that cannot be computed must be refused by the metric, never returned.",
        )


def _value(
    spec: TaskSpec,
    name: str,
    measured: Measurement,
    anchor: Anchored,
    found: Interval | str,
    paired: Contributions | str,
) -> Value:
    of = spec.values[name]
    value = float(measured.values[name])
    return Value(
        value=value,
        title=of.title,
        direction=of.direction,
        headline=name == spec.headline,
        unit=of.unit,
        bad_end=anchor.bad_end,
        bad_end_source=anchor.bad_end_source,
        good_end=anchor.good_end,
        good_end_source=anchor.good_end_source,
        position=position(value, anchor.bad_end, anchor.good_end),
        interval=None if isinstance(found, str) else found,
        interval_note=found if isinstance(found, str) else "",
        contributions=None if isinstance(paired, str) else paired,
        contributions_note=paired if isinstance(paired, str) else "",
    )
