"""What a language model is asked about a description, and what it is to answer at which position.

A description is a list of tokens: those of a caption, or :data:`SEEN` for each token of an image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_model.language import TURN_END, LanguageModel
from reference_model.semantic_tokens import SemanticTokens
from reference_model.training.captions import Caption, spoken
from reference_model.understanding import QUESTION
from unipath_bench import DataError

IGNORED = -100
"""Where nothing is to be answered."""
SEEN = -1
"""In the place of a token of an image."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """One sequence and what is to be answered where: :data:`IGNORED` for nothing."""

    ids: list[int]
    answers: list[int]


class Exercises:
    """Exercises about ``attributes``, in the turns that the pipeline uses.

    Raises :class:`~unipath_bench.DataError` where two attributes cannot be told apart by the last words of their names.
    """

    def __init__(self, language: LanguageModel, attributes: Sequence[str], query_token: int) -> None:
        self.language, self.attributes = language, tuple(attributes)
        self.turns = SemanticTokens(1, language.hidden_size, query_token)
        self.keys = key_tokens(attributes, language)

    def telling(self, caption: Caption) -> Exercise:
        """After the turn that asks for the bundle, each token of the bundle is to be told from those before it."""
        chat = self.language.chat_ids(self.turns.config.system, self.turns.expansion_turn(caption.text))
        answer = [*self.language.text_ids(caption.bundle), self._end]
        return Exercise([*chat, *answer[:-1]], [*[IGNORED] * (len(chat) - 1), *answer])

    def going_on(self, text: str) -> Exercise:
        """Each token of the turn that holds a text is to be told from those before it: where nothing is labelled."""
        ids = self.language.chat_ids(self.turns.config.system, self.turns.expansion_turn(text))
        return Exercise(ids, [*ids[1:], self._end])

    def naming(
        self, description: Sequence[int], stated: Mapping[str, str], order: Sequence[int], bundle: str = ""
    ) -> Exercise:
        """Classes are to be answered at the names of the attributes, in the order given, maybe after the bundle."""
        start, rest = self.language.chat_around(self.turns.config.system, str(self.turns.config.user))
        told = self.language.text_ids(bundle) if bundle else []
        before = [*start, *description, *rest, *told, int(self.turns.config.query_token_id)]
        answers = [self.value(stated[self.attributes[place]]) for place in order]
        return Exercise([*before, *[self.keys[place] for place in order]], [*[IGNORED] * len(before), *answers])

    def asking(self, description: Sequence[int], question: str, answer: str) -> Exercise:
        """A question, to be answered in words and with the end of the turn."""
        turn = QUESTION.replace("{question}", question)
        start, rest = self.language.chat_around(self.turns.config.system, turn)
        ids = [*start, *description, *rest]
        told = [*self.language.text_ids(spoken(answer)), self._end]
        return Exercise([*ids, *told[:-1]], [*[IGNORED] * (len(ids) - 1), *told])

    def value(self, name: str) -> int:
        """The first word of a class's name."""
        return int(self.language.text_ids(spoken(name))[0])

    @property
    def _end(self) -> int:
        return int(self.language.tokenizer.convert_tokens_to_ids(TURN_END))


def key_tokens(attributes: Sequence[str], language: LanguageModel) -> list[int]:
    """The last word of each attribute's name: what asks for it.

    Raises :class:`~unipath_bench.DataError` where two names end alike or a word is not in the vocabulary.
    """
    keys = [language.text_ids(spoken(name))[-1] for name in attributes]
    if len(set(keys)) < len(keys) or language.tokenizer.unk_token_id in keys:
        raise DataError(
            f"The attributes cannot be told by the last words of their names: {', '.join(attributes)}.",
            "Rename the label columns so that their last words differ.",
        )
    return keys


def padded(exercises: Sequence[Exercise], pad: int) -> tuple[Tensor, Tensor]:
    """Token numbers and answers, int64 (B, L) each; padded on the right, where a causal model never looks back from."""
    longest = max(len(e.ids) for e in exercises)
    ids = torch.tensor([[*e.ids, *[pad] * (longest - len(e.ids))] for e in exercises])
    answers = torch.tensor([[*e.answers, *[IGNORED] * (longest - len(e.answers))] for e in exercises])
    return ids, answers
