"""The elements of SVG that charts are made of: here texts are escaped and places rounded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Literal

from markupsafe import Markup

Colour = Literal["ink", "muted", "track", "paper", "real", "generated", "alarm", "good"]
"""A colour of the page by its name; the class of that name draws in it."""

Shape = Literal["circle", "square", "triangle", "diamond", "wedge", "kite", "bar", "left", "right"]

Point = tuple[float, float]
"""To the right and down, in the units of the chart."""

WIDTH = 344.0
"""Of every chart but the audit's map: on a telephone a unit is about a pixel."""

_CORNERS: Mapping[Shape, Sequence[Point]] = {
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "triangle": ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
    "wedge": ((0, 1.2), (-1.1, -0.8), (1.1, -0.8)),
    "diamond": ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    "kite": ((0, -1.4), (0.8, 0), (0, 1.4), (-0.8, 0)),
    "bar": ((-1.4, -0.6), (1.4, -0.6), (1.4, 0.6), (-1.4, 0.6)),
    "left": ((-1.2, 0), (0.8, -1.2), (0.8, 1.2)),
    "right": ((1.2, 0), (-0.8, -1.2), (-0.8, 1.2)),
}
"""Of a mark with radius 1 around the origin."""

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def element(tag: str, *content: str, **attributes: str | float | None) -> Markup:
    """One element; an attribute that is None is left out.

    ``class_`` stands for ``class``, and other underscores for hyphens. Whatever of the content and the attributes is
    not yet :class:`~markupsafe.Markup` is escaped.
    """
    opened = Markup("").join(
        Markup(' {}="{}"').format(
            name.rstrip("_").replace("_", "-"), value if isinstance(value, str) else rounded(value)
        )
        for name, value in attributes.items()
        if value is not None
    )
    if not content:
        return Markup("<{}{}/>").format(tag, opened)
    return Markup("<{}{}>{}</{}>").format(tag, opened, Markup("").join(content), tag)


def rounded(x: float) -> str:
    """A place or a length as it is written: a tenth of a unit is less than a pixel."""
    return f"{round(x, 1) + 0.0:.1f}".removesuffix(".0")


def text(at: Point, words: str, look: str | None = None, **attributes: str | float | None) -> Markup:
    """Words that begin at ``at``; in the looks ``middle`` and ``end`` they stand around it or end there."""
    return element("text", words, class_=look, x=at[0], y=at[1], **attributes)


def line(start: Point, end: Point, look: str) -> Markup:
    """A straight line."""
    return element("path", class_=look, d=f"M{_pair(start)}L{_pair(end)}")


def polyline(places: Sequence[Point], look: str) -> Markup:
    """Straight lines from place to place."""
    return element("polyline", class_=look, points=_listed(places))


def polygon(places: Sequence[Point], look: str) -> Markup:
    """A closed shape with these corners."""
    return element("polygon", class_=look, points=_listed(places))


def box(corner: Point, width: float, height: float, look: str, **attributes: str | float | None) -> Markup:
    """An upright rectangle by its upper left corner."""
    return element("rect", class_=look, x=corner[0], y=corner[1], width=width, height=height, **attributes)


def mark(shape: Shape, at: Point, radius: float, look: str) -> Markup:
    """A mark of about this radius."""
    x, y = at
    if shape == "circle":
        return element("circle", class_=look, cx=x, cy=y, r=radius)
    return polygon([(x + radius * a, y + radius * b) for a, b in _CORNERS[shape]], look)


def chart(width: float, height: float, spoken: str, parts: Iterable[str], look: str = "") -> Markup:
    """A chart as a part of a page; ``spoken`` is read out in its place."""
    return element(
        "svg", *parts, class_=f"chart {look}".rstrip(), role="img", aria_label=spoken, viewBox=_view(width, height)
    )


def chart_file(width: float, height: float, spoken: str, parts: Iterable[str], colours: Mapping[str, str]) -> str:
    """A chart as a file that stands alone, in these colours on its own paper."""
    named = "".join(f"--{name}: {value}; " for name, value in colours.items())
    look = Markup(f"{style()}.chart {{ {named}font-family: sans-serif; }}\n")  # nosec B704  # our own style sheet
    ground = box((0, 0), width, height, "ground paper")
    whole = element(
        "svg",
        element("style", look),
        ground,
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        class_="chart",
        role="img",
        aria_label=spoken,
        width=width,
        height=height,
        viewBox=_view(width, height),
    )
    return _NOT_IN_XML.sub("\ufffd", whole) + "\n"


def style() -> str:
    """The rules by which a page draws its charts."""
    return files("unipath_bench.views.charts").joinpath("charts.css").read_text(encoding="utf-8")


def shortened(words: str, limit: int) -> str:
    """The words in at most ``limit`` letters."""
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def _view(width: float, height: float) -> str:
    return f"0 0 {rounded(width)} {rounded(height)}"


def _pair(at: Point) -> str:
    return f"{rounded(at[0])} {rounded(at[1])}"


def _listed(places: Sequence[Point]) -> str:
    return " ".join(f"{rounded(x)},{rounded(y)}" for x, y in places)
