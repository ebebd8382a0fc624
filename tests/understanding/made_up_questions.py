"""A set of questions in memory, and an answerer that says what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from unipath_bench.core.arrays import RGBImage
from unipath_bench.understanding import Answerer, AnswererCard, AskedQuestion, Question, QuestionSet, QuestionSetCard


class MadeUpQuestions(QuestionSet):
    """``count`` questions of four options on half as many images; the right one is ``number % 4``."""

    card = QuestionSetCard(name="made-up", title="Made up", kind="phantom", licence="none")
    revision = "1"

    def __init__(self, count: int = 40) -> None:
        self._questions = [
            Question(
                f"q{i}",
                f"Number {i}?",
                tuple(f"option {i} {k}" for k in range(4)),
                i % 4,
                ("even", "odd")[i % 2],
                f"image{i // 2}",
            )
            for i in range(count)
        ]

    def questions(self) -> Sequence[Question]:
        return self._questions

    def load(self, question: Question) -> RGBImage:
        return np.full((8, 8, 3), int(question.image.removeprefix("image")), np.uint8)


class Told(Answerer):
    """Replies by a function; keeps what it was asked."""

    def __init__(self, reply: Callable[[AskedQuestion], str], name: str = "told") -> None:
        self.card = AnswererCard(name=name, revision="1", licence="none")
        self.reply, self.asked = reply, []  # type: ignore[var-annotated]

    def answer(self, questions: Sequence[AskedQuestion]) -> Sequence[str]:
        self.asked += list(questions)
        return [self.reply(question) for question in questions]
