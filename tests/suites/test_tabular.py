"""The column rules as properties; the suites' own tests show them on files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.core.errors import DataError
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.table_suite import slug
from unipath_bench.suites.tabular import GROUP, MICRONS, RESERVED, TEXT, Columns, Row, Table, build_table, split_name

words = st.text("abcdefgh ü&,", min_size=1, max_size=8).map(str.strip).filter(bool)


def build(*cells: dict[str, Any], columns: Columns | None = None, label: str | None = None) -> Table:
    rows = [Row(f"row {i}", f"key-{i}", c, label=label) for i, c in enumerate(cells)]
    return build_table(rows, columns or Columns(), Problems("the data"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*sorted(RESERVED - {"split", *MICRONS}), "label", "organ", "stain"]), unique=True))
def test_attributes_are_the_columns_without_a_meaning_of_their_own(names: list[str]) -> None:
    table = build(dict.fromkeys(names, "v"))
    free = [n for n in names if n in ("label", "organ", "stain")]
    assert table.attributes == tuple(sorted(free, key=lambda n: n != "label"))
    sample = table.samples[0]
    assert sample.labels == dict.fromkeys(table.attributes, "v")
    assert sample.prompt == ("v" if set(names) & set(TEXT) else "")
    assert sample.group == ("v" if set(names) & set(GROUP) else None)
    assert sample.id == ("v" if "id" in names else "key-0")


@pytest.mark.parametrize("order", [TEXT, GROUP])
def test_the_first_of_several_columns_wins(order: tuple[str, ...]) -> None:
    for first in range(len(order)):
        sample = build({name: name for name in reversed(order[first:])}).samples[0]
        assert order[first] in (sample.prompt, sample.group)


@settings(max_examples=60, deadline=None)
@given(st.lists(words.filter(lambda w: not w.startswith("[")), max_size=4))
def test_the_three_forms_of_paraphrases_agree(wordings: list[str]) -> None:
    forms = [wordings, tuple(wordings), json.dumps(wordings), "|".join(wordings), " | ".join(wordings)]
    for form in forms:
        assert build({"paraphrases": form}).samples[0].paraphrases == tuple(wordings)


@pytest.mark.parametrize("nothing", [None, "", "  ", float("nan")])
def test_nothing_is_nothing_however_it_is_written(nothing: Any) -> None:
    sample = build({"text": nothing, "group": nothing, "mpp": nothing, "paraphrases": nothing, "id": nothing}).samples[
        0
    ]
    assert (sample.prompt, sample.group, sample.microns_per_pixel, sample.paraphrases) == ("", None, None, ())
    assert sample.id == "key-0"
    with pytest.raises(DataError, match="1 rows have an empty 'organ'"):
        build({"organ": nothing})


def test_numbers_and_booleans_become_class_names() -> None:
    assert [s.labels for s in build({"grade": 3, "ki67": True}, {"grade": 0, "ki67": False}).samples] == [
        {"grade": "3", "ki67": "True"},
        {"grade": "0", "ki67": "False"},
    ]


@pytest.mark.parametrize("value", [[1.0, 2.0], {"a": 1}, b"raw"])
def test_nested_and_binary_columns_are_no_labels(value: Any) -> None:
    assert build({"embedding": value, "organ": "lung"}).attributes == ("organ",)


@pytest.mark.parametrize("scale", [0, -0.5, "inf", "nan", "0,5", "half"])
def test_scales_are_positive_numbers(scale: Any) -> None:
    with pytest.raises(DataError, match="1 rows have a mpp that is no positive number"):
        build({"mpp": scale})
    assert build({"mpp": "0.5"}).microns_per_pixel == 0.5


def test_folder_labels_step_back_behind_a_column() -> None:
    rows = [Row("a", "a", {"label": "x"}, label="f"), Row("b", "b", {"label": "y"}, label="g")]
    assert [s.labels["label"] for s in build_table(rows, Columns(), Problems("d")).samples] == ["x", "y"]


def test_split_names() -> None:
    assert [split_name(n) for n in ("Train", " validation ", "TEST", "held-out", "label", "")] == [
        "train",
        "heldout",
        "test",
        "heldout",
        None,
        None,
    ]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=20))
def test_a_slug_is_fit_for_a_folder_name(text: str) -> None:
    name = slug(text)
    assert name
    assert name not in (".", "..")
    assert all(c.isascii() and (c.isalnum() or c in "._-") for c in name)


def test_problems_are_listed_and_past_the_limit_counted() -> None:
    problems = Problems("tiles")
    problems.raise_if_any()
    problems.add_each([], "{n} of nothing", "never shown")
    problems.add_each([f"item {i}" for i in range(203)], "{n} items are wrong", "Mend them.")
    problems.add("and one more", "Mend them.")
    with pytest.raises(DataError) as caught:
        problems.raise_if_any()
    assert "tiles: 203 items are wrong:\n  - item 0\n" in caught.value.message
    assert "item 199\n  - ... and 3 more" in caught.value.message
    assert "tiles: and one more." in caught.value.message
    assert caught.value.remedy == "Mend them."
