"""Cross-attention to a context that does not change over the steps.

The caption projection, the keys and the values of every layer are computed once a prompt. The null context is zeros
at every place, so all its keys are equal, attention over them is a mean of equal values, and the layer's output for
the unconditional half is one vector whatever the query and the mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from reference_model.context import Context
from reference_model.offload import onto_device


class CachedCrossAttention:
    """Attention processor of one layer: rows before ``len(rows)`` from the end are unconditional.

    Places that the mask leaves out are not kept: the stock transformer gives them a weight of exp(-10000), which is 0.
    """

    def __init__(self, keys: list[Tensor], values: list[Tensor], null: Tensor) -> None:
        self.keys = keys
        """For each prompt (1, heads, places kept, head width); ``values`` likewise."""
        self.values = values
        self.null = null
        """(1, 1, width): the layer's output for the null context."""
        self.rows: tuple[int, ...] = ()
        """Which prompt each conditional row of the coming batch belongs to."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """(rows, T, width) to the same; the context comes from the cache, the arguments for it are not read."""
        unconditional = len(hidden_states) - len(self.rows)
        query = attn.to_q(hidden_states[unconditional:]).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        read, start = [], 0
        for prompt, run in groupby(self.rows):
            count = len(list(run))
            key, value = (t[prompt].expand(count, -1, -1, -1) for t in (self.keys, self.values))
            read.append(scaled_dot_product_attention(query[start : start + count], key, value))
            start += count
        output = _out(attn, torch.cat(read).transpose(1, 2).flatten(2))
        if unconditional:
            output = torch.cat([self.null.expand(unconditional, output.shape[1], -1), output])
        return output


class ContextCache:
    """The cached cross-attention of one transformer to P contexts."""

    def __init__(self, transformer: Any, context: Context) -> None:
        device = onto_device(transformer)
        self.transformer = transformer
        project = transformer.caption_projection
        # One prompt at a time: the shapes, and so the rounding, do not depend on how many there are.
        contexts = [project(_kept(context, i).to(device=device, dtype=transformer.dtype)) for i in range(len(context))]
        self.stand_in = torch.zeros(1, 1, context.embeds.shape[-1], device=device, dtype=transformer.dtype)
        nothing = project(self.stand_in)
        self.processors: dict[str, CachedCrossAttention] = {}
        for index, block in enumerate(transformer.transformer_blocks):
            attn = block.attn2
            keys = [attn.to_k(c).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for c in contexts]
            values = [attn.to_v(c).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for c in contexts]
            null = _out(attn, attn.to_v(nothing))
            self.processors[f"transformer_blocks.{index}.attn2.processor"] = CachedCrossAttention(keys, values, null)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The transformer with the cached processors; its own are put back at the end, whatever happens."""
        own = dict(self.transformer.attn_processors)
        unknown = sorted(set(self.processors) - set(own))
        if unknown:
            raise RuntimeError(f"the transformer has no attention processors {', '.join(unknown)}")
        self.transformer.set_attn_processor({**own, **self.processors})
        try:
            yield
        finally:
            self.transformer.set_attn_processor(own)

    def forward(self, hidden: Tensor, timestep: Tensor, rows: Sequence[int]) -> Tensor:
        """The transformer's velocity for ``hidden`` (R, C, H, W), valid only within :meth:`installed`.

        The unconditional rows of ``hidden`` come first, then one row for each prompt of ``rows``.
        """
        for processor in self.processors.values():
            processor.rows = tuple(rows)
        output: Tensor = self.transformer(
            hidden,
            encoder_hidden_states=self.stand_in.expand(len(hidden), -1, -1),
            timestep=timestep,
            return_dict=False,
        )[0]
        return output


def _kept(context: Context, prompt: int) -> Tensor:
    """The places of one prompt that its mask keeps, (1, places, D); a single zero where it keeps none."""
    embeds, mask = context.embeds[prompt], context.mask[prompt]
    kept = embeds[mask] if mask.any() else torch.zeros_like(embeds[:1])
    return kept[None]


def _out(attn: Any, hidden: Tensor) -> Tensor:
    output: Tensor = attn.to_out[1](attn.to_out[0](hidden)) / attn.rescale_output_factor
    return output
