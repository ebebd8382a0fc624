"""The last stage: the image transformer learns velocities, and with it the prototype projector and the queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from reference_model.flow import noised, timesteps_of, velocity
from reference_model.training.alignment import Alignment
from reference_model.training.config import FlowConfig, rate_from
from reference_model.training.contexts import ContextTable, Rows
from reference_model.training.randomness import chance_at, generator_at
from reference_model.training.tiles import ORIENTATIONS
from unipath_bench import UsageError

EVALUATED = 8
"""Batches, the same at every evaluation, that the loss is reported on."""

Latents = npt.NDArray[np.float16]
"""Latents of every tile in every orientation, (8, N, C, h, w)."""


class FlowProblem:
    """Mean squared error of the velocity (Lipman et al., 2023).

    Most noise levels are logit-normal (Esser et al., 2024, "Scaling rectified flow transformers"), some uniform. Whole
    batches go without raw text, semantic tokens or prototypes, at the rates of ``config``, so that each stream must
    serve without the others; single samples go without any condition, for guidance. Of the batches with prototypes, a
    share has those close to the tiles, not those found for the captions.

    ``alignment`` adds, over the first steps, the alignment with an encoder's representation.
    """

    name = "flow"

    def __init__(
        self,
        transformer: Any,
        contexts: ContextTable,
        latents: Latents,
        labels: Sequence[Mapping[str, str]],
        config: FlowConfig,
        seed: int,
        device: torch.device,
        alignment: Alignment | None = None,
    ) -> None:
        self.transformer = transformer.to(device)
        self.contexts, self.latents, self.config, self.seed, self.device = contexts, latents, config, seed, device
        self.alignment = alignment
        self.aligned_steps = config.schedule.steps * (config.align.until if config.align else 0.0)
        self.weights = row_weights(labels, config.balanced)
        heads = {"alignment": alignment.head} if alignment else {}
        self._modules = nn.ModuleDict({"transformer": self.transformer, **contexts.trained, **heads})

    @property
    def modules(self) -> nn.ModuleDict:
        """The transformer, the trained modules of the contexts and, with alignment, its head, each under its name."""
        return self._modules

    def begin(self, step: int) -> None:
        """Set all trained modules to training mode, whatever the step."""
        self._modules.train()

    def loss(self, step: int, rank: int, size: int) -> Tensor:
        """The loss on ``size`` tiles in drawn orientations, a scalar.

        Over the first ``align.until`` of the steps, the alignment is part of it, times its weight.
        """
        if self.alignment is None or step >= self.aligned_steps:
            return self._loss("train", step, rank, size)[0]
        with self.alignment.shown() as seen:
            loss, turns, rows = self._loss("train", step, rank, size)
        with self._autocast():
            aligned = self.alignment.loss(seen[0], turns, rows)
        assert self.config.align is not None  # nosec B101  # tells the type checker what holds
        return loss + self.config.align.weight * aligned

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """``evaluation_loss``: the mean loss, without alignment, of :data:`EVALUATED` batches of 32 training tiles.

        The batches, their noise and the streams that they go without are the same every time.
        """
        self._modules.eval()
        losses = [self._loss("evaluation", index, 0, 32)[0] for index in range(EVALUATED)]
        self._modules.train()
        return {"evaluation_loss": float(torch.stack(losses).mean())}

    def is_done(self, figures: dict[str, float]) -> bool:
        """False: the stage always trains to its last step."""
        return False

    def streams(self, series: str, step: int) -> tuple[str, ...]:
        """The streams that a batch has; where all were dropped, the semantic one."""
        rates = {
            "text": rate_from(self.config.text_dropout, step),
            "semantic": rate_from(self.config.semantic_dropout, step),
            "prototype": rate_from(self.config.prototype_dropout, step) if self.contexts.has_prototypes else 1.0,
        }
        kept = tuple(n for n, rate in rates.items() if not chance_at("stream", n, self.seed, series, step, share=rate))
        return kept or ("semantic",)

    def neighbours(self, series: str, step: int) -> int:
        """How many of the prototypes close to the tiles a batch has; 0: it has those found for the captions."""
        if not chance_at("near", self.seed, series, step, share=self.config.neighbours):
            return 0
        return doubled(self.contexts.most_near, generator_at("neighbours", self.seed, series, step, 0))

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16")

    def _loss(self, series: str, step: int, rank: int, size: int) -> tuple[Tensor, Rows, Rows]:
        """The error of the velocity, and of which tiles in which orientations: (loss, orientations, tiles)."""
        generator = generator_at("flow", self.seed, series, step, rank)
        if self.config.balanced:
            rows = torch.multinomial(self.weights, size, replacement=True, generator=generator).numpy()
        else:
            rows = torch.randint(self.latents.shape[1], (size,), generator=generator).numpy()
        turns = torch.randint(ORIENTATIONS, (size,), generator=generator).numpy()
        captions = torch.randint(self.contexts.captions, (size,), generator=generator).numpy()
        latents = torch.from_numpy(self.latents[turns, rows]).to(self.device, torch.float32)
        noise = torch.randn(latents.shape, generator=generator).to(self.device)
        sigmas = noise_levels(size, self.config.uniform, generator).to(self.device)
        keep = torch.rand(size, generator=generator) >= self.config.condition_dropout
        with self._autocast():
            # The same streams in all processes: their batches are one.
            context = self.contexts.batch(
                rows, captions, self.streams(series, step), near=self.neighbours(series, step)
            )
            embeds = context.embeds * keep.to(context.embeds)[:, None, None]
            predicted = self.transformer(
                noised(latents, noise, sigmas),
                encoder_hidden_states=embeds,
                encoder_attention_mask=context.mask,
                timestep=timesteps_of(sigmas),
                return_dict=False,
            )[0]
        error: Tensor = predicted.float() - velocity(latents, noise)
        return error.square().mean(), turns, rows


def row_weights(labels: Sequence[Mapping[str, str]], balanced: Mapping[str, float]) -> Tensor:
    """How often each tile is drawn, float64 (N,), up to a factor.

    ``balanced`` gives an exponent for each attribute. The weight of a tile is the product over these attributes of the
    frequency of its class to the power of minus the exponent. Raises :class:`~unipath_bench.UsageError` for an
    attribute that a tile does not have.
    """
    weights = np.ones(len(labels))
    for name, exponent in balanced.items():
        if any(name not in row for row in labels):
            raise UsageError(f"flow.balanced names {name!r}, which the tiles have no label of.", "Name a label column.")
        classes = [row[name] for row in labels]
        counts = Counter(classes)
        weights *= np.array([(counts[value] / len(classes)) ** -exponent for value in classes])
    return torch.from_numpy(weights)


def doubled(most: int, generator: torch.Generator) -> int:
    """A power of two from 1 to at most ``most``, each equally likely.

    The fewer of the prototypes close to a tile are shown, the more they say about it: the closest is the tile itself.
    """
    return 1 << int(torch.randint(most.bit_length(), (), generator=generator))


def noise_levels(size: int, uniform: float, generator: torch.Generator) -> Tensor:
    """Noise levels in [0, 1], (size,): the logistic of a standard normal or, with chance ``uniform``, uniform."""
    logistic = torch.sigmoid(torch.randn(size, generator=generator))
    even = torch.rand(size, generator=generator)
    return torch.where(torch.rand(size, generator=generator) < uniform, even, logistic)
