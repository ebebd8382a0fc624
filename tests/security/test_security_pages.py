"""What a stranger's record, prompt or name can do to a page, a terminal or a table: nothing but be read."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from tests import made_up_records as made_up
from tests.security.hostile import ADDRESS, ESCAPE, RICH, TEXT, hostile_exhibits, hostile_record
from unipath_bench.audit.page import render_page as render_audit
from unipath_bench.audit.result import AuditResult
from unipath_bench.core.console import SHOWN, Console
from unipath_bench.core.csv_safety import escape_formula, escaped_row, unescape_formula
from unipath_bench.schema.details import AttributeControl
from unipath_bench.suites.metadata import read_metadata
from unipath_bench.suites.problems import Problems
from unipath_bench.views.comparison import compare
from unipath_bench.views.comparison.page import render_page as render_comparison
from unipath_bench.views.report import render_report
from unipath_bench.views.terminal import print_summary
from unipath_bench.views.tracking.entries import attributes_csv

ACTIVE = {"script", "iframe", "object", "embed", "base", "form", "link", "foreignobject", "animate", "set", "template"}
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")


class Elements(HTMLParser):
    """Every element that a browser would make of a page, and every text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def assert_inert(page: str) -> None:
    """No element, attribute or address of the page runs anything."""
    elements = Elements(page)
    assert any("alert(1)" in text for text in elements.texts), "the hostile text is shown, as text"
    for tag, attributes in elements.found:
        assert tag not in ACTIVE
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src", "xlink:href", "action", "formaction", "srcdoc"):
                assert re.match(r"#|https?://|data:image/png;base64,", value or ""), (tag, name, value)
            if name == "style":
                assert "url(" not in (value or "")
    policy = [a["content"] for tag, a in elements.found if tag == "meta" and a.get("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert "{{ 7 * 7 }}" in page, "a template in a text is text"


@pytest.mark.integration
def test_a_hostile_record_and_hostile_prompts_are_text_in_the_report() -> None:
    page = render_report(hostile_record(), hostile_exhibits(), made_up.tasks())
    assert_inert(page)
    assert f'href="{ADDRESS}"' not in page


def test_hostile_records_are_text_in_a_comparison() -> None:
    first, second = hostile_record(), hostile_record().model_copy(update={"name": TEXT + "2"})
    assert_inert(render_comparison(compare([first, second]), [hostile_exhibits(), hostile_exhibits()]))


def audit_of(text: str) -> AuditResult:
    """An audit of one value and one defect, all of whose texts are ``text``."""
    record = hostile_record()
    card = next(iter(record.plan.encoders.values()))
    defect = {"name": text, "title": text, "kind": "image", "unit": text, "levels": [0, 1]}
    value = {
        "key": text,
        "task": text,
        "version": 1,
        "tier": 1,
        "metric": text,
        "value": text,
        "title": text,
        "encoder": text,
        "direction": "lower",
        "headline": True,
        "honest": 1.0,
    }
    cell = {
        "key": text,
        "defect": text,
        "expectation": "worse",
        "because": text,
        "levels": [0, 1],
        "values": [1, 2],
        "changes": [0, 1],
        "standard_errors": [0.1],
        "p_values": [0.01],
        "direction": "none",
        "verdict": "blind",
        "finding": text,
    }
    return AuditResult.model_validate(
        {
            "framework_version": text,
            "audit_id": text,
            "name": text,
            "suite": record.plan.suite,
            "suite_spec": text,
            "suite_revision": text,
            "n": 10,
            "patients": 5,
            "half_samples": 0,
            "microns_per_pixel": 0.5,
            "scale_is_assumed": False,
            "alpha": 0.05,
            "monotone": 0.9,
            "encoders": {text: card},
            "defects": [defect],
            "values": [value],
            "cells": [cell],
            "environment": record.environment,
        }
    )


def test_a_hostile_audit_is_text_on_its_page() -> None:
    assert_inert(render_audit(audit_of(TEXT), {}))


@pytest.mark.parametrize("width", [80, 200])
def test_a_hostile_record_steers_no_terminal(width: int) -> None:
    stream = io.StringIO()
    print_summary(hostile_record(), Console(file=stream, width=width, force_terminal=False))
    shown = stream.getvalue()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert "[bold red]" in re.sub(r"\s", "", shown).replace("[boldred]", "[bold red]"), "markup is text"


def test_the_terminal_keeps_its_own_sequences_and_shows_those_of_texts() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=60, force_terminal=True, color_system="standard")
    table = Table("name")
    table.add_row(Text(ESCAPE, style="red"))
    console.print(table)
    console.print(RICH)
    shown = stream.getvalue()
    assert "\x1b[31m" in shown
    assert SHOWN in shown
    for hostile in ("\x1b]0;", "\x1b[2J", "\x1b[1A", "\x9b", "\u202e", "\x07"):
        assert hostile not in shown
    assert RICH in shown.replace("\n", "")


@pytest.mark.integration
@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\nab ＝")) | st.text())
@settings(max_examples=300, deadline=None)
def test_a_shielded_cell_is_no_formula_and_comes_back(text: str) -> None:
    cell = escape_formula(text)
    assert not FORMULA.match(cell)
    assert unescape_formula(cell) == text


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("'=1+1", "''=1+1"),
        ("-omics", "'-omics"),
        ("'tis", "'tis"),
        ("a=b", "a=b"),
        ("", ""),
        ("@x", "'@x"),
    ],
)
def test_what_a_cell_looks_like(text: str, cell: str) -> None:
    assert escape_formula(text) == cell
    assert unescape_formula(cell) == text


def test_numbers_and_gaps_in_a_row_are_left_alone() -> None:
    assert escaped_row(["-1", -1, None, 0.5]) == ["'-1", -1, None, 0.5]


def test_a_table_with_formulas_is_read_back_as_it_was(tmp_path: Path) -> None:
    texts = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "'=x", "plain, with comma", 'a "quote"']
    path = tmp_path / "metadata.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file_name", "text"])
        writer.writerows(escaped_row([f"{i}.png", text]) for i, text in enumerate(texts))
    problems = Problems("here")
    assert [r.cells["text"] for r in read_metadata(path, "metadata.csv", problems)] == texts
    assert len(problems) == 0
    with path.open(newline="", encoding="utf-8") as stream:
        assert not any(FORMULA.match(cell) for row in csv.reader(stream) for cell in row)


def test_the_table_of_attributes_holds_no_formula() -> None:
    record = made_up.record()
    scores = []
    for score in record.scores:
        details = score.details
        if isinstance(details, AttributeControl):
            details = AttributeControl(attributes={"=HYPERLINK(1)": next(iter(details.attributes.values()))})
        scores.append(score.model_copy(update={"details": details}))
    text = attributes_csv(record.model_copy(update={"scores": tuple(scores)}))
    assert "'=HYPERLINK(1)" in text
    rows = list(csv.reader(io.StringIO(text)))
    assert not any(FORMULA.match(cell) for row in rows for cell in row)
