"""Bars: each value on its own scale, from the bad end at the left to the good end at the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from unipath_bench.results import format_interval, format_number, format_percent, format_value, freed_of_bias
from unipath_bench.schema.record import TaskScore
from unipath_bench.views.charts.elements import (
    WIDTH,
    Shape,
    chart,
    element,
    line,
    mark,
    shortened,
    text,
)
from unipath_bench.views.charts.placing import PlacedValue, placed_values

_HEIGHT = 44.0
_MIDDLE = 24.0
_LEFT, _RIGHT = 10.0, WIDTH - 10.0
_EDGE = 6.0
"""Where texts begin, and as far from the right end."""

_LETTER, _DIGIT = 5.8, 6.6
"""Width of a letter of the name and of a digit of the figure, about."""

_LONGEST_FIGURE = 24


def bars(scores: Sequence[TaskScore], numbers: Mapping[str, int] | None = None) -> Markup:
    """A bar for every value that has a scale, in order of tier; empty where none has one.

    ``numbers`` are written before the names, by the value's key: those of the radar beside the bars.
    """
    found = [_bar(placed, (numbers or {}).get(placed.key)) for placed in placed_values(scores)]
    return element("div", *found, class_="bars") if found else Markup("")


def _bar(placed: PlacedValue, number: int | None) -> Markup:
    value, scale = placed.value, placed.scale
    figure = format_value(value.value, value.unit)
    spot = _across(scale.position)
    parts = [
        *_head(placed, figure, number),
        line((_LEFT, _MIDDLE), (_RIGHT, _MIDDLE), "beam track"),
        line((_LEFT, _MIDDLE), (spot, _MIDDLE), "beam real faint"),
    ]
    ends = _interval_ends(placed)
    if ends:
        parts.append(line((ends[0], _MIDDLE), (ends[1], _MIDDLE), "interval ink"))
        parts += [line((end, _MIDDLE - 5), (end, _MIDDLE + 5), "interval ink") for end in ends]
    hollow = " hollow" if placed.score.coupled or not value.headline else ""
    shape: Shape = "diamond" if placed.score.coupled else "circle"
    if scale.beyond:
        shape = "left" if scale.beyond == "bad" else "right"
    parts += [
        mark(shape, (spot, _MIDDLE), 5 if value.headline else 4, f"mark real{hollow}"),
        text((_EDGE, 40), format_number(scale.bad), "small muted"),
        text((WIDTH - _EDGE, 40), format_number(scale.good), "small muted end"),
    ]
    return chart(WIDTH, _HEIGHT, _spoken(placed, figure, told_interval=ends is not None), parts)


def _head(placed: PlacedValue, figure: str, number: int | None) -> list[Markup]:
    figure = shortened(figure, _LONGEST_FIGURE)
    room = int((WIDTH - 3 * _EDGE - _DIGIT * len(figure)) / _LETTER) - (3 if number else 0)
    name = [shortened(placed.title, room)]
    if number:
        name = [element("tspan", str(number), class_="number real"), f" {name[0]}"]
    weight = "strong end" if placed.value.headline else "end"
    return [element("text", *name, x=_EDGE, y=13), text((WIDTH - _EDGE, 13), figure, weight)]


def _interval_ends(placed: PlacedValue) -> tuple[float, float] | None:
    """Of an interval that is of the value itself."""
    found = placed.value.interval
    if found is None or found.low is None or found.high is None or freed_of_bias(placed.value):
        return None
    left, right = sorted(_across(placed.percent(end)) for end in (found.low, found.high))
    return left, right


def _across(percent: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * min(max(percent / 100, 0.0), 1.0)


def _spoken(placed: PlacedValue, figure: str, *, told_interval: bool) -> str:
    scale = placed.scale
    bad, good = format_number(scale.bad), format_number(scale.good)
    said = f"{placed.title}: {figure}, {format_percent(scale.position)} of the way "
    said += f"from {bad}, the bad end, to {good}, the good end"
    return said + (f"; interval {format_interval(placed.value.interval)}" if told_interval else "")
