"""The elements of drawings: escaped, rounded, and whole as a file."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from tests.views.charts.drawings import looking, places, read
from unipath_bench.views.charts.elements import chart, chart_file, element, line, mark, rounded, shortened, style, text
from unipath_bench.views.report.style import LIGHT

EVIL = "\"'></text><script>alert(1)</script>&amp;"
NAMESPACE = "{http://www.w3.org/2000/svg}"


def test_an_element_is_written_as_svg_has_it() -> None:
    assert element("g") == "<g/>"
    assert element("path", class_="a b", d="M0 0", opacity=None) == '<path class="a b" d="M0 0"/>'
    assert element("g", element("path"), "x < y", aria_hidden="true") == '<g aria-hidden="true"><path/>x &lt; y</g>'
    assert line((1, 2.04), (3.96, -0.04), "rule") == '<path class="rule" d="M1 2L4 0"/>'


@pytest.mark.parametrize(("x", "written"), [(0, "0"), (-0.04, "0"), (2.25, "2.2"), (10, "10"), (-3.14159, "-3.1")])
def test_places_have_a_decimal_at_most_and_no_negative_nought(x: float, written: str) -> None:
    assert rounded(x) == written


def test_words_from_outside_stay_words() -> None:
    drawn = chart(10, 20, EVIL, [text((1, 2), EVIL, "small")])
    tree = read(drawn)
    assert "<script" not in drawn
    assert [found.tag for found in tree.iter()] == ["body", "svg", "text"]
    assert tree[0].get("aria-label") == tree[0][0].text == EVIL
    assert tree[0].get("viewBox") == "0 0 10 20"


def test_a_file_stands_alone() -> None:
    made = chart_file(30, 20.5, EVIL, [text((1, 2), EVIL + "\x00\x1b")], LIGHT)
    root = ElementTree.fromstring(made)
    assert root.tag == f"{NAMESPACE}svg"
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("30", "20.5", "0 0 30 20.5")
    assert [child.tag.removeprefix(NAMESPACE) for child in root] == ["style", "rect", "text"]
    assert f"--real: {LIGHT['real']};" in (root[0].text or "")
    assert root[2].text == EVIL + "\ufffd\ufffd"
    assert "http" not in made.replace("http://www.w3.org/2000/svg", "")


@given(st.text())
def test_any_words_make_a_file(said: str) -> None:
    ElementTree.fromstring(chart_file(1, 1, said, [text((0, 0), said)], LIGHT))


def test_marks_are_drawn_around_their_place() -> None:
    circle = looking(read(mark("circle", (3, 4), 2, "mark")), "mark")[0]
    assert (circle.get("cx"), circle.get("cy"), circle.get("r")) == ("3", "4", "2")
    # a diamond's corners are 1.2 radii away: 2.4 of 2
    diamond = looking(read(mark("diamond", (3, 4), 2, "mark")), "mark")[0]
    assert places(diamond) == [(3, 1.6), (5.4, 4), (3, 6.4), (0.6, 4)]
    # the ones for "beyond an end" point that way
    left, right = (places(looking(read(mark(way, (0, 0), 5, "mark")), "mark")[0]) for way in ("left", "right"))
    assert min(left) == (-6, 0)
    assert max(right) == (6, 0)


def test_long_words_are_cut() -> None:
    assert shortened("abcde", 5) == "abcde"
    assert shortened("abcdef", 5) == "abcd…"
    assert shortened("abc def", 5) == "abc…"


def test_the_rules_ask_for_nothing() -> None:
    assert "url(" not in style()
    assert "@import" not in style()
    assert isinstance(chart(1, 1, "", []), Markup)
