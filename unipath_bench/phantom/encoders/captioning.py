"""Captions of training tiles: every register, as many wordings as asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from unipath_bench.core.digest import seed_from
from unipath_bench.phantom import REGISTERS, Attributes, Wording, attribute_bundle, describe, terse_prompt
from unipath_bench.phantom.encoders.data import Tiles
from unipath_bench.phantom.encoders.text import LONGEST, PIECES, pieces, words


def captions(attributes: Attributes, seed: int, wordings: Sequence[Wording]) -> tuple[str, ...]:
    """One caption in each register and wording, then the terse prompt and the attribute bundle."""
    described = [describe(attributes, seed, register, wording) for wording in wordings for register in REGISTERS]
    return (*described, terse_prompt(attributes), attribute_bundle(attributes))


class CaptionBook:
    """Captions of every tile, each word a number.

    Args:
        tiles: what the captions are of.
        seed: chooses templates and phrases.
        wordings: which phrasings are used.
    """

    def __init__(self, tiles: Tiles, seed: int, wordings: Sequence[Wording]) -> None:
        numbers: dict[str, int] = {}
        self.per_tile = len(captions(tiles.attributes(0), 0, wordings))
        self._codes = np.zeros((len(tiles), self.per_tile, LONGEST), np.int16)
        for row in range(len(tiles)):
            for column, text in enumerate(captions(tiles.attributes(row), seed_from("caption", seed, row), wordings)):
                found = [numbers.setdefault(word, len(numbers) + 1) for word in words(text)[:LONGEST]]
                self._codes[row, column, : len(found)] = found
        self.pieces = np.zeros((len(numbers) + 1, PIECES), np.int64)
        """Bucket numbers of each word, row 0 for no word."""
        for word, number in numbers.items():
            self.pieces[number, : len(pieces(word))] = pieces(word)

    def codes(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Word numbers of one caption of each tile, cut to the longest of them: int64 (B, T), 0 for no word."""
        chosen = self._codes[rows, columns].astype(np.int64)
        return chosen[:, : int((chosen > 0).sum(1).max())]
