"""The contexts of every training caption, with what does not change over the training computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from reference_model.context import Context
from reference_model.encoding import PromptEncoder

Rows = npt.NDArray[np.int64]
NOTHING = -1
"""In place of a prototype where fewer were found."""


class ContextTable:
    """Batches of contexts of N tiles with K captions each.

    The raw text is rows of the frozen embedding table. The semantic tokens are computed at each batch where the
    queries are trained; otherwise ``semantic`` holds them. The prototypes are features through the trained projector.
    Places that no row of a batch uses are left out: the transformer does not see masked places.

    Args:
        encoder: of the pipeline.
        texts: N x K captions, those of a tile together: the raw-text stream.
        read: the same as the language model reads them.
        captions: K.
        found: rows of ``features`` for each caption, (N K, most), :data:`NOTHING` where there are fewer; None: no bank.
        features: the bank's payload, (prototypes, width), and whatever else ``near`` has rows of.
        semantic: (N K, n_query, hidden); None where the queries are trained.
        near: rows of ``features`` that are close to each tile, (N, most).
    """

    def __init__(
        self,
        encoder: PromptEncoder,
        texts: Sequence[str],
        read: Sequence[str],
        captions: int,
        found: Rows | None,
        features: npt.NDArray[np.float32] | None,
        semantic: npt.NDArray[np.float16] | None,
        near: Rows | None = None,
    ) -> None:
        self.encoder, self.read, self.captions = encoder, list(read), captions
        self.found, self.semantic, self.near = found, semantic, near
        self.features = None if features is None else torch.from_numpy(features)
        self.ids = [list(encoder.raw_text(text).ids) for text in texts]
        encoder.language.model.requires_grad_(False)
        modules: dict[str, nn.Module] = {}
        if found is not None:
            modules["prototype_projector"] = encoder.projector
        if semantic is None:
            modules["semantic_tokens"] = encoder.queries
        self.trained = modules
        """The modules that learn with the transformer."""

    @property
    def has_prototypes(self) -> bool:
        """Whether prototypes were found for the captions, which takes a bank."""
        return self.found is not None

    @property
    def most_near(self) -> int:
        """How many close prototypes every tile has; 0: none."""
        return 0 if self.near is None else self.near.shape[1]

    def batch(self, tiles: Rows, captions: Rows, streams: Sequence[str], *, near: int = 0) -> Context:
        """Contexts (B, S, hidden) of the captions ``captions`` of the tiles ``tiles``, with these streams.

        ``near``: with so many of the prototypes close to the tiles, the closest, in place of those found for the
        captions; 0: with the latter.
        """
        rows = (tiles * self.captions + captions).tolist()
        parts: list[tuple[Tensor, Tensor]] = []
        if "text" in streams:
            parts.append(self._text(rows))
        if "semantic" in streams:
            parts.append(self._semantic(rows))
        if "prototype" in streams:
            parts.append(self._prototypes(_rows(self.near, tiles)[:, :near] if near else _rows(self.found, rows)))
        return Context(torch.cat([p[0] for p in parts], dim=1), torch.cat([p[1] for p in parts], dim=1))

    def _text(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        ids = [self.ids[row] for row in rows]
        longest = max(map(len, ids))
        mask = torch.tensor([[True] * len(i) + [False] * (longest - len(i)) for i in ids])
        embeds = self.encoder.language.embed([n for i in ids for n in [*i, *[0] * (longest - len(i))]])
        embeds = embeds.detach().view(len(rows), longest, -1)
        mask = mask.to(embeds.device)
        return embeds * mask.unsqueeze(-1).to(embeds), mask

    def _semantic(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        if self.semantic is None:
            tokens = self.encoder.semantic([self.read[row] for row in rows])
        else:
            tokens = torch.from_numpy(self.semantic[rows]).to(self.encoder.queries().device, torch.float32)
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)

    def _prototypes(self, rows: Rows) -> tuple[Tensor, Tensor]:
        assert self.features is not None  # nosec B101  # tells the type checker what holds
        found = torch.from_numpy(rows)
        found = found[:, : max(1, int((found != NOTHING).sum(dim=1).max()))]
        device = next(self.encoder.projector.parameters()).device
        mask = (found != NOTHING).to(device)
        features = self.features[found.clamp(min=0)].to(device)
        return self.encoder.projector(features, mask), mask


def _rows(prototypes: Rows | None, which: Rows | list[int]) -> Rows:
    assert prototypes is not None  # nosec B101  # tells the type checker what holds
    rows: Rows = prototypes[which]
    return rows


@torch.no_grad()
def semantic_table(encoder: PromptEncoder, texts: Sequence[str], advance: Any) -> npt.NDArray[np.float16]:
    """The semantic tokens of every text, (texts, n_query, hidden), 64 at a time in the order of their lengths."""
    encoder.language.model.eval()
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
    shape = (len(texts), int(encoder.queries.config.n_query), int(encoder.queries.config.hidden_size))
    table = np.empty(shape, np.float16)
    for start in range(0, len(order), 64):
        part = order[start : start + 64]
        table[part] = encoder.semantic([texts[i] for i in part]).cpu().numpy().astype(np.float16)
        advance(len(part))
    return table
