"""Scores between their floor and their ceiling."""

from __future__ import annotations

import math


def per_cent_of_range(value: float, floor: float, ceiling: float) -> float:
    """Return how far ``value`` is on the way from ``floor`` (0) to ``ceiling`` (100), in per cent.

    The result is outside 0 to 100 where the value is outside the range. The floor is the score of a generator that
    ignores its task (shuffled captions), the ceiling that of real images; for a distance the ceiling lies below the
    floor. Raises ``ValueError`` where they are equal or not finite.
    """
    if not all(math.isfinite(number) for number in (value, floor, ceiling)):
        raise ValueError(f"value {value}, floor {floor} and ceiling {ceiling} must be finite")
    if floor == ceiling:
        raise ValueError(f"floor and ceiling are both {floor}: there is no range between them")
    return 100.0 * (value - floor) / (ceiling - floor)
