"""What the image transformer reads: one sequence of [raw text | semantic tokens | prototypes] a prompt.

Each stream has a fixed number of places, filled from the left and zero-padded, so the shape of a context never
depends on the prompts beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from unipath_bench import UsageError

Stream = Literal["text", "semantic", "prototype"]
STREAMS: tuple[Stream, ...] = get_args(Stream)


@dataclass(frozen=True, slots=True)
class Context:
    """Contexts of P prompts.

    Examples:
        >>> import torch
        >>> context = Context(torch.ones(2, 3, 4), torch.tensor([[True, True, False], [True, False, False]]))
        >>> len(context), context.rows([1, 1]).mask.sum().item(), context.null().embeds.sum().item()
        (2, 2, 0.0)
    """

    embeds: Tensor
    """(P, S, D); zeros where the mask is false."""
    mask: Tensor
    """bool, (P, S)."""

    def __len__(self) -> int:
        return len(self.embeds)

    def rows(self, index: Sequence[int] | Tensor) -> Context:
        """The contexts of the prompts ``index``, repeats allowed."""
        chosen = torch.as_tensor(index, device=self.embeds.device)
        return Context(self.embeds[chosen], self.mask[chosen])

    def null(self) -> Context:
        """The unconditional context of classifier-free guidance: zeros under the same mask."""
        return Context(torch.zeros_like(self.embeds), self.mask)


def parse_streams(streams: Iterable[str]) -> tuple[Stream, ...]:
    """The streams in their order in the context. Raises :class:`~unipath_bench.UsageError` for other names.

    Examples:
        >>> parse_streams(["semantic", "text"])
        ('text', 'semantic')
    """
    given = [streams] if isinstance(streams, str) else list(streams)
    for name in given:
        if name not in STREAMS:
            raise UsageError(f"There is no stream {name!r}.", f"The streams are {', '.join(STREAMS)}.")
    return tuple(name for name in STREAMS if name in given)


def assemble(
    text: Sequence[Tensor],
    semantic: Tensor,
    prototypes: Tensor,
    prototype_mask: Tensor,
    *,
    text_places: int,
    streams: Sequence[Stream] = STREAMS,
) -> Context:
    """One context a prompt out of its three parts; the places of a stream that is not in ``streams`` stay empty.

    ``text``: P tensors (t, D) with t <= ``text_places``; ``semantic``: (P, n, D); ``prototypes``: (P, K, D), zeros
    where ``prototype_mask`` (P, K) is false. All of ``semantic``'s dtype and device, as the result.
    """
    padded = [torch.nn.functional.pad(tokens, (0, 0, 0, text_places - len(tokens))) for tokens in text]
    places = torch.arange(text_places, device=semantic.device)
    kept = torch.tensor([len(tokens) for tokens in text], device=semantic.device)
    parts: dict[Stream, tuple[Tensor, Tensor]] = {
        "text": (torch.stack(padded), places < kept.unsqueeze(1)),
        "semantic": (semantic, torch.ones(semantic.shape[:2], dtype=torch.bool, device=semantic.device)),
        "prototype": (prototypes, prototype_mask),
    }
    embeds, masks = [], []
    for name, (values, mask) in parts.items():
        on = name in streams
        embeds.append(values if on else torch.zeros_like(values))
        masks.append(mask if on else torch.zeros_like(mask))
    return Context(torch.cat(embeds, dim=1), torch.cat(masks, dim=1))
