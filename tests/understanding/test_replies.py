"""Reading replies strictly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unipath_bench.understanding.contracts import LETTERS
from unipath_bench.understanding.replies import NoAnswer, read_reply

OPTIONS = ("glands", "A solid sheet", "spindle cells", "none of these")


@pytest.mark.parametrize(
    ("reply", "index"),
    [
        ("B", 1),
        ("b.", NoAnswer.UNREAD),
        ("(C)", 2),
        (" D. ", 3),
        ("**A**", 0),
        ('"B"', 1),
        ("B:", 1),
        ("B) A solid sheet", 1),
        ("C. spindle cells, since they are long", 2),
        ("(A) glands", 0),
        ("Answer: C", 2),
        ("The answer is B.", 1),
        ("the correct option is (D)", 3),
        ("answer: **A**", 0),
        ("I think it is glandular. Answer: A", 0),
        ("B. The answer is B", 1),
        ("glands", 0),
        ("Spindle  cells.", 2),
        ("a solid sheet", 1),
    ],
)
def test_an_option_named_once_is_read(reply: str, index: int | NoAnswer) -> None:
    assert read_reply(reply, OPTIONS) == index


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "E",
        "A or B",
        "A gland is seen",
        "It may be B",
        "The answer is A. No, the answer is B.",
        "B. The answer is C",
        "glands and spindle cells",
        "The answer is E",
        "AB",
        "Answer: Benign",
        "?",
    ],
)
def test_none_or_several_is_no_answer(reply: str) -> None:
    assert read_reply(reply, OPTIONS) is NoAnswer.UNREAD


@pytest.mark.parametrize(
    "reply",
    ["I cannot answer this.", "I'm sorry, but I can't help with medical images.", "As an AI, I am unable to diagnose."],
)
def test_refusals_are_told_from_gibberish(reply: str) -> None:
    assert read_reply(reply, OPTIONS) is NoAnswer.REFUSED


@pytest.mark.integration
@given(count=st.integers(2, 26), data=st.data())
def test_the_letter_alone_is_always_read_and_one_past_the_last_never(count: int, data: st.DataObject) -> None:
    options = [f"option text {i}" for i in range(count)]
    index = data.draw(st.integers(0, count - 1))
    assert read_reply(LETTERS[index], options) == index
    assert read_reply(f"{LETTERS[index]}. {options[index]}", options) == index
    assert read_reply(options[index], options) == index
    if count < 26:
        assert read_reply(LETTERS[count], options) is NoAnswer.UNREAD
