"""The frozen language model behind the two text streams.

One interface, two realisations: Qwen2.5-VL (full size) and any text-only causal model of the transformers library
(small sizes; :mod:`reference_model.tiny_language` builds one). Both take the same path: the prompt's tokens
through the input embedding table, and learned queries appended to a chat turn and read at the last hidden layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Qwen2_5_VLForConditionalGeneration

from reference_model.offload import onto_device
from unipath_bench import DataError, UsageError

TURN_END = "<|im_end|>"
CHAT = f"<|im_start|>system\n{{system}}{TURN_END}\n<|im_start|>user\n{{user}}{TURN_END}\n<|im_start|>assistant\n"
"""The chat template named "qwen", up to where the assistant begins."""


class LanguageModel(ABC):
    """A causal language model with its tokenizer.

    Reading is differentiable with respect to the queries; the model's own weights are never changed here.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model: Any = model
        self.tokenizer: Any = tokenizer

    @property
    def hidden_size(self) -> int:
        """Width of an input embedding and of a hidden state."""
        return int(self.model.get_input_embeddings().embedding_dim)

    @property
    def longest(self) -> int | None:
        """Most positions that the model was built for, None where it does not say."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return None if limit is None else int(limit)

    def text_ids(self, text: str) -> list[int]:
        """The tokens of ``text`` alone, without special tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def chat_ids(self, system: str, user: str) -> list[int]:
        """The tokens of a chat with one user turn, up to where the assistant begins."""
        text = CHAT.replace("{system}", system).replace("{user}", user)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def chat_around(self, system: str, user: str) -> tuple[list[int], list[int]]:
        """As :meth:`chat_ids`, for a user turn that holds ``{prompt}``: the tokens before it and those after it."""
        before, after = CHAT.replace("{system}", system).replace("{user}", user).split("{prompt}", 1)
        return self.text_ids(before), self.text_ids(after)

    def words(self, ids: Sequence[int]) -> list[str]:
        """Each token as text."""
        return [str(self.tokenizer.decode([index])) for index in ids]

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The tokens as one text, special tokens only if asked for."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=not special)).strip()

    def embed(self, ids: Sequence[int]) -> Tensor:
        """Rows of the input embedding table: not contextual. t tokens to (t, hidden_size)."""
        device = onto_device(self.model)
        rows: Tensor = self.model.get_input_embeddings()(torch.tensor(ids, dtype=torch.long, device=device))
        return rows

    def read(self, sequences: Sequence[Sequence[int]], queries: Tensor, *, hide_last: bool = False) -> Tensor:
        """The last hidden layer (after the final norm) at the queries, which follow each sequence.

        B token sequences of any lengths and queries (n, hidden_size) to (B, n, hidden_size), in one pass padded on
        the left. ``hide_last`` masks the last query as a key, for itself too: what a mask one token short does.

        Raises :class:`~unipath_bench.DataError` where a sequence is longer than the model allows.
        """
        device = onto_device(self.model)
        longest, n_query = max(len(ids) for ids in sequences), len(queries)
        self._check_length(longest + n_query)
        table = self.model.get_input_embeddings()
        queries = queries.to(device=device, dtype=table.weight.dtype)
        rows, mask = [], torch.zeros(len(sequences), longest + n_query, dtype=torch.long, device=device)
        for row, ids in enumerate(sequences):
            pads = longest - len(ids)
            tokens = table(torch.tensor(list(ids), dtype=torch.long, device=device))
            rows.append(torch.cat([tokens.new_zeros(pads, tokens.shape[1]), tokens, queries]))
            mask[row, pads:] = 1
        positions = self.position_ids(mask)
        if hide_last:
            mask[:, -1] = 0
        output = self.model.base_model(
            inputs_embeds=torch.stack(rows), attention_mask=mask, position_ids=positions, use_cache=False
        )
        hidden: Tensor = output.last_hidden_state[:, -n_query:]
        return hidden

    def generate(
        self, sequences: Sequence[Sequence[int]], max_new_tokens: int, *, length: int | None = None
    ) -> list[list[int]]:
        """Greedy continuations of at most ``max_new_tokens`` tokens, without the token that ends the turn.

        They are computed in one batch, padded on the left to ``length`` or, if that is longer, to the longest sequence.
        Raises :class:`~unipath_bench.DataError` where a sequence and its continuation may be longer than the model
        allows.
        """
        device = onto_device(self.model)
        longest = max(len(ids) for ids in sequences)
        self._check_length(longest + max_new_tokens)
        longest = max(longest, length or 0)
        end = self.tokenizer.convert_tokens_to_ids(TURN_END)
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else end
        ids = torch.tensor([[pad] * (longest - len(s)) + list(s) for s in sequences], device=device)
        mask = torch.tensor([[0] * (longest - len(s)) + [1] * len(s) for s in sequences], device=device)
        with torch.no_grad():
            output = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=max_new_tokens,
                eos_token_id=end,
                pad_token_id=pad,
            )
        return [row[: row.index(end)] if end in row else row for row in output[:, longest:].tolist()]

    def continuation_scores(self, prefix: Tensor, continuations: Sequence[Sequence[int]]) -> Tensor:
        """Log-probability of each continuation, all of its tokens together, after ``prefix``.

        Input embeddings (L, hidden_size) and K token sequences to float32 (K,), in one pass padded on the right, where
        a causal model never looks back from.
        """
        device = onto_device(self.model)
        longest = max(len(ids) for ids in continuations)
        self._check_length(len(prefix) + longest)
        ids = torch.zeros(len(continuations), longest, dtype=torch.long, device=device)
        told = torch.zeros_like(ids, dtype=torch.bool)
        for row, tokens in enumerate(continuations):
            ids[row, : len(tokens)] = torch.tensor(list(tokens), device=device)
            told[row, : len(tokens)] = True
        table = self.model.get_input_embeddings()
        prefix = prefix.to(device=device, dtype=table.weight.dtype)
        inputs = torch.cat([prefix.expand(len(ids), -1, -1), table(ids[:, :-1])], dim=1)
        logits = self.model(inputs_embeds=inputs, use_cache=False, logits_to_keep=longest).logits
        chances = torch.log_softmax(logits.float(), dim=-1).gather(2, ids.unsqueeze(-1)).squeeze(-1)
        return (chances * told).sum(dim=1)

    @abstractmethod
    def position_ids(self, mask: Tensor) -> Tensor:
        """Position ids for a mask (B, L) with padding on the left: the first token of each row is at 0."""

    def _check_length(self, length: int) -> None:
        if self.longest is not None and length > self.longest:
            raise DataError(
                f"The prompt and the queries take {length} positions; the language model has {self.longest}.",
                "Shorten the prompt.",
            )


class TextLanguage(LanguageModel):
    """A text-only causal model, e.g. ``Qwen2ForCausalLM``."""

    def position_ids(self, mask: Tensor) -> Tensor:
        """(B, L) to (B, L)."""
        return (mask.cumsum(dim=1) - 1).clamp(min=0)


class QwenVLLanguage(LanguageModel):
    """Qwen2.5-VL; text takes the same position on its three rotary axes."""

    def position_ids(self, mask: Tensor) -> Tensor:
        """(B, L) to (3, B, L)."""
        return (mask.cumsum(dim=1) - 1).clamp(min=0).expand(3, -1, -1)


def language_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> LanguageModel:
    """The realisation that fits ``model``.

    Raises :class:`~unipath_bench.UsageError` where the tokenizer lacks the token that ends a turn.
    """
    kind = QwenVLLanguage if isinstance(model, Qwen2_5_VLForConditionalGeneration) else TextLanguage
    tokenizer_any: Any = tokenizer
    if tokenizer_any.convert_tokens_to_ids(TURN_END) in (None, tokenizer_any.unk_token_id):
        raise UsageError(f"The tokenizer has no token {TURN_END}.", "Use a tokenizer with the Qwen chat tokens.")
    return kind(model, tokenizer)
