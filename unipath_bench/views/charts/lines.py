"""Charts of lines between two axes, with a legend above that wraps where the page is narrow."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from unipath_bench.results import format_number
from unipath_bench.views.charts.elements import (
    WIDTH,
    Colour,
    Point,
    Shape,
    box,
    chart,
    element,
    line,
    mark,
    polyline,
    text,
)

_HEIGHT = 190.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 38.0, 22.0, WIDTH - 14.0, 172.0
_TITLE = 16.0
"""Height of the title of the axis below, where it has one."""

_LETTER = 5.6
"""Width of a letter of a tick, about."""

_SWATCH = (30.0, 12.0)


Stroke = Literal["solid", "dashed", "dash-dotted", "dotted"]


@dataclass(frozen=True, slots=True)
class Axis:
    """What one axis shows, from one end to the other, with its ticks; numbers beyond an end are drawn at that end."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    title: str = ""

    def part(self, number: float) -> float:
        """Where a number lies: 0 at the low end, 1 at the high end."""
        return min(max((number - self.low) / (self.high - self.low), 0.0), 1.0) if self.high > self.low else 0.5


@dataclass(frozen=True, slots=True)
class Line:
    """One line, in the numbers of the axes."""

    label: str
    colour: Colour
    points: Sequence[Point]
    stroke: Stroke = "solid"
    shape: Shape | None = None
    """Of the marks at its points."""
    hollow: Set[int] = frozenset()
    """The points, counted from 0, whose mark is not filled."""


def line_chart(x: Axis, y: Axis, lines: Sequence[Line], spoken: str, *, shaded_below: float | None = None) -> Markup:
    """The lines between the axes, the last on top; ``shaded_below`` is a number of ``y``."""
    parts = _axes(x, y)
    if shaded_below is not None:
        top = _place(x, y, (x.low, shaded_below))[1]
        parts.append(box((_LEFT, top), _RIGHT - _LEFT, _BOTTOM - top, "shade alarm"))
    for drawn in lines:
        places = [_place(x, y, point) for point in drawn.points]
        parts.append(polyline(places, f"curve {drawn.colour} {drawn.stroke}"))
        if drawn.shape:
            parts += [
                mark(drawn.shape, place, 3.2, f"mark slight {drawn.colour}{' hollow' if i in drawn.hollow else ''}")
                for i, place in enumerate(places)
            ]
    return _legend(lines) + chart(WIDTH, _HEIGHT + (_TITLE if x.title else 0), spoken, parts)


def scale_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Three to seven round numbers between two finite ones of which the second is greater."""
    exponent = math.floor(math.log10((high - low) / 3))
    power = 10.0**exponent
    step = next(power * k for k in (5, 2, 1) if (high - low) / (power * k) >= 2.5 or k == 1)
    numbers = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    plain = exponent >= -5 and max(abs(low), abs(high)) < 1e6
    return [(n, _decimals(n, max(0, -exponent)) if plain else format_number(n)) for n in numbers]


def _decimals(number: float, count: int) -> str:
    return f"{number:.{count}f}" if number else "0"


def _place(x: Axis, y: Axis, point: Point) -> Point:
    return _LEFT + (_RIGHT - _LEFT) * x.part(point[0]), _BOTTOM - (_BOTTOM - _TOP) * y.part(point[1])


def _axes(x: Axis, y: Axis) -> list[Markup]:
    parts = [text((0, 11), y.title, "small muted"), line((_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), "grid")]
    if x.title:
        parts.append(text(((_LEFT + _RIGHT) / 2, _HEIGHT + _TITLE - 5), x.title, "small muted middle"))
    for number, words in y.ticks:
        height = _place(x, y, (x.low, number))[1]
        parts.append(line((_LEFT, height), (_RIGHT, height), "grid"))
        parts.append(text((_LEFT - 6, height + 3.5), words, "small muted end"))
    ended = -math.inf
    for number, words in x.ticks:
        across = _place(x, y, (number, y.low))[0]
        half = _LETTER * len(words) / 2
        parts.append(line((across, _BOTTOM), (across, _BOTTOM + 3), "grid"))
        if across - half > ended:
            parts.append(text((across, _BOTTOM + 14), words, "small muted middle"))
            ended = across + half
    return parts


def _legend(lines: Sequence[Line]) -> Markup:
    return element(
        "ul", *(element("li", _swatch(drawn), drawn.label) for drawn in lines), class_="legend", aria_hidden="true"
    )


def _swatch(drawn: Line) -> Markup:
    """A piece of the line, as it looks in the chart."""
    width, height = _SWATCH
    parts = [polyline([(0, height / 2), (width, height / 2)], f"curve {drawn.colour} {drawn.stroke}")]
    if drawn.shape:
        parts.append(mark(drawn.shape, (width / 2, height / 2), 3.2, f"mark slight {drawn.colour}"))
    return element("svg", *parts, class_="swatch", viewBox=f"0 0 {width:.0f} {height:.0f}")
