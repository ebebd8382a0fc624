"""Lines between axes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.views.charts.drawings import looking, places, read, words
from unipath_bench.views.charts.lines import Axis, Line, line_chart, scale_ticks

# The plot reaches from 38 to 330 and from 172 up to 22: 292 units wide and 150 high.
X, Y = Axis(0, 4, [(0, "0"), (4, "4")], "across"), Axis(0, 10, [(0, "0"), (5, "5")], "up")


def test_points_lie_where_the_axes_say() -> None:
    drawn = read(line_chart(X, Y, [Line("one", "real", [(0, 0), (1, 5), (4, 10)])], "said"))
    (curve,) = looking(drawn[1], "curve real solid")
    assert places(curve) == [(38, 172), (111, 97), (330, 22)]
    assert drawn[1].get("aria-label") == "said"
    ticks = [found for found in drawn.iter("text") if found.text == "5"]
    assert [(found.get("x"), found.get("y")) for found in ticks] == [("32", "100.5")]


def test_what_lies_beyond_an_axis_is_drawn_at_its_end() -> None:
    drawn = read(line_chart(X, Y, [Line("one", "real", [(-1, -3), (9, 99)])], ""))
    assert places(looking(drawn[1], "curve")[0]) == [(38, 172), (330, 22)]


def test_below_a_number_it_is_shaded() -> None:
    for number, top, height in ((4.0, "112", "60"), (-1.0, "172", "0"), (99.0, "22", "150")):
        (shade,) = looking(read(line_chart(X, Y, [], "", shaded_below=number)), "shade alarm")
        assert [shade.get(name) for name in ("x", "y", "width", "height")] == ["38", top, "292", height]
    assert looking(read(line_chart(X, Y, [], "")), "shade") == []


def test_marks_stand_at_the_points_filled_or_hollow() -> None:
    made = Line("one", "good", [(0, 0), (4, 10)], "dotted", "circle", frozenset({1}))
    drawn = read(line_chart(X, Y, [made], ""))
    marks = looking(drawn[1], "mark good")
    assert [(m.get("cx"), m.get("cy"), "hollow" in (m.get("class") or "")) for m in marks] == [
        ("38", "172", False),
        ("330", "22", True),
    ]


def test_the_legend_shows_every_line_as_it_is_drawn() -> None:
    lines = [Line("<b>a</b>", "real", [(0, 0)]), Line("c", "generated", [(0, 0)], "dashed", "square")]
    legend, chart = read(line_chart(X, Y, lines, ""))
    assert [(found.tail or "") for found in looking(legend, "swatch")] == ["<b>a</b>", "c"]
    assert [found.get("class") for found in looking(legend, "curve")] == [
        found.get("class") for found in looking(chart, "curve")
    ]
    assert len(looking(legend, "mark generated")) == 1


def test_ticks_that_would_run_into_each_other_are_not_named() -> None:
    crowded = Axis(0, 100, [(50 + k, f"{1000 + k}") for k in range(5)])
    assert [word for word in words(read(line_chart(crowded, Y, [], ""))) if word.startswith("100")] == ["1000"]


def test_a_chart_whose_axis_has_no_title_is_lower() -> None:
    low, high = (read(line_chart(x, Y, [], ""))[1].get("viewBox") for x in (Axis(0, 1, []), X))
    assert (low, high) == ("0 0 344 190", "0 0 344 206")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 5.25, ["0", "2", "4"]),
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 0.03, ["0", "0.01", "0.02", "0.03"]),
        (0.58, 0.96, ["0.6", "0.7", "0.8", "0.9"]),
        (-3, 3, ["-2", "0", "2"]),
        (0, 12_500, ["0", "5000", "10000"]),
        (0, 4e-7, ["0", "1.0e-07", "2.0e-07", "3.0e-07", "4.0e-07"]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[str]) -> None:
    assert [words for _, words in scale_ticks(low, high)] == expected


@given(st.floats(-1e300, 1e300), st.floats(1e-12, 1e6))
def test_there_are_some_ticks_and_not_many(low: float, span: float) -> None:
    span *= max(1.0, abs(low))
    high = min(low + span, 1e300)
    if high - low < 1e-12 * max(1.0, abs(low)):
        return
    found = scale_ticks(low, high)
    assert 2 <= len(found) <= 8
    assert all(low - span * 1e-3 <= number <= high + span * 1e-3 for number, _ in found)
    assert all(math.isfinite(number) for number, _ in found)
