"""A task made ready for many evaluations: what depends on training images alone is done once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unipath_bench.contracts import Metric, ScoreInputs
from unipath_bench.core.errors import NotComputable
from unipath_bench.schema.details import AttributeControl, Details, SyntheticTraining
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.answers import weighted_f1
from unipath_bench.scoring.classifiers.linear import LinearProbe
from unipath_bench.scoring.features import image_features, one_label

Score = Callable[[ScoreInputs], Mapping[str, float]]
"""Values by name; without those that cannot be computed on these inputs."""

COSTLY_CUTS = 4
"""Cuts into halves of a costly scorer."""


@dataclass(frozen=True)
class Scorer:
    """A task on all prompts, and on a half of them."""

    whole: Score
    half: Score
    costly: bool = False
    """Classifiers are trained anew at each evaluation: :data:`COSTLY_CUTS` into halves, and only where something is
    declared of one of the task's values."""


def make_scorer(spec: TaskSpec, metric: Metric, honest: ScoreInputs, details: Details | None) -> Scorer:
    """The scorer of a task whose ``details`` on the inputs of level 0 are known.

    Classifiers' penalties are those that cross-validation on the training images chose at level 0, and the judges of
    attribute control are trained once: on all prompts every figure is the task's own. Training on synthetic images
    draws its real images once in a half where the task may draw several times; that adds to the noise of the half, so
    what is called significant is so with one draw too.
    """
    if isinstance(details, AttributeControl):
        found = {name: table.regularisation for name, table in details.attributes.items()}
        penalties = {name: penalty for name, penalty in found.items() if penalty is not None}
        if len(penalties) == len(found):
            judges = _Judges.trained(honest, penalties)
            return Scorer(judges, judges)
    if isinstance(details, SyntheticTraining) and details.regularisation is not None:
        chosen = {**spec.parameters, "regularisation": [details.regularisation]}
        return Scorer(_plain(metric, chosen), _plain(metric, {**chosen, "draws": 1}), costly=True)
    score = _plain(metric, spec.parameters)
    return Scorer(score, score)


def reads(metric: Metric, sets: frozenset[str]) -> bool:
    """Whether a metric reads any of these sets."""
    return bool({need.partition(".")[0] for need in metric.needs} & sets)


def _plain(metric: Metric, parameters: Mapping[str, Any]) -> Score:
    def score(inputs: ScoreInputs) -> Mapping[str, float]:
        try:
            return metric(inputs, **parameters).values
        except NotComputable:
            return {}

    return score


@dataclass(frozen=True)
class _Judges:
    """Attribute control with the probes as they are: mean weighted F1, and its ratio to that of real images."""

    probes: Mapping[str, LinearProbe]

    @classmethod
    def trained(cls, inputs: ScoreInputs, penalties: Mapping[str, float]) -> _Judges:
        train = image_features(inputs, "train")
        return cls(
            {name: LinearProbe(train, one_label(inputs["train"], name), penalty) for name, penalty in penalties.items()}
        )

    def __call__(self, inputs: ScoreInputs) -> Mapping[str, float]:
        score, real = self._mean(inputs, "generated"), self._mean(inputs, "reference")
        return {"weighted_f1": score, **({"percent_of_real": 100 * score / real} if real > 0 else {})}

    def _mean(self, inputs: ScoreInputs, name: str) -> float:
        features = image_features(inputs, name)
        scores = [weighted_f1(one_label(inputs[name], a), probe.predict(features)) for a, probe in self.probes.items()]
        return float(np.mean(scores))
