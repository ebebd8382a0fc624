"""What a set of questions and an answerer implement."""

from __future__ import annotations

import string
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from unipath_bench.contracts import Context
from unipath_bench.core.arrays import RGBImage
from unipath_bench.understanding.record import AnswererCard, QuestionSetCard

LETTERS = string.ascii_uppercase
INSTRUCTION = "Answer with the option's letter from the given choices directly."
"""Our wording; it is in the record."""


@dataclass(frozen=True, slots=True)
class Question:
    """One multiple-choice question about one image."""

    id: str
    """Unique in its set and stable across runs."""
    text: str
    options: tuple[str, ...]
    """As published, without letters; two or more, all different."""
    answer: int
    """Index of the right option."""
    subset: str
    image: str
    """Names the image in its set; questions about one image are not independent."""
    group: str | None = None
    """Patient, slide or source, where known."""


class QuestionSet(ABC):
    """Questions and their images."""

    card: QuestionSetCard

    @property
    @abstractmethod
    def revision(self) -> str:
        """Digest of all questions, options, answers and images."""

    @abstractmethod
    def questions(self) -> Sequence[Question]:
        """All questions in a fixed order."""

    @abstractmethod
    def load(self, question: Question) -> RGBImage:
        """The image, uint8 (H, W, 3). Raises :class:`~unipath_bench.DataError` naming the file."""


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question as an answerer sees it: the options in the order asked, without the answer."""

    id: str
    text: str
    options: tuple[str, ...]
    image: RGBImage

    @property
    def prompt(self) -> str:
        """Question, lettered options and instruction, line by line."""
        listed = [f"{letter}. {option}" for letter, option in zip(LETTERS, self.options, strict=False)]
        return "\n".join([self.text, *listed, INSTRUCTION])


class Answerer(ABC):
    """A model that answers. Subclass, set ``card``, implement :meth:`answer`."""

    card: AnswererCard
    incidental: ClassVar[frozenset[str]] = frozenset()
    """Constructor arguments that do not decide the answers."""

    def missing(self, context: Context) -> str | None:
        """What the user must supply before :meth:`setup` can work, as a remedy; None when all is at hand."""
        return None

    def setup(self, context: Context) -> None:  # noqa: B027  (optional hook)
        """Load weights onto ``context.device``; called once."""

    def fingerprint(self) -> Mapping[str, Any]:
        """JSON-able facts beyond the card that decide the answers, e.g. a digest of the weights."""
        return {}

    @abstractmethod
    def answer(self, questions: Sequence[AskedQuestion]) -> Sequence[str]:
        """One raw reply a question, in order. It is read strictly: see :mod:`unipath_bench.understanding.replies`."""
