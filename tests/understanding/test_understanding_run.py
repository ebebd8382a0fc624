"""Asking, keeping and scoring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.understanding.made_up_questions import MadeUpQuestions, Told
from unipath_bench import Context, DataError, GeneratorError, UsageError
from unipath_bench.core.progress import Silent
from unipath_bench.metrics.memorisation import clopper_pearson_lower
from unipath_bench.understanding import Answerer, AskedQuestion, Question, UnderstandingRecord
from unipath_bench.understanding.contracts import LETTERS
from unipath_bench.understanding.run import REPLIES, check_questions, chosen_questions, evaluate, order_of


def right(question: AskedQuestion) -> str:
    """The letter, in the order asked, of the option that :class:`MadeUpQuestions` means."""
    number = int(question.id[1:])
    return LETTERS[question.options.index(f"option {number} {number % 4}")]


def run(answerer: Answerer, folder: Path, count: int = 40, **options: Any) -> tuple[UnderstandingRecord, Path]:
    return evaluate(answerer, MadeUpQuestions(count), folder, context=Context(), progress=Silent(), **options)


def test_right_wrong_refused_and_unread_are_counted_by_subset(tmp_path: Path) -> None:
    """Of 40: q0 to q19 right, q20 to q29 one letter further, q30 to q34 refused, q35 to q39 gibberish."""

    def reply(question: AskedQuestion) -> str:
        number = int(question.id[1:])
        if number < 20:
            return right(question)
        if number < 30:
            return LETTERS[(LETTERS.index(right(question)) + 1) % 4]
        return "I cannot answer that." if number < 35 else "hm"

    record, _ = run(Told(reply), tmp_path)
    overall = record.overall
    assert (overall.n, overall.right, overall.refused, overall.unread) == (40, 20, 5, 5)
    assert overall.accuracy == 0.5
    assert overall.chance == 0.25
    # Two questions an image: 20 units, of which ten are all right and ten all wrong.
    assert overall.interval is not None
    assert overall.interval.units == 20
    even = record.subsets["even"]
    # Even numbers: 0, 2 .. 18 right; 30, 32, 34 refused; 36, 38 unread.
    assert (even.n, even.right, even.refused, even.unread) == (20, 10, 3, 2)
    assert list(record.subsets) == ["even", "odd"]


def test_all_right_has_the_exact_bound_of_as_many_images(tmp_path: Path) -> None:
    record, _ = run(Told(right), tmp_path)
    assert record.overall.accuracy == 1.0
    assert record.overall.interval is not None
    assert record.overall.interval.low == pytest.approx(clopper_pearson_lower(20, 20, 0.975))


def test_the_order_of_options_is_the_seeds_and_says_nothing_of_the_answer(tmp_path: Path) -> None:
    questions = MadeUpQuestions(400).questions()
    orders = [order_of(q, 0) for q in questions]
    assert orders == [order_of(q, 0) for q in reversed(questions)][::-1]
    assert orders != [order_of(q, 1) for q in questions]
    # Where the right option is put: 400 draws of 4, expected 100 each, sd 8.7; five of them.
    places = [order.index(q.answer) for order, q in zip(orders, questions, strict=True)]
    assert all(abs(places.count(k) - 100) < 44 for k in range(4))
    # Whoever always says A is at chance.
    record, _ = run(Told(lambda q: "A"), tmp_path, count=400)
    assert abs(record.overall.right - 100) < 44


@pytest.mark.integration
def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    first = Told(right)

    def failing(question: AskedQuestion) -> str:
        if question.id == "q17":
            raise Interrupted
        return right(question)

    with pytest.raises(Interrupted):
        run(Told(failing), tmp_path, batch_size=4)
    record, folder = run(first, tmp_path, batch_size=4)
    assert [q.id for q in first.asked] == [f"q{i}" for i in range(16, 40)]
    # A line cut short by a crash is asked anew; the record is that of an uninterrupted run.
    replies = folder / REPLIES
    text = replies.read_text(encoding="utf-8")
    replies.write_text(text[:-9], encoding="utf-8")
    second = Told(right)
    again, _ = run(second, tmp_path, batch_size=4)
    whole, _ = run(Told(right), tmp_path / "other")
    assert [q.id for q in second.asked] == ["q39"]
    for other in (again, whole):
        assert other.model_dump(exclude={"seconds"}) == record.model_dump(exclude={"seconds"})
    replies.write_text("{}\n" + text, encoding="utf-8")
    with pytest.raises(DataError, match="line 1"):
        run(Told(right), tmp_path)


@pytest.mark.integration
def test_another_seed_or_answerer_is_another_run(tmp_path: Path) -> None:
    folders = {run(Told(right), tmp_path)[1], run(Told(right), tmp_path, seed=1)[1], run(Told(right, "b"), tmp_path)[1]}
    assert len(folders) == 3
    assert all(json.loads((f / "understanding.json").read_text())["overall"]["accuracy"] == 1 for f in folders)


def test_n_draws_the_same_questions_whatever_their_order() -> None:
    questions = list(MadeUpQuestions(60).questions())
    drawn = chosen_questions(questions, 20, 3)
    assert len(drawn) == 20
    assert {q.id for q in drawn} == {q.id for q in chosen_questions(questions[::-1], 20, 3)}
    assert {q.id for q in drawn} < {q.id for q in chosen_questions(questions, 30, 3)}
    assert drawn != questions[:20]
    with pytest.raises(UsageError, match="there are 60"):
        chosen_questions(questions, 61, 0)


def test_an_answerer_that_miscounts_is_stopped(tmp_path: Path) -> None:
    class Short(Told):
        def answer(self, questions: Any) -> list[str]:
            return ["A"]

    with pytest.raises(GeneratorError, match="1 replies to 8"):
        run(Short(right), tmp_path, batch_size=8)


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        (Question("a", "t", ("x", "x"), 0, "s", "i"), "two different"),
        (Question("a", "t", ("x", "y"), 2, "s", "i"), "its answer"),
        (Question("a", " ", ("x", "y"), 0, "s", "i"), "no text"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused(question: Question, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        check_questions([question], "here")
    fine = Question("a", "t", ("x", "y"), 0, "s", "i")
    with pytest.raises(DataError, match="twice"):
        check_questions([fine, fine], "here")
    with pytest.raises(DataError, match="no questions"):
        check_questions([], "here")
