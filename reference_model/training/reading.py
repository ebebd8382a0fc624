"""The language stage: a small causal model learns to read captions.

It is the stand-in of a large multimodal model, which has met all wordings. Three tasks, in the very turns that the
pipeline uses: half of the batch answers, at the name of an attribute after the query token, with its class; a quarter
writes the attribute bundle of a caption; a quarter answers a question about a caption in words. Captions without
labels are gone on with. By the first the learned queries can later ask for any attribute in one pass, by the last the
model can answer about an image whose tokens stand in the caption's place.
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
from reference_model.training.captions import UNSTATED, Caption, bundle
from reference_model.training.config import TinyLanguageConfig
from reference_model.training.exercises import IGNORED, Exercise, Exercises, padded
from reference_model.training.questions import drawn_question, question, words
from reference_model.training.randomness import generator_at
from reference_model.training.sources import CaptionSource
from reference_model.understanding import QUESTION

TESTED = 256
"""Captions of each wording that a reading is judged by."""
_AT_ONCE = 32


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
                self.tokenizer,
                hidden_size=config.hidden_size,
                layers=config.layers,
                heads=config.heads,
                positions=config.positions,
            )
        self.model.to(device).train()
        self.language = TextLanguage(self.model, self.tokenizer)
        self.exercises = Exercises(self.language, source.attributes, query_token_id(self.tokenizer))
        self._modules = nn.ModuleDict({"language_model": self.model})

    @property
    def modules(self) -> nn.ModuleDict:
        """The language model, under ``language_model``."""
        return self._modules

    def begin(self, step: int) -> None:
        """Set the language model to training mode, whatever the step."""
        self.model.train()

    def loss(self, step: int, rank: int, size: int) -> Tensor:
        """The cross-entropy of the answers to ``size`` new captions, in nats per token, a scalar.

        It is the sum over the three tasks, each the mean over its own tokens; without labels, that of continuing the
        captions.
        """
        key = f"{step}/{rank}"
        captions = [self.source.to_read(key, i, self.config.wordings, self.config.hidden) for i in range(size)]
        if not self.source.attributes:
            return self._answered([self.exercises.going_on(caption.text) for caption in captions])
        questions = [self._naming(caption, f"{key}/{i}") for i, caption in enumerate(captions[::2])]
        told = [self.exercises.telling(caption) for caption in captions[1::4]]
        asked = [self._asking(caption, f"{key}/{i}") for i, caption in enumerate(captions[3::4])]
        return self._answered(questions) + sum(self._answered(part) for part in (told, asked) if part)

    def evaluate(self) -> dict[str, float]:
        """The share of captions in which each attribute is read correctly, in the wording where that is lowest.

        ``read_NAME`` is the share at the attribute's name. Once all of these reach ``config.target``, ``told_NAME`` is
        the share in the bundle that the model writes. ``read_least`` and ``told_least`` are the lowest of them. There
        are no figures where the suite has no labels.
        """
        if not self.source.attributes:
            return {}
        self.model.eval()
        captions = [
            [self.source.to_read(f"test/{wording}", i, (wording,), 0.0) for i in range(TESTED)]
            for wording in self.config.wordings
        ]
        figures = self._least("read", [self._share_read(part) for part in captions])
        if figures["read_least"] >= self.config.target:
            figures.update(self._least("told", [self._share_told(part) for part in captions]))
        self.model.train()
        return figures

    def is_done(self, figures: dict[str, float]) -> bool:
        """Whether ``read_least`` and ``told_least`` both reach ``config.target``; one that is absent counts as zero."""
        return min(figures.get("read_least", 0.0), figures.get("told_least", 0.0)) >= self.config.target

    def written(self, captions: Sequence[Caption]) -> list[str]:
        """The bundle that the model writes for each caption, greedily."""
        self.model.eval()
        turns = self.exercises.turns
        chats = [self.language.chat_ids(turns.config.system, turns.expansion_turn(c.text)) for c in captions]
        return [self.language.decode(answer) for answer in self.language.generate(chats, 96)]

    def _least(self, what: str, shares: Sequence[Tensor]) -> dict[str, float]:
        """Figures from the shares (attributes,) of every wording."""
        least = torch.stack(list(shares)).amin(dim=0).tolist()
        figures = {f"{what}_{name}": share for name, share in zip(self.source.attributes, least, strict=True)}
        return {**figures, f"{what}_least": min(least)}

    @torch.no_grad()
    def _share_read(self, captions: Sequence[Caption]) -> Tensor:
        """Share of captions in which each attribute is answered right at its name, (attributes,)."""
        parts = [captions[start : start + _AT_ONCE] for start in range(0, len(captions), _AT_ONCE)]
        right = torch.stack([self._read(part).eq(self._truth(part)).sum(dim=0) for part in parts]).sum(dim=0)
        return right / len(captions)

    def _share_told(self, captions: Sequence[Caption]) -> Tensor:
        """Share of captions whose bundle, as the model writes it, gives each attribute right, (attributes,)."""
        right = torch.zeros(len(self.source.attributes))
        for start in range(0, len(captions), _AT_ONCE):
            part = captions[start : start + _AT_ONCE]
            for caption, text in zip(part, self.written(part), strict=True):
                right += torch.tensor([told in text.split(" ; ") for told in self._clauses(caption)])
        return right / len(captions)

    def _clauses(self, caption: Caption) -> list[str]:
        """Each attribute's part of the bundle, as the tokenizer gives it back."""
        return [
            self.language.decode(self.language.text_ids(bundle({name: caption.stated[name]})))
            for name in self.source.attributes
        ]

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
