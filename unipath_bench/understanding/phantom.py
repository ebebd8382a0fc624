"""Questions about phantom tiles: each attribute of each test tile is asked for once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from unipath_bench.contracts import Sample
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest
from unipath_bench.core.errors import UsageError
from unipath_bench.phantom import CLASSES, PhantomSuite
from unipath_bench.understanding.contracts import Question, QuestionSet
from unipath_bench.understanding.record import QuestionSetCard

WORDING = "How is the {name} best described?"


class PhantomQuestions(QuestionSet):
    """``tiles`` test tiles of the phantom of ``seed``, ten questions each; the subsets are the attributes."""

    card = QuestionSetCard(
        name="phantom",
        title="Questions about the phantom",
        kind="phantom",
        licence="Apache-2.0",
        notes="Rendered, not tissue: the answers are the attributes that a tile is drawn from. Results say how a model "
        "or this track behaves, nothing about pathology.",
    )

    def __init__(self, *, tiles: int = 64, seed: int = 0) -> None:
        if not isinstance(tiles, int) or isinstance(tiles, bool) or tiles < 1:
            raise UsageError(f"tiles={tiles!r} is no number of tiles.", "Give a whole number from 1 on.")
        # The suite deals tiles out to patients by fours.
        self._suite = PhantomSuite(train=0, test=-(-tiles // 4) * 4, paraphrases=0, seed=seed)
        self._tiles: dict[str, Sample] = {
            s.id: s for s in [s for s in self._suite.samples() if s.split == "test"][:tiles]
        }
        self._parameters: dict[str, Any] = {"tiles": tiles, "wording": WORDING, "suite": self._suite.revision}

    @property
    def revision(self) -> str:
        """Digest of the number of tiles, the wording and the revision of the phantom suite."""
        return digest(self._parameters)

    @cached_property
    def _questions(self) -> tuple[Question, ...]:
        return tuple(
            Question(
                id=f"{sample.id}/{name}",
                text=WORDING.replace("{name}", name.replace("_", " ")),
                options=tuple(value.replace("_", " ") for value in classes),
                answer=classes.index(sample.labels[name]),
                subset=name,
                image=sample.id,
                group=sample.group,
            )
            for sample in self._tiles.values()
            for name, classes in CLASSES.items()
        )

    def questions(self) -> Sequence[Question]:
        """All questions, tile by tile, in the order of the attributes."""
        return self._questions

    def load(self, question: Question) -> RGBImage:
        """Render the question's tile: uint8 (H, W, 3)."""
        return self._suite.load(self._tiles[question.image])
