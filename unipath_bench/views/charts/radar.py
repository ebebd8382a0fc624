"""The radar: where the headline values of a record lie on their scales, in one drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from markupsafe import Markup

from unipath_bench.results import format_percent
from unipath_bench.schema.record import TaskScore
from unipath_bench.views.charts.elements import Point, chart, element, line, mark, polygon, rounded, text
from unipath_bench.views.charts.placing import PlacedValue, placed_headlines

_SIZE = 300.0
_RIM = 100.0
_NUMBERS, _ARCS, _TIERS = _RIM + 11, _RIM + 22, _RIM + 34
"""Radii at which the numbers, the arcs of the tiers and the names of the tiers stand."""

_FEWEST = 3
"""Values that span a polygon."""


def radar(scores: Sequence[TaskScore], medians: Mapping[str, float]) -> Markup:
    """The radar of a record's scores, bad ends in the centre and good ends at the rim; empty for fewer than three.

    ``medians`` are places in per cent by key, as :func:`field_medians` gives them; they are drawn where every value
    that is shown has one.
    """
    shown = placed_headlines(scores)
    count = len(shown)
    if count < _FEWEST:
        return Markup("")
    spots = [_at(i, count, _RIM * placed.scale.filled) for i, placed in enumerate(shown)]
    parts = [element("circle", class_="ring", r=_RIM * part) for part in (0.25, 0.5, 0.75, 1)]
    parts += [line((0, 0), _at(i, count, _RIM), "ring") for i in range(count)]
    parts += _tiers(shown)
    if field_is_drawn(scores, medians):
        places = [_at(i, count, _RIM * min(max(medians[p.key] / 100, 0), 1)) for i, p in enumerate(shown)]
        parts.append(polygon(places, "field generated"))
    parts.append(polygon(spots, "own real"))
    for i, spot in enumerate(spots):
        parts.append(mark("circle", spot, 3.2, "mark real"))
        parts.append(text(_at(i, count, _NUMBERS), str(i + 1), "number real middle"))
    middle = rounded(_SIZE / 2)
    centred = element("g", *parts, transform=f"translate({middle} {middle})")
    told = "; ".join(
        f"{i + 1} {p.title}, tier {p.score.tier}: {format_percent(p.scale.position)}" for i, p in enumerate(shown)
    )
    return chart(_SIZE, _SIZE, f"Radar of the headline values, 0% at the bad end: {told}", [centred], "radar")


def radar_numbers(scores: Sequence[TaskScore]) -> dict[str, int]:
    """The numbers by which a radar of these scores names its values, by key; none where there is no radar."""
    shown = placed_headlines(scores)
    return {placed.key: i + 1 for i, placed in enumerate(shown)} if len(shown) >= _FEWEST else {}


def field_medians(records: Sequence[Sequence[TaskScore]]) -> dict[str, float]:
    """Over the scores of several records, the median place of each headline value on its scale, in per cent, by key."""
    places: dict[str, list[float]] = {}
    for scores in records:
        for placed in placed_headlines(scores):
            places.setdefault(placed.key, []).append(placed.scale.position)
    return {key: median(found) for key, found in places.items()}


def field_is_drawn(scores: Sequence[TaskScore], medians: Mapping[str, float]) -> bool:
    """Whether a radar of these scores shows the medians."""
    return all(placed.key in medians for placed in placed_headlines(scores))


def _tiers(shown: Sequence[PlacedValue]) -> list[Markup]:
    """An arc with a name around the values of each tier."""
    parts: list[Markup] = []
    count, first = len(shown), 0
    tiers = [placed.score.tier for placed in shown]
    for tier in dict.fromkeys(tiers):
        size = tiers.count(tier)
        start, end = first - 0.42, first + size - 0.58
        (x, y), (to_x, to_y) = _at(start, count, _ARCS), _at(end, count, _ARCS)
        turn = f"A{rounded(_ARCS)} {rounded(_ARCS)} 0 {int((end - start) / count > 0.5)} 1"
        d = f"M{rounded(x)} {rounded(y)}{turn} {rounded(to_x)} {rounded(to_y)}"
        parts.append(element("path", class_="arc", d=d))
        parts.append(text(_at((start + end) / 2, count, _TIERS), f"T{tier}", "muted middle"))
        first += size
    return parts


def _at(place: float, count: int, radius: float) -> Point:
    """On spoke ``place`` of ``count``, the first of which is upright and the others follow clockwise."""
    angle = 2 * math.pi * place / count
    return radius * math.sin(angle), -radius * math.cos(angle)
