"""Bars of values on their scales."""

from __future__ import annotations

import pytest

from tests import made_up_records as made_up
from tests.views.charts.drawings import Tree, looking, places, read, words
from unipath_bench.schema.record import Interval, TaskScore
from unipath_bench.views.charts import bars

EVIL = "\"'><script>alert(1)</script>"


def score(number: float, direction: made_up.Direction = "higher", **more: object) -> TaskScore:
    """A score of one value between 0 and 10."""
    of_value = {key: more.pop(key) for key in ("interval", "headline", "unit") if key in more}
    value = made_up.value(number, "", direction, (0.0, 10.0), **of_value)  # type: ignore[arg-type]
    return made_up.score("task", more.pop("tier", 1), "Task", {"v": value}, **more)  # type: ignore[arg-type]


def only(drawn: str) -> Tree:
    (svg,) = read(drawn).iter("svg")
    return svg


# The beam is 324 units long and begins at 10: a number's place is 10 + 32.4 for each tenth of the way.
@pytest.mark.parametrize(
    ("number", "direction", "place"),
    [(0, "higher", 10), (2.5, "higher", 91), (10, "higher", 334), (2.5, "lower", 253), (10, "lower", 10)],
)
def test_a_value_lies_between_its_bad_end_and_its_good_end(
    number: float, direction: made_up.Direction, place: float
) -> None:
    svg = only(bars([score(number, direction)]))
    (spot,) = looking(svg, "mark real")
    assert (spot.get("cx"), spot.get("cy"), spot.get("r")) == (f"{place}", "24", "5")
    assert [beam.get("d") for beam in looking(svg, "beam")] == ["M10 24L334 24", f"M10 24L{place} 24"]
    ends = ["0", "10.0"] if direction == "higher" else ["10.0", "0"]
    assert words(svg)[2:] == ends


@pytest.mark.parametrize(("number", "place"), [(-3.0, 10.0), (14.0, 334.0)])
def test_beyond_an_end_a_triangle_points_there(number: float, place: float) -> None:
    (spot,) = looking(only(bars([score(number)])), "mark")
    tips = [x for x, y in places(spot) if y == 24]
    assert tips == [place + (-6 if number < 0 else 6)]


def test_an_interval_is_a_line_with_ends() -> None:
    found = Interval(low=1.0, high=12.0, level=0.95, method="made up", estimate=5.0)
    svg = only(bars([score(5.0, interval=found)]))
    # 10 + 32.4, and the end that lies beyond the scale at its end
    assert [part.get("d") for part in looking(svg, "interval")] == [
        "M42.4 24L334 24",
        "M42.4 19L42.4 29",
        "M334 19L334 29",
    ]
    assert (svg.get("aria-label") or "").endswith("; interval 1.00 to 12.0")


@pytest.mark.parametrize(
    "found",
    [
        Interval(low=None, high=6.0, level=0.95, method="made up", estimate=5.0),
        Interval(low=2.0, high=4.0, level=0.95, method="freed of bias", estimate=3.0),
    ],
)
def test_an_interval_of_another_number_is_not_drawn(found: Interval) -> None:
    svg = only(bars([score(5.0, interval=found)]))
    assert looking(svg, "interval") == []
    assert "interval" not in (svg.get("aria-label") or "")


def test_what_is_coupled_or_no_headline_is_hollow() -> None:
    marks = [
        looking(only(bars([made])), "mark")[0]
        for made in (score(5.0), score(5.0, headline=False), score(5.0, coupled=True))
    ]
    assert [(m.tag, "hollow" in (m.get("class") or "")) for m in marks] == [
        ("circle", False),
        ("circle", True),
        ("polygon", True),
    ]
    assert [m.get("r") for m in marks] == ["5", "4", None]


def test_values_come_in_order_of_tier_and_those_without_a_scale_not_at_all() -> None:
    bare = made_up.score("bare", 1, "Bare", {"v": made_up.value(1.0, "", "higher")})
    some = [score(5.0, tier=2, encoder=None), bare, score(1.0, encoder="plip")]
    tree = read(bars(some, {"task/v": 7}))
    assert [words(svg)[0] for svg in tree.iter("svg")] == ["Task · plip", "7 Task"]
    assert all(svg.get("viewBox") == "0 0 344 44" and svg.get("role") == "img" for svg in tree.iter("svg"))
    assert bars([bare]) == ""
    assert bars([]) == ""


def test_it_is_read_out() -> None:
    assert only(bars([score(2.5, "lower")])).get("aria-label") == (
        "Task · texture: 2.50, 75% of the way from 10.0, the bad end, to 0, the good end"
    )


def test_words_from_outside_are_escaped_and_cut_where_the_figure_begins() -> None:
    evil = score(5.0, encoder=EVIL * 9, unit=EVIL * 9)
    drawn = bars([evil])
    assert "<script" not in drawn
    name, figure = words(only(drawn))[:2]
    assert name.endswith("…")
    assert len(figure) == 24
    assert 5.8 * len(name) + 6.6 * len(figure) <= 344 - 3 * 6


def test_the_same_scores_give_the_same_text() -> None:
    assert bars(made_up.scores(flagged=True)) == bars(made_up.scores(flagged=True))
