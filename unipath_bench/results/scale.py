"""The scale that a value is read on, always drawn from its bad end (left) to its good end (right)."""

from __future__ import annotations

from dataclasses import dataclass

from unipath_bench.schema.record import Value
from unipath_bench.schema.task import Tier


@dataclass(frozen=True, slots=True)
class TierText:
    """A tier's name and the question that it answers."""

    name: str
    question: str


TIERS: dict[Tier, TierText] = {
    1: TierText("Fidelity", "Does the set look like real tissue?"),
    2: TierText("Semantic alignment", "Does the image say what the prompt says?"),
    3: TierText("Fine-grained control", "Is each attribute that was asked for there?"),
    4: TierText("Diagnostic utility and safety", "Can the images be used, and are they new?"),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """Both ends of a value's scale in reading order.

    Examples:
        Of a distance, 10 is bad and 0 is good; 2.5 has three quarters of the way behind it, and 12 lies past the
        bad end.

        >>> Scale(bad=10.0, good=0.0, bad_source="", good_source="", position=75.0).filled
        0.75
        >>> past = Scale(bad=10.0, good=0.0, bad_source="", good_source="", position=-20.0)
        >>> past.filled, past.beyond
        (0.0, 'bad')
    """

    bad: float
    good: float
    bad_source: str
    good_source: str
    position: float
    """Where the value lies: 0 at the bad end, 100 at the good end; not clipped."""

    @property
    def filled(self) -> float:
        """``position`` as a fraction, clipped to 0..1 for drawing."""
        return min(max(self.position / 100, 0.0), 1.0)

    @property
    def beyond(self) -> str:
        """``bad`` or ``good`` where the value lies past that end by more than 0.5% of the scale, else empty."""
        if self.position < -0.5:
            return "bad"
        return "good" if self.position > 100.5 else ""


def scale_of(value: Value) -> Scale | None:
    """The value's scale; None unless both ends and the place between them are known."""
    if value.bad_end is None or value.good_end is None or value.position is None:
        return None
    return Scale(value.bad_end, value.good_end, value.bad_end_source, value.good_end_source, value.position)
