"""The language stage: a small causal model learns to read captions.

It is the stand-in of a large multimodal model, which has met all wordings. Two tasks, half of the batch each, in the
very turns that the pipeline uses: to go on with the text, up to and with the attribute bundle of a caption, and to
answer, at the name of an attribute after the query token, with its class. By the second the learned queries can later
ask for any attribute in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from reference_model.language import TURN_END, TextLanguage
from reference_model.semantic_tokens import SemanticTokens
from reference_model.tiny_language import build_language_model, build_tokenizer, query_token_id
from reference_model.training.captions import UNSTATED, Caption, spoken
from reference_model.training.config import TinyLanguageConfig
from reference_model.training.randomness import generator_at
from reference_model.training.sources import CaptionSource
from unipath_bench import DataError

IGNORED = -100
TESTED = 256
"""Captions that a reading is judged by."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """One sequence and what is to be answered where: -100 for nothing."""

    ids: list[int]
    answers: list[int]


def vocabulary(source: CaptionSource, config: TinyLanguageConfig) -> PreTrainedTokenizerFast:
    """A tokenizer that knows the words of captions, bundles and turns."""
    captions = [
        source.to_read("vocabulary", index, config.wordings, 0.0) for index in range(config.vocabulary_captions)
    ]
    texts = [text for caption in captions for text in (caption.text, caption.bundle)]
    return build_tokenizer([*texts, UNSTATED])


def key_tokens(attributes: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The last word of each attribute's name: what asks for it.

    Raises :class:`~unipath_bench.DataError` where two names end alike or a word is not in the vocabulary.
    """
    keys = [int(tokenizer(spoken(name), add_special_tokens=False)["input_ids"][-1]) for name in attributes]
    if len(set(keys)) < len(keys) or tokenizer.unk_token_id in keys:
        raise DataError(
            f"The attributes cannot be told by the last words of their names: {', '.join(attributes)}.",
            "Rename the label columns so that their last words differ.",
        )
    return keys


