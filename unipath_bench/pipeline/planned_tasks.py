"""The tasks of a run, each in its encoder or with what stands in its way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from unipath_bench.contracts import Metric
from unipath_bench.core.registries import METRICS
from unipath_bench.pipeline.blockers import Blocker, Judge, no_encoder_for
from unipath_bench.pipeline.resolve import encoders_of
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.anchors import required


@dataclass(frozen=True)
class PlannedTask:
    """A task with its encoder, or with the reason why it will not be computed."""

    spec: TaskSpec
    metric: Metric
    encoder: str | None
    blocker: Blocker | None = None
    extra: frozenset[str] = frozenset()
    """What the metric welcomes and the suite has."""

    @property
    def key(self) -> str:
        """``task[encoder]``, or the task's name alone where it has no encoder; unique in a plan."""
        return f"{self.spec.name}[{self.encoder}]" if self.encoder else self.spec.name

    @property
    def needs(self) -> frozenset[str]:
        """What the metric and its anchors read."""
        return required(self.spec, self.metric) | self.extra


def plan_tasks(
    specs: Iterable[TaskSpec], role_encoders: Mapping[str, Sequence[str]], judge: Judge
) -> tuple[PlannedTask, ...]:
    """Every task in each encoder that it is to be computed in, with what stands in its way."""
    planned = []
    for spec in specs:
        metric = METRICS.get(spec.metric)
        if spec.encoder is not None and not encoders_of(spec, role_encoders):
            planned.append(PlannedTask(spec, metric, None, no_encoder_for(spec.encoder[1:])))
            continue
        extra = frozenset(need for need in metric.welcome if getattr(judge.roles, need.partition(".")[0]))
        planned += [
            PlannedTask(spec, metric, name, judge.find_blocker(spec, metric, name), extra)
            for name in encoders_of(spec, role_encoders) or (None,)
        ]
    return tuple(planned)
