"""From prompts and prototypes to the context that the image transformer reads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reference_model.context import STREAMS, Context, Stream, assemble
from reference_model.language import LanguageModel
from reference_model.offload import onto_device
from reference_model.prototypes import PrototypeProjector, pad_prototypes
from reference_model.semantic_tokens import SemanticTokens
from unipath_bench import DataError

log = logging.getLogger("reference_model")
_PADDING = 32


@dataclass(frozen=True, slots=True)
class RawText:
    """The raw-text stream of one prompt."""

    ids: tuple[int, ...]
    """The tokens that the image transformer reads."""
    cut: tuple[int, ...]
    """The tokens past the limit."""


@dataclass(frozen=True, slots=True)
class PromptEncoder:
    """The language model and the two trained modules, with their limits.

    ``prompt_batch`` prompts go through a module at a time: at 1 no prompt can change another's rounding, larger ones
    are faster on a GPU and in training. Bundles are written ``expansion_batch`` at a time in a shape that is a
    function of each prompt alone. ``upstream_compat``: what the released code does; see
    :class:`~reference_model.pipeline.UniPathPipeline`.
    """

    language: LanguageModel
    queries: SemanticTokens
    projector: PrototypeProjector
    text_places: int
    prototype_places: int
    prompt_batch: int = 1
    expansion_batch: int = 8
    upstream_compat: bool = False

    def raw_text(self, prompt: str, *, truncate: bool = False) -> RawText:
        """The prompt's tokens, cut to the limit only if asked to, with a warning.

        Raises :class:`~unipath_bench.DataError` for a prompt past the limit otherwise.
        """
        ids = self.language.text_ids(prompt)
        cut = ids[self.text_places :]
        if cut:
            lengths = f"{len(ids)} tokens, and the raw-text stream reads {self.text_places}"
            if not (truncate or self.upstream_compat):
                raise DataError(
                    f"The prompt has {lengths}: {_shortened(prompt)}", "Shorten it, or cut it with truncate=True."
                )
            log.warning("The prompt has %s: %d are cut: %s", lengths, len(cut), _shortened(prompt))
        return RawText(tuple(ids[: self.text_places]), tuple(cut))

    def chat(self, prompt: str, expansion: str = "") -> list[int]:
        """The tokens before the queries' own: the chat turn and, in the assistant's voice, the attribute bundle."""
        ids = self.language.chat_ids(self.queries.config.system, self.queries.user_turn(prompt))
        return [*ids, *self.language.text_ids(expansion)] if expansion else ids

    def expand(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """For each prompt the attribute bundle that the language model itself writes, greedily. Logged.

        Turns of similar length go together, in batches that are always full (short ones are filled by repetition) and
        padded to a multiple of 32 tokens: so no prompt's bundle depends on its company.
        """
        turns = [
            self.language.chat_ids(self.queries.config.system, self.queries.expansion_turn(prompt))
            for prompt in prompts
        ]
        alike: dict[int, list[int]] = {}
        for index, turn in enumerate(turns):
            alike.setdefault(-(-len(turn) // _PADDING) * _PADDING, []).append(index)
        bundles: dict[int, str] = {}
        size = self.expansion_batch
        for length, members in alike.items():
            for start in range(0, len(members), size):
                part = members[start : start + size]
                full = [*part, *[part[-1]] * (size - len(part))]
                answers = self.language.generate([turns[i] for i in full], max_new_tokens, length=length)
                bundles.update((i, self.language.decode(ids)) for i, ids in zip(part, answers, strict=False))
        for index, prompt in enumerate(prompts):
            log.info("Expanded %r to %r", _shortened(prompt), bundles[index])
        return [bundles[index] for index in range(len(prompts))]

    def semantic(self, prompts: Sequence[str], expansions: Sequence[str] | None = None) -> Tensor:
        """The Diagnostic Semantic Tokens, (P, n_query, hidden_size)."""
        bundles = [""] * len(prompts) if expansions is None else expansions
        queries = self.queries()
        token = int(self.queries.config.query_token_id)
        parts = []
        for part in self._parts(len(prompts)):
            turns = [self.chat(*pair) for pair in zip(prompts[part], bundles[part], strict=True)]
            # The released code joins the token for a single prompt only, and its mask does not count it.
            alone = self.upstream_compat and len(turns) == 1
            if alone or not self.upstream_compat:
                turns = [[*turn, token] for turn in turns]
            parts.append(self.language.read(turns, queries, hide_last=alone))
        return torch.cat(parts)

    def prototypes(self, sets: Sequence[np.ndarray[Any, Any] | Tensor]) -> tuple[Tensor, Tensor]:
        """Features (k, feature_size) a prompt to (P, K, hidden_size) and the mask (P, K)."""
        device = onto_device(self.projector)
        width = int(self.projector.config.feature_size)
        rows = [torch.as_tensor(values).to(device=device, dtype=self.projector.dtype) for values in sets]
        features, mask = pad_prototypes(rows, self.prototype_places, width)
        parts = self._parts(len(rows))
        return torch.cat([self.projector(features[part], mask[part]) for part in parts]), mask

    def encode(
        self,
        prompts: Sequence[str],
        prototypes: Sequence[np.ndarray[Any, Any] | Tensor] | None = None,
        *,
        streams: Sequence[Stream] = STREAMS,
        expansions: Sequence[str] | None = None,
        truncate: bool = False,
    ) -> Context:
        """The contexts of P prompts, float32 or the modules' dtype; differentiable.

        ``prototypes``: P arrays (k, feature_size), needed where the stream is on. ``expansions``: P attribute bundles.
        """
        texts = [self.raw_text(prompt, truncate=truncate).ids for prompt in prompts]
        count, width = len(prompts), int(self.projector.config.hidden_size)
        if prototypes is not None and "prototype" in streams:
            projected, mask = self.prototypes(prototypes)
        else:
            device = onto_device(self.projector)
            projected = torch.zeros(count, self.prototype_places, width, device=device, dtype=self.projector.dtype)
            mask = torch.zeros(projected.shape[:2], dtype=torch.bool, device=device)
        if "semantic" in streams:
            semantic = self.semantic(prompts, expansions)
        else:
            semantic = projected.new_zeros(count, int(self.queries.config.n_query), width)
        return assemble(
            [self.language.embed(ids).to(semantic) for ids in texts],
            semantic,
            projected.to(semantic),
            mask.to(semantic.device),
            text_places=self.text_places,
            streams=streams,
        )

    def _parts(self, count: int) -> list[slice]:
        return [slice(start, start + self.prompt_batch) for start in range(0, count, self.prompt_batch)]


def _shortened(prompt: str, length: int = 80) -> str:
    return prompt if len(prompt) <= length else f"{prompt[: length - 3]}..."