class ReadingProblem:
    """The language model's training. ``seed`` decides weights and captions."""

    name = "language"

    def __init__(self, source: CaptionSource, config: TinyLanguageConfig, seed: int, device: torch.device) -> None:
        self.source, self.config, self.seed, self.device = source, config, seed, device
        self.tokenizer = vocabulary(source, config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model: Qwen2ForCausalLM = build_language_model(
                self.tokenizer, hidden_size=config.hidden_size, layers=config.layers, heads=config.heads,
                positions=config.positions,
            )  # fmt: skip
        self.model.to(device).train()
        self.language = TextLanguage(self.model, self.tokenizer)
        self.turns = SemanticTokens(1, config.hidden_size, query_token_id(self.tokenizer))
        self.keys = key_tokens(source.attributes, self.tokenizer)
        self._modules = nn.ModuleDict({"language_model": self.model})

    @property
    def modules(self) -> nn.ModuleDict:
        return self._modules

    def begin(self, step: int) -> None:
        self.model.train()

    def loss(self, step: int, rank: int, size: int) -> Tensor:
        key = f"{step}/{rank}"
        captions = [self.source.to_read(key, i, self.config.wordings, self.config.hidden) for i in range(size)]
        if not self.keys:
            return self._answered([self._telling(caption) for caption in captions])
        questions = [self._shuffled(caption, f"{key}/{i}") for i, caption in enumerate(captions[::2])]
        told = [self._telling(caption) for caption in captions[1::2]]
        return self._answered(questions) + (self._answered(told) if told else 0.0)

    def evaluate(self) -> dict[str, float]:
        """Share of captions, of the last wording, in which each attribute is read right at its name."""
        if not self.keys:
            return {}
        self.model.eval()
        captions = [self.source.to_read("test", i, self.config.wordings[-1:], 0.0) for i in range(TESTED)]
        right = torch.zeros(len(self.keys))
        with torch.no_grad():
            for start in range(0, TESTED, 32):
                part = captions[start : start + 32]
                right += self._read(part).eq(self._truth(part)).sum(dim=0)
        self.model.train()
        shares = (right / TESTED).tolist()
        figures = {f"read_{name}": share for name, share in zip(self.source.attributes, shares, strict=True)}
        return {**figures, "read_least": min(shares)}

    def is_done(self, figures: dict[str, float]) -> bool:
        return bool(figures) and figures["read_least"] >= self.config.target

    def written(self, captions: Sequence[Caption]) -> list[str]:
        """The bundle that the model writes for each caption, greedily."""
        self.model.eval()
        turns = [self.language.chat_ids(self.turns.config.system, self.turns.expansion_turn(c.text)) for c in captions]
        return [self.language.decode(answer) for answer in self.language.generate(turns, 96)]

    def _read(self, captions: Sequence[Caption]) -> Tensor:
        exercises = [self._question(caption, list(range(len(self.keys))), expanded=False) for caption in captions]
        ids, answers = self._padded(exercises)
        hidden = self.model.model(input_ids=ids).last_hidden_state
        logits: Tensor = self.model.lm_head(hidden[answers != IGNORED])
        return logits.argmax(dim=1).view(len(captions), len(self.keys)).cpu()

    def _truth(self, captions: Sequence[Caption]) -> Tensor:
        return torch.tensor([[self._value(c.stated[name]) for name in self.source.attributes] for c in captions])

    def _shuffled(self, caption: Caption, key: str) -> Exercise:
        """A question in a random order, a quarter of them after the bundle."""
        generator = generator_at("question", self.seed, key)
        order = torch.randperm(len(self.keys), generator=generator).tolist()
        expanded = bool(torch.rand((), generator=generator) < 0.25)
        return self._question(caption, order, expanded=expanded)

    def _telling(self, caption: Caption) -> Exercise:
        """Each token of the turn that asks for the bundle, and of the bundle, is to be told from those before it."""
        chat = self.language.chat_ids(self.turns.config.system, self.turns.expansion_turn(caption.text))
        ids = [*chat, *self.language.text_ids(caption.bundle), self.tokenizer.convert_tokens_to_ids(TURN_END)]
        return Exercise(ids[:-1], ids[1:])

    def _question(self, caption: Caption, order: Sequence[int], *, expanded: bool) -> Exercise:
        """Answer at the names of the attributes, in any order."""
        chat = self.language.chat_ids(self.turns.config.system, self.turns.user_turn(caption.text))
        told = self.language.text_ids(caption.bundle) if expanded else []
        before = [*chat, *told, int(self.turns.config.query_token_id)]
        names = [self.source.attributes[place] for place in order]
        answers = [self._value(caption.stated[name]) for name in names]
        return Exercise([*before, *[self.keys[place] for place in order]], [*[IGNORED] * len(before), *answers])

    def _value(self, value: str) -> int:
        return int(self.language.text_ids(spoken(value))[0])

    def _padded(self, exercises: Sequence[Exercise]) -> tuple[Tensor, Tensor]:
        """Token numbers and answers, int64 (B, L) each; padded on the right, where a causal model never looks back
        from."""
        pad = int(self.tokenizer.pad_token_id)
        longest = max(len(e.ids) for e in exercises)
        ids = torch.tensor([[*e.ids, *[pad] * (longest - len(e.ids))] for e in exercises])
        answers = torch.tensor([[*e.answers, *[IGNORED] * (longest - len(e.answers))] for e in exercises])
        return ids.to(self.device), answers.to(self.device)

    def _answered(self, exercises: Sequence[Exercise]) -> Tensor:
        ids, answers = self._padded(exercises)
        hidden: Any = self.model.model(input_ids=ids).last_hidden_state
        asked = answers != IGNORED
        return functional.cross_entropy(self.model.lm_head(hidden[asked]), answers[asked])
