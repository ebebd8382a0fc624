"""The velocity of many latents at one step, in calls of one fixed shape.

Every call of the transformer sees exactly ``micro_batch`` latents (the last ones padded by a repeat, the repeats
dropped), twice as many rows with guidance, so rounding does not depend on how many images are asked for at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from reference_model.context import Context
from reference_model.context_cache import ContextCache
from reference_model.flow import guided


class Denoiser:
    """A transformer, the contexts of P prompts and how strongly to follow them.

    ``cached=False`` takes the stock path, which computes keys and values at each step; it is there to check by.
    """

    def __init__(
        self, transformer: Any, context: Context, guidance: float, micro_batch: int | None, *, cached: bool = True
    ) -> None:
        self.transformer = transformer
        self.context = context
        self.guidance = guidance
        self.micro_batch = micro_batch
        self.cache = ContextCache(transformer, context) if cached else None

    @contextmanager
    def ready(self) -> Iterator[None]:
        """The transformer prepared for :meth:`velocity`."""
        if self.cache is None:
            yield
        else:
            with self.cache.installed():
                yield

    def velocity(self, latents: Tensor, timestep: int, owners: list[int]) -> Tensor:
        """float32 ``latents`` (N, C, H, W), of the prompts ``owners``, to their velocities, float32 (N, C, H, W)."""
        size = self.micro_batch or len(latents)
        parts = []
        for start in range(0, len(latents), size):
            here = latents[start : start + size]
            rows = owners[start : start + size]
            lacking = size - len(here)
            if lacking:
                here = torch.cat([here, here[-1:].expand(lacking, -1, -1, -1)])
                rows = [*rows, *[rows[-1]] * lacking]
            parts.append(self._call(here, timestep, rows)[: size - lacking])
        return torch.cat(parts)

    def _call(self, latents: Tensor, timestep: int, rows: list[int]) -> Tensor:
        both = self.guidance != 1.0
        hidden = (torch.cat([latents, latents]) if both else latents).to(self.transformer.dtype)
        times = torch.full((len(hidden),), timestep, dtype=torch.int64, device=hidden.device)
        if self.cache is None:
            output = self._stock(hidden, times, self.context.rows(rows), both)
        else:
            output = self.cache.forward(hidden, times, rows)
        output = output.float()
        if not both:
            return output
        null, conditional = output.chunk(2)
        return guided(null, conditional, self.guidance)

    def _stock(self, hidden: Tensor, times: Tensor, context: Context, both: bool) -> Tensor:
        sides = [context.null(), context] if both else [context]
        output: Tensor = self.transformer(
            hidden,
            encoder_hidden_states=torch.cat([side.embeds for side in sides]).to(hidden),
            encoder_attention_mask=torch.cat([side.mask for side in sides]).to(hidden.device),
            timestep=times,
            return_dict=False,
        )[0]
        return output
