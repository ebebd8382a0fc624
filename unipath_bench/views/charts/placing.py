"""Where the values of scores lie on their scales, and what they are called in a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unipath_bench.results import Scale, scale_of
from unipath_bench.schema.record import TaskScore, Value


@dataclass(frozen=True, slots=True)
class PlacedValue:
    """One value of a score with its scale."""

    score: TaskScore
    name: str
    value: Value
    scale: Scale

    @property
    def key(self) -> str:
        """Unique in a record."""
        return f"{self.score.key}/{self.name}"

    @property
    def title(self) -> str:
        """What the value is called beside values of other tasks and encoders."""
        score, value = self.score, self.value
        alone = value.title in ("", score.title) or len(score.values) == 1
        parts = [score.title if alone else value.title]
        if score.encoder:
            parts.append(score.encoder)
        if score.coupled:
            parts.append("coupled")
        return " · ".join(parts)

    def percent(self, x: float) -> float:
        """Where another number would lie on the scale: 0 at the bad end, 100 at the good end; not clipped."""
        width = self.scale.good - self.scale.bad
        return 100 * (x - self.scale.bad) / width if width else self.scale.position


def placed_values(scores: Sequence[TaskScore]) -> list[PlacedValue]:
    """Every value that has a scale, in order of tier."""
    return [
        PlacedValue(score, name, value, scale)
        for score in sorted(scores, key=lambda score: score.tier)
        for name, value in score.values.items()
        if (scale := scale_of(value)) is not None
    ]


def placed_headlines(scores: Sequence[TaskScore]) -> list[PlacedValue]:
    """Those that may stand for their task: headline values that are not coupled."""
    return [placed for placed in placed_values(scores) if placed.value.headline and not placed.score.coupled]
