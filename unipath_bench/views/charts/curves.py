"""Curves that run records hold: distances to training images, and scores by the number of labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from unipath_bench.results import format_number
from unipath_bench.schema.details import Memorisation, SyntheticTraining
from unipath_bench.views.charts.elements import Point
from unipath_bench.views.charts.lines import Axis, Line, line_chart, scale_ticks

_LARGEST, _SMALLEST = 1e300, 1e-300
"""Between these, sums and quotients are finite and not nought: a stranger's record may hold any number."""


def distance_curves(audit: Memorisation) -> Markup:
    """Sorted distances to the nearest training image, of generated and of unseen real images, with the threshold."""
    farthest = max(*audit.distances.real, *audit.distances.generated, audit.threshold)
    high = 1.05 * min(farthest, _LARGEST) if farthest > _SMALLEST else 1.0
    threshold = f"threshold {format_number(audit.threshold)}"
    return line_chart(
        Axis(0, 100, [(p, f"{p}%") for p in (0, 25, 50, 75, 100)], "share of images, sorted by distance"),
        Axis(0, high, scale_ticks(0, high), "distance to the nearest training image"),
        [
            Line("unseen real images", "real", _by_share(audit.distances.real)),
            Line("generated images", "generated", _by_share(audit.distances.generated), "dashed"),
            Line(threshold, "alarm", [(0, audit.threshold), (100, audit.threshold)], "dotted"),
        ],
        f"Quantiles of the distance to the nearest training image, generated against unseen real images; {threshold}",
        shaded_below=audit.threshold,
    )


def budget_curves(training: SyntheticTraining) -> Markup:
    """Score on real test images by the number of real labels a class, without and with generated images.

    The numbers of labels stand on a logarithmic axis; empty where the record has none above nought.
    """
    budgets = [budget for budget in training.budgets if budget.labels_per_class > 0]
    if not budgets:
        return Markup("")
    places = [math.log10(budget.labels_per_class) for budget in budgets]
    left, right = _widened(places, 0.06)
    real, both = [budget.real for budget in budgets], [budget.real_plus_synthetic for budget in budgets]
    alone, same_size = training.synthetic_only, training.real_only_same_size
    low, high = _widened([*real, *both, alone, same_size], 0.1)
    named = [(place, f"{budget.labels_per_class:,}") for place, budget in zip(places, budgets, strict=True)]
    lines = [
        Line("real", "real", list(zip(places, real, strict=True)), shape="circle"),
        Line("real + generated", "generated", list(zip(places, both, strict=True)), "dashed", "square"),
        Line(f"generated only: {format_number(alone)}", "generated", [(left, alone), (right, alone)], "dotted"),
        Line(
            f"as many real images: {format_number(same_size)}",
            "real",
            [(left, same_size), (right, same_size)],
            "dotted",
        ),
    ]
    spoken = "Score on real test images by number of real labels a class, without and with generated images: "
    spoken += "; ".join(
        f"{labels}: {format_number(budget.real)} and {format_number(budget.real_plus_synthetic)}"
        for (_, labels), budget in zip(named, budgets, strict=True)
    )
    return line_chart(
        Axis(left, right, named, "real labels a class"),
        Axis(low, high, scale_ticks(low, high), "score on real test images"),
        lines,
        spoken,
    )


def _by_share(distances: Sequence[float]) -> list[Point]:
    last = len(distances) - 1
    return [(100 * i / last, distance) for i, distance in enumerate(distances)]


def _widened(numbers: Sequence[float], margin: float) -> tuple[float, float]:
    """The least and the greatest number, with this part of the way between them added on either side."""
    low, high = (min(max(end, -_LARGEST), _LARGEST) for end in (min(numbers), max(numbers)))
    added = margin * (high - low)
    if added <= _SMALLEST:
        added = 0.5
    return low - added, high + added
