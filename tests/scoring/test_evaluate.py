"""One task to one outcome, and all shipped tasks on a world that is as good as reality."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.scoring.scoring_worlds import World, matrix_of
from unipath_bench.contracts import Measurement, ScoreInputs, metric
from unipath_bench.core.errors import DataError, NotComputable, UsageError
from unipath_bench.core.registries import METRICS
from unipath_bench.schema.details import Details, Other
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.scoring.evaluate import NO_INTERVAL, evaluate

TASKS = load_tasks()
KATHER = TASKS["kather-crc"].parameters["classes"]


@metric("generated.images")
def measured(inputs: ScoreInputs, *, score: float = 3.0, missing: bool = False) -> Measurement:
    """A number as told."""
    if score < 0:
        raise NotComputable("It is below zero.", "Raise it.")
    if missing:
        return Measurement({"other": 1.0}, n_images=4, details={"not_reported": {"score": "there is no k"}})
    return Measurement({"score": score, "other": 1.0, "unlisted": 9.0}, n_images=4, dimension=2)


def _spec(parameters: dict[str, object] | None = None, **more: object) -> TaskSpec:
    values = {"score": {"title": "Score", "direction": "lower", "bad_end": 5.0, "good_end": 1.0}, **more}
    return TaskSpec.model_validate(
        {
            "name": "probe",
            "tier": 2,
            "version": 1,
            "title": "t",
            "summary": "s",
            "metric": "m",
            "parameters": parameters or {},
            "headline": "score",
            "values": values,
        }
    )


NOTHING = ScoreInputs({})


def test_an_outcome_has_the_listed_values_with_their_scale() -> None:
    outcome = evaluate(_spec(other={"title": "Other", "direction": "higher"}), measured, NOTHING)
    assert outcome.status == "computed"
    assert list(outcome.values) == ["score", "other"]
    assert (outcome.n_images, outcome.dimension) == (4, 2)
    score = outcome.values["score"]
    assert (score.value, score.good_end, score.bad_end, score.headline) == (3.0, 1.0, 5.0, True)
    assert score.position == 50.0
    assert (score.interval, score.interval_note) == (None, NO_INTERVAL)
    other = outcome.values["other"]
    assert (other.bad_end, other.good_end, other.position, other.headline) == (None, None, None, False)


def test_not_computable_is_a_status_with_reason_and_remedy() -> None:
    outcome = evaluate(_spec({"score": -1.0}), measured, NOTHING)
    assert (outcome.status, outcome.reason, outcome.remedy) == ("not computed", "It is below zero.", "Raise it.")
    assert not outcome.values
    headless = evaluate(_spec({"missing": True}), measured, NOTHING)
    assert (headless.status, headless.reason) == ("not computed", "there is no k")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_metric_that_returns_no_number_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="NaN or infinity for score"):
        evaluate(_spec({"score": bad}), measured, NOTHING)


def test_a_task_that_does_not_fit_its_metric_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"wrong parameters.*subset"):
        evaluate(_spec({"subset": 3}), measured, NOTHING)
    with pytest.raises(UsageError, match=r"(?s)does not give:.*nonsense"):
        evaluate(_spec(nonsense={"title": "x", "direction": "lower"}), measured, NOTHING)


@pytest.fixture(scope="module")
def as_good_as_reality() -> ScoreInputs:
    return World(count=120, distance=8, dimension=34).inputs()


@pytest.fixture(scope="module")
def eight_classes() -> ScoreInputs:
    """The same with the classes of Kather-CRC 2016, under the attribute's name there."""
    inputs = World(count=160, distance=8, dimension=34, classes=KATHER).inputs()
    named = {k: dataclasses.replace(s, labels={"label": s.labels["tissue"]}) for k, s in inputs.sets.items()}
    return inputs.replaced(**named)


@pytest.mark.integration
@pytest.mark.parametrize("name", list(TASKS))
def test_every_shipped_task_computes_all_of_its_values(
    name: str, as_good_as_reality: ScoreInputs, eight_classes: ScoreInputs
) -> None:
    spec = TASKS[name]
    inputs = eight_classes if "classes" in spec.parameters else as_good_as_reality
    outcome = evaluate(spec, METRICS.get(spec.metric), inputs)
    assert outcome.status == "computed", outcome.reason
    assert set(outcome.values) == set(spec.values)
    assert outcome.details is not None
    assert not isinstance(outcome.details, Other)
    for name, found in outcome.values.items():
        assert (found.interval is None) == bool(found.interval_note), name
        assert found.interval_note != NO_INTERVAL, name
    for value, of in spec.values.items():
        for side in ("bad_end", "good_end"):
            if getattr(of, side) != "none":
                assert getattr(outcome.values[value], side) is not None, (value, side)
    headline = outcome.values[spec.headline]
    # Real images in the generator's place: near the good end of every scale.
    assert headline.position is not None
    assert headline.position == pytest.approx(100, abs=12)


@pytest.mark.parametrize("name", list(TASKS))
def test_every_shipped_task_refuses_nan_features(
    name: str, as_good_as_reality: ScoreInputs, eight_classes: ScoreInputs
) -> None:
    spec = TASKS[name]
    inputs = eight_classes if "classes" in spec.parameters else as_good_as_reality
    generated = inputs["generated"]
    images = matrix_of(generated).copy()
    images[17] = np.nan
    with pytest.raises((ValueError, DataError), match="NaN"):
        evaluate(
            spec,
            METRICS.get(spec.metric),
            inputs.replaced(generated=dataclasses.replace(generated, images=images)),
        )


def _detailed(details: Mapping[Any, object]) -> Details | None:
    @metric("generated.images")
    def detailed(inputs: ScoreInputs) -> Measurement:
        return Measurement({"score": 3.0}, n_images=len(inputs.sets), details=details)

    return evaluate(_spec(), detailed, NOTHING).details


def test_a_plain_mapping_is_kept_as_other_and_an_empty_one_not_at_all() -> None:
    assert _detailed({}) is None
    assert _detailed({"rows": (1, 2), 5: None}) == Other(content={"rows": [1, 2], "5": None})
    reasons = {"score": "asked for", "unlisted": "not asked for"}
    assert _detailed({"not_reported": reasons}) == Other(not_reported={"score": "asked for"})


@pytest.mark.parametrize("details", [{"a": float("nan")}, {"a": object()}, {"not_reported": "nothing"}])
def test_details_that_are_not_json_are_refused(details: dict[str, object]) -> None:
    with pytest.raises(DataError, match="metric of 'probe' returned are not JSON"):
        _detailed(details)
