"""Reading text: a tokenizer of hashed character n-grams and a small text tower."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

BUCKETS = 4096
"""Rows of the table of n-gram vectors; row 0 is padding."""

LONGEST = 96
"""Tokens of a text that are read; the captions of the phantom have at most about 80."""

PIECES = 24
"""Pieces of a word that are read: the word itself, then its n-grams from the left."""

_TOKENS = re.compile(r"[a-z0-9+]+|[^\sa-z0-9+]")


def words(text: str) -> tuple[str, ...]:
    """Lower-case words and single punctuation marks in order. Hyphens part words; ``+`` belongs to them."""
    return tuple(_TOKENS.findall(text.lower()))


@lru_cache(maxsize=65536)
def pieces(word: str) -> tuple[int, ...]:
    """Return the bucket numbers of a word and of its character 3-grams and 4-grams (Bojanowski et al., TACL 2017).

    The word is marked at both ends. A word that was never seen is read by the n-grams that it shares with words that
    were.

    Returns:
        1 to 24 numbers in 1 .. ``BUCKETS`` - 1, by CRC-32 of the UTF-8 bytes: the same on every machine.
    """
    marked = f"<{word}>"
    grams = [marked[i : i + n] for n in (3, 4) for i in range(len(marked) - n + 1)]
    # A short word is its own n-gram: each piece counts once.
    distinct = dict.fromkeys([marked, *grams])
    return tuple(1 + zlib.crc32(piece.encode()) % (BUCKETS - 1) for piece in distinct)[:PIECES]


def tokenise(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Texts to bucket numbers: int64 (B, ``LONGEST``, ``PIECES``), 0 where there is nothing.

    A text of more than ``LONGEST`` tokens is cut there; :func:`words` tells its length.
    """
    ids = np.zeros((len(texts), LONGEST, PIECES), np.int64)
    for row, text in enumerate(texts):
        for column, word in enumerate(words(text)[:LONGEST]):
            found = pieces(word)
            ids[row, column, : len(found)] = found
    return ids


class TextTower(nn.Module):
    """Hashed n-grams to word vectors, three convolutions over the words, attention pooling, a linear output.

    The convolutions see three words to each side, enough for "no pigment or calcification"; the order of the phrases
    does not matter to the pooling, in which each of ``queries`` learned questions looks for its answer anywhere in
    the text.
    """

    def __init__(self, dimension: int, width: int = 64, queries: int = 16) -> None:
        super().__init__()
        self.table = nn.Embedding(BUCKETS, width, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(3))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.queries = nn.Parameter(torch.randn(queries, width) * width**-0.5)
        self.nothing = nn.Parameter(torch.zeros(width))
        self.hidden = nn.Linear(queries * width, 2 * width)
        self.output = nn.Linear(2 * width, dimension)

    def forward(self, ids: Tensor) -> Tensor:
        """``ids``, int64 (B, T, P) of :func:`tokenise`, to (B, ``dimension``)."""
        return self.read(self.word_vectors(ids), ids[:, :, 0] > 0)

    def word_vectors(self, ids: Tensor) -> Tensor:
        """Sum of the vectors of a word's pieces over the root of their number: (..., P) to (..., width)."""
        count = (ids > 0).sum(-1, keepdim=True).clamp(min=1)
        total: Tensor = self.table(ids).sum(-2)
        return total / count.sqrt()

    def read(self, x: Tensor, present: Tensor) -> Tensor:
        """Word vectors (B, T, width) and which of them are words (B, T) to (B, ``dimension``)."""
        mask = present[..., None].to(x.dtype)
        x = self.norms[0](x) * mask
        for convolution, norm in zip(self.convolutions, list(self.norms)[1:], strict=True):
            inner = convolution(x.transpose(1, 2)).transpose(1, 2)
            x = norm(x + functional.relu(inner)) * mask
        # A place that every question can look at when the text has no answer.
        x = torch.cat([self.nothing.expand(len(x), 1, -1), x], dim=1)
        present = functional.pad(present, (1, 0), value=True)
        scores = (x @ self.queries.T).masked_fill(~present[..., None], float("-inf"))
        answers = torch.softmax(scores, dim=1).transpose(1, 2) @ x
        answer: Tensor = self.output(functional.relu(self.hidden(answers.flatten(1))))
        return answer
