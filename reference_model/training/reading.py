"""The language stage: a small causal model learns to read captions.

It is the stand-in of a large multimodal model, which has met all wordings. Three tasks, in the very turns that the
pipeline uses: half of the batch answers, at the name of an attribute after the query token, with its class; a quarter
goes on with the text, up to and with the attribute bundle of a caption; a quarter answers a question about a caption
in words. By the first the learned queries can later ask for any attribute in one pass, by the last the model can
answer about an image whose tokens stand in the caption's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from reference_model.language import TextLanguage
from reference_model.tiny_language import build_language_model, build_tokenizer, query_token_id
from reference_model.training.captions import UNSTATED, Caption
from reference_model.training.config import TinyLanguageConfig
from reference_model.training.exercises import IGNORED, Exercise, Exercises, padded
from reference_model.training.questions import drawn_question, question, words
from reference_model.training.randomness import generator_at
from reference_model.training.sources import CaptionSource
from reference_model.understanding import QUESTION

TESTED = 256
"""Captions that a reading is judged by."""


def vocabulary(source: CaptionSource, config: TinyLanguageConfig) -> PreTrainedTokenizerFast:
    """A tokenizer that knows the words of captions, bundles and turns."""
    captions = [
        source.to_read("vocabulary", index, config.wordings, 0.0) for index in range(config.vocabulary_captions)
    ]
    texts = [text for caption in captions for text in (caption.text, caption.bundle)]
    return build_tokenizer([*texts, *words(), UNSTATED, QUESTION.replace("{question}", " ").replace("{prompt}", " ")])


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
        self.exercises = Exercises(self.language, source.attributes, query_token_id(self.tokenizer))
        self._modules = nn.ModuleDict({"language_model": self.model})

    @property
    def modules(self) -> nn.ModuleDict:
        return self._modules

    def begin(self, step: int) -> None:
        self.model.train()

    def loss(self, step: int, rank: int, size: int) -> Tensor:
        key = f"{step}/{rank}"
        captions = [self.source.to_read(key, i, self.config.wordings, self.config.hidden) for i in range(size)]
        if not self.source.attributes:
            return self._answered([self.exercises.telling(caption) for caption in captions])
        questions = [self._naming(caption, f"{key}/{i}") for i, caption in enumerate(captions[::2])]
        told = [self.exercises.telling(caption) for caption in captions[1::4]]
        asked = [self._asking(caption, f"{key}/{i}") for i, caption in enumerate(captions[3::4])]
        return self._answered(questions) + sum(self._answered(part) for part in (told, asked) if part)

    def evaluate(self) -> dict[str, float]:
        """Share of captions, of the last wording, in which each attribute is read right at its name."""
        if not self.source.attributes:
            return {}
        self.model.eval()
        captions = [self.source.to_read("test", i, self.config.wordings[-1:], 0.0) for i in range(TESTED)]
        right = torch.zeros(len(self.source.attributes))
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
        turns = self.exercises.turns
        chats = [self.language.chat_ids(turns.config.system, turns.expansion_turn(c.text)) for c in captions]
        return [self.language.decode(answer) for answer in self.language.generate(chats, 96)]

    def _read(self, captions: Sequence[Caption]) -> Tensor:
        """Tokens answered at the names of all attributes, int64 (captions, attributes)."""
        order = list(range(len(self.source.attributes)))
        ids, answers = self._padded([self.exercises.naming(self._ids(c), c.stated, order) for c in captions])
        hidden = self.model.model(input_ids=ids).last_hidden_state
        logits: Tensor = self.model.lm_head(hidden[answers != IGNORED])
        return logits.argmax(dim=1).view(len(captions), len(order)).cpu()

    def _truth(self, captions: Sequence[Caption]) -> Tensor:
        value = self.exercises.value
        return torch.tensor([[value(c.stated[name]) for name in self.source.attributes] for c in captions])

    def _naming(self, caption: Caption, key: str) -> Exercise:
        """All attributes in a random order, a quarter of the time after the bundle."""
        generator = generator_at("question", self.seed, key)
        order = torch.randperm(len(self.source.attributes), generator=generator).tolist()
        expanded = bool(torch.rand((), generator=generator) < 0.25)
        return self.exercises.naming(self._ids(caption), caption.stated, order, caption.bundle if expanded else "")

    def _asking(self, caption: Caption, key: str) -> Exercise:
        """A question about one attribute."""
        name, wording = drawn_question(self.source.attributes, "asking", self.seed, key)
        return self.exercises.asking(self._ids(caption), question(name, wording), caption.stated[name])

    def _ids(self, caption: Caption) -> list[int]:
        return self.language.text_ids(caption.text)

    def _padded(self, exercises: Sequence[Exercise]) -> tuple[Tensor, Tensor]:
        ids, answers = padded(exercises, int(self.tokenizer.pad_token_id))
        return ids.to(self.device), answers.to(self.device)

    def _answered(self, exercises: Sequence[Exercise]) -> Tensor:
        ids, answers = self._padded(exercises)
        hidden: Any = self.model.model(input_ids=ids).last_hidden_state
        asked = answers != IGNORED
        return functional.cross_entropy(self.model.lm_head(hidden[asked]), answers[asked])
