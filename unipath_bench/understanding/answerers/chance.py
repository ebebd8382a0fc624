"""An answerer that does not look: what every set gives by chance."""

from __future__ import annotations

from collections.abc import Sequence

from unipath_bench.core.digest import seed_from
from unipath_bench.understanding.contracts import LETTERS, Answerer, AskedQuestion
from unipath_bench.understanding.record import AnswererCard


class ChanceAnswerer(Answerer):
    """A letter by ``seed`` and the question's id."""

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.card = AnswererCard(
            name="chance",
            title="Guessing",
            revision="1",
            licence="Apache-2.0",
            arguments={"seed": seed},
            notes="Its accuracy must agree with the chance level.",
        )

    def answer(self, questions: Sequence[AskedQuestion]) -> Sequence[str]:
        """Return one letter per question: pseudo-random over its options, by ``seed`` and the question's id alone."""
        return [LETTERS[seed_from("chance answer", self.seed, q.id) % len(q.options)] for q in questions]
