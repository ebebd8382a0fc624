"""The vision stage: a tower learns to show tiles to the frozen language model, in the place of captions.

As in LLaVA (Liu et al., 2023, "Visual instruction tuning"), image tokens enter among the word embeddings, and the loss
is the language model's own, on its answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from reference_model.training.config import VisionConfig
from reference_model.training.exercises import IGNORED, SEEN, Exercise, Exercises, padded
from reference_model.training.questions import drawn_question, held_out_question, question
from reference_model.training.randomness import generator_at
from reference_model.training.tiles import ORIENTATIONS, Tiles, oriented, to_pixels
from reference_model.understanding import answer_scores
from reference_model.vision_tower import REDUCTION, VisionTower
from unipath_bench import DataError

TESTED = 128
"""Tiles, the last ones, that answers are judged on and never trained on."""


class SeeingProblem:
    """Half of a batch answers at the names of all attributes, half a question about one of them."""

    name = "vision"

    def __init__(
        self, tiles: Tiles, config: VisionConfig, exercises: Exercises, seed: int, device: torch.device
    ) -> None:
        if not exercises.attributes:
            raise DataError("The tiles have no labels to ask questions about.", "Leave the vision stage out.")
        self.tiles, self.exercises, self.seed, self.device = tiles, exercises, seed, device
        self.language = language = exercises.language
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            side = tiles.images.shape[1]
            self.tower = VisionTower(side=side, width=config.width, hidden_size=language.hidden_size).to(device)
        self.places = (side // REDUCTION) ** 2
        self.usable = max(1, len(tiles) - TESTED)
        self._modules = nn.ModuleDict({"vision_tower": self.tower})

    @property
    def modules(self) -> nn.ModuleDict:
        """The tower, under ``vision_tower``; the language model, which is frozen, is not included."""
        return self._modules

    def begin(self, step: int) -> None:
        """Set the tower to training mode, whatever the step."""
        self.tower.train()

    def loss(self, step: int, rank: int, size: int) -> Tensor:
        """The cross-entropy of the language model's answers about ``size`` tiles, in nats per token, a scalar.

        It is the sum over the two halves of the batch, each the mean over its own tokens. Tiles, with replacement from
        all but the last :data:`TESTED`, and one orientation for all of them are drawn from the seed, the step and the
        process.
        """
        generator = generator_at("seeing", self.seed, step, rank)
        rows = torch.randint(self.usable, (size,), generator=generator).tolist()
        orientation = int(torch.randint(ORIENTATIONS, (), generator=generator))
        pixels = oriented(to_pixels(self.tiles.images[np.asarray(rows)]), orientation).to(self.device)
        seen = self.tower(pixels)
        half = (size + 1) // 2
        named = [self._naming(row, f"{step}/{rank}/{i}") for i, row in enumerate(rows[:half])]
        asked = [self._asking(row, f"{step}/{rank}/{i}") for i, row in enumerate(rows[half:])]
        loss = self._answered(named, seen[:half])
        return loss + self._answered(asked, seen[half:]) if asked else loss

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Share of questions about tiles, and in a wording, not trained on that are answered right, by attribute."""
        self.tower.eval()
        samples = self.tiles.samples[-TESTED:]
        seen = self.tower(to_pixels(self.tiles.images[-TESTED:]).to(self.device))
        figures = {}
        for name in self.exercises.attributes:
            options = sorted({sample.labels[name] for sample in self.tiles.samples})
            right = [
                options[
                    int(answer_scores(self.language, self._system, tokens, held_out_question(name), options).argmax())
                ]
                == sample.labels[name]
                for tokens, sample in zip(seen, samples, strict=True)
            ]
            figures[f"answers_{name}"] = sum(right) / len(right)
        self.tower.train()
        return {**figures, "answers_mean": sum(figures.values()) / len(figures)}

    def is_done(self, figures: dict[str, float]) -> bool:
        """False: the stage always trains to its last step."""
        return False

    @property
    def _system(self) -> str:
        return str(self.exercises.turns.config.system)

    def _naming(self, row: int, key: str) -> Exercise:
        order = torch.randperm(len(self.exercises.attributes), generator=generator_at("naming", self.seed, key))
        return self.exercises.naming([SEEN] * self.places, self.tiles.samples[row].labels, order.tolist())

    def _asking(self, row: int, key: str) -> Exercise:
        name, wording = drawn_question(self.exercises.attributes, "asking of tiles", self.seed, key)
        labels = self.tiles.samples[row].labels
        return self.exercises.asking([SEEN] * self.places, question(name, wording), labels[name])

    def _answered(self, exercises: Sequence[Exercise], seen: Tensor) -> Tensor:
        model: Any = self.language.model
        ids, answers = (part.to(self.device) for part in padded(exercises, int(self.language.tokenizer.pad_token_id)))
        shown = ids == SEEN
        embeds = model.get_input_embeddings()(ids.clamp(min=0))
        embeds = embeds.masked_scatter(shown.unsqueeze(-1), seen.to(embeds))
        hidden = model.base_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
        asked = answers != IGNORED
        return functional.cross_entropy(model.lm_head(hidden[asked]), answers[asked])
