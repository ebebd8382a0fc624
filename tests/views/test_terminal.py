"""The terminal summary at any width, with and without colour."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len

from tests import made_up_records as made_up
from unipath_bench.core.console import Console
from unipath_bench.results import Scale
from unipath_bench.schema.record import RunRecord
from unipath_bench.views.terminal import NARROW, print_summary, scale_bar


def printed(record: RunRecord, width: int, *, colour: bool = False) -> str:
    """What a console of this width shows."""
    stream = io.StringIO()
    print_summary(
        record, Console(file=stream, width=width, force_terminal=colour, color_system="standard" if colour else None)
    )
    return stream.getvalue()


def words(text: str) -> str:
    """The text without its line breaks and indents."""
    return " ".join(text.split())


@pytest.mark.parametrize("width", [40, 60, 80, NARROW - 1, NARROW, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = printed(made_up.record(suite_notes="One field: a smoke test."), width).splitlines()
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", [80, 200])
def test_it_says_everything(width: int) -> None:
    text = words(printed(made_up.record(kind="phantom", suite_notes="One field: a smoke test."), width))
    for expected in (
        "memoriser on 572 H&E tiles of four tissues",
        "572 prompts × 1 seed = 572 images",
        "3 min 19 s",
        "MEMORISATION FLAGGED",
        "PHANTOM",
        "One field: a smoke test.",
        "ORACLE BASELINE",
        "COUPLED",
        "Tier 1 Fidelity",
        "Tier 2 Semantic alignment",
        "Tier 3 Fine-grained control",
        "Tier 4 Diagnostic utility and safety",
        "not computed: The weights of virchow2",
        "To compute the rest:",
        "clip-score[plip]: Run once without --offline",
        "41.2",
        "22.5",
        "484",
        "0.934",
        "105%",
        "flagged",
        "coupled",
        "authenticity not reported, all of one group",
    ):
        assert expected in text, expected


def test_without_colour_there_are_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in printed(made_up.record(), 120)
    assert "\x1b[" in printed(made_up.record(), 120, colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    print_summary(made_up.record(), Console(file=stream, width=120, force_terminal=True, color_system="standard"))
    assert "\x1b[3" not in stream.getvalue().replace("\x1b[3m", "")  # no foreground colour


def test_names_are_not_markup() -> None:
    odd = made_up.score(
        "odd", 1, "Odd [red]title[/red]", {"x": made_up.value(1.0, "[bold]X[/]", "lower")}, encoder="[/]"
    )
    other = odd.model_copy(update={"key": "other", "values": {**odd.values, "y": made_up.value(2.0, "Y", "lower")}})
    record = made_up.record("[bold]evil[/]", some=[odd, other])
    for width in (60, 160):
        text = words(printed(record, width))
        assert "[bold]evil[/]" in text
        assert "Odd [red]title[/red]" in text
        assert "[bold]X[/]" in text


def test_the_bar_shows_where_a_value_lies() -> None:
    def bar(percent: float) -> str:
        return scale_bar(Scale(0, 1, "", "", percent), 10).plain

    assert bar(50) == "━━━━━─────    50%"
    assert bar(-20) == "────────── < -20%"
    assert bar(130) == "━━━━━━━━━━ > 130%"
    assert scale_bar(None).plain == "no scale"


def test_a_clean_run_has_no_list_of_remedies() -> None:
    computed = [s for s in made_up.scores(flagged=False) if s.status == "computed"]
    text = printed(made_up.record(flagged=False, some=computed), 120)
    assert "To compute the rest" not in text
    assert "flagged" not in text.lower()
