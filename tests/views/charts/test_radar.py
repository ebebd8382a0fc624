"""The radar of a record's headline values."""

from __future__ import annotations

import pytest

from tests import made_up_records as made_up
from tests.views.charts.drawings import looking, places, read, words
from unipath_bench.schema.record import TaskScore
from unipath_bench.schema.task import Tier
from unipath_bench.views.charts import field_is_drawn, field_medians, radar, radar_numbers


def four_scores() -> list[TaskScore]:
    """At the bad end, halfway, at the good end, and past the good end; in tiers 1, 1, 2 and 4."""
    values: list[tuple[float, made_up.Direction, Tier]] = [
        (10.0, "lower", 1),
        (0.5, "higher", 1),
        (0.0, "lower", 2),
        (3.0, "higher", 4),
    ]
    return [
        made_up.score(f"t{i}", tier, f"T{i}", {"v": made_up.value(x, "", d, (0.0, 10.0 if d == "lower" else 1.0))})
        for i, (x, d, tier) in enumerate(values)
    ]


def test_it_reaches_from_the_bad_ends_to_the_good_ends() -> None:
    (svg,) = read(radar(four_scores(), {}))
    # clockwise from the top at quarter turns, radius 100: in the centre, halfway to the right, below at the rim, and on
    # the left at the rim what lies beyond it
    (own,) = looking(svg, "own")
    assert places(own) == [(0, 0), (50, 0), (0, 100), (-100, 0)]
    assert [text.text for text in looking(svg, "number")] == ["1", "2", "3", "4"]
    assert [word for word in words(svg) if word.startswith("T")] == ["T1", "T2", "T4"]
    spoken = svg.get("aria-label") or ""
    assert "1 T0 · texture, tier 1: 0%; 2 T1 · texture, tier 1: 50%; 3 T2" in spoken
    assert spoken.endswith("4 T3 · texture, tier 4: 300%")
    assert looking(svg, "field") == []


def test_the_arc_of_a_tier_goes_around_its_values() -> None:
    (svg,) = read(radar(four_scores(), {}))
    # Tier 2 has the third of four spokes, which points down: from 0.42 of a spoke before it to 0.42 after it, at
    # 122 * (sin, -cos) of 90 degrees * 1.58 and * 2.42: 122 * 0.6129 and 122 * 0.7902.
    assert looking(svg, "arc")[1].get("d") == "M74.8 96.4A122 122 0 0 1 -74.8 96.4"
    three = [made_up.score(f"t{i}", 1, "T", {"v": made_up.value(1.0, "", "higher", (0.0, 2.0))}) for i in range(3)]
    # One tier all around: the larger arc.
    assert " 0 1 1 " in (looking(read(radar(three, {})), "arc")[0].get("d") or "")


def test_fewer_than_three_values_make_none_and_coupled_ones_do_not_count() -> None:
    scores = four_scores()
    assert radar(scores[:2], {}) == ""
    assert radar_numbers(scores[:2]) == {}
    coupled = [scores[0].model_copy(update={"coupled": True}), *scores[1:]]
    assert radar_numbers(coupled) == {"t1[texture]/v": 1, "t2[texture]/v": 2, "t3[texture]/v": 3}
    assert "T0" not in radar(coupled, {})


def test_the_median_is_drawn_where_every_value_has_one() -> None:
    scores = four_scores()
    medians = {f"t{i}[texture]/v": percent for i, percent in enumerate((50.0, 200.0, -20.0, 100.0))}
    assert field_is_drawn(scores, medians)
    (field,) = looking(read(radar(scores, medians)), "field")
    assert places(field) == [(0, -50), (100, 0), (0, 0), (-100, 0)]
    del medians["t0[texture]/v"]
    assert not field_is_drawn(scores, medians)


def test_medians_are_taken_over_the_records() -> None:
    def at(x: float) -> list[TaskScore]:
        return [made_up.score("t", 1, "T", {"v": made_up.value(x, "", "higher", (0.0, 1.0))})]

    assert field_medians([at(0.1), at(0.9), at(0.4)]) == pytest.approx({"t[texture]/v": 40.0})


def test_titles_are_escaped() -> None:
    scores = [score.model_copy(update={"title": '"><script>'}) for score in four_scores()]
    drawn = radar(scores, {})
    assert "<script" not in drawn
    assert '1 "><script> · texture' in (read(drawn)[0].get("aria-label") or "")
