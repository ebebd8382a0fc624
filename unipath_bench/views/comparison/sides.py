"""What of a run a comparison looks at, and what must agree for two numbers to be compared."""

from __future__ import annotations

from dataclasses import dataclass

from unipath_bench.schema.record import RunRecord, TaskScore, Value


@dataclass(frozen=True, slots=True)
class Side:
    """One run, or what a baseline file keeps of it."""

    name: str
    model: str
    suite: str
    suite_kind: str
    suite_revision: str
    prompts: int
    seeds: int
    scores: tuple[TaskScore, ...]
    migrated_from: int | None = None
    """The earlier version of the format that it was written in."""

    def find(self, key: str, name: str) -> tuple[TaskScore, Value] | None:
        """A score and one of its values; None where the run has no such value."""
        for score in self.scores:
            if score.key == key and name in score.values:
                return score, score.values[name]
        return None


def side_of(record: RunRecord) -> Side:
    """A run as a comparison sees it."""
    plan = record.plan
    return Side(
        record.name,
        plan.model.name,
        plan.suite.name,
        plan.suite.kind,
        plan.suite_revision,
        plan.n,
        plan.seeds,
        record.scores,
        record.migrated_from,
    )


def facts(side: Side, score: TaskScore, value: Value) -> dict[str, str]:
    """What must agree for two numbers to be compared."""
    return {
        "task version": str(score.version),
        "images": str(score.n_images),
        "prompts and seeds": f"{side.prompts} x {side.seeds}",
        "encoder": f"{score.encoder or 'none'} {(score.encoder_digest or '')[:12]}".strip(),
        "dimension": str(score.dimension),
        "direction": value.direction,
        "suite revision": side.suite_revision[:12],
        "kind of suite": side.suite_kind,
    }
