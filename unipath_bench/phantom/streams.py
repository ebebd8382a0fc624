"""Counter-based random numbers that are the same on every machine.

Only the raw 64-bit words come from a library: Philox 4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
3", SC 2011), whose output numpy fixes for all versions. Every transform of them is done here in exact integer or
IEEE-754 elementary arithmetic, so no mathematical library can change a bit.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float32]
"""float32 array; the phantom computes in single precision throughout."""

BoolArray: TypeAlias = npt.NDArray[np.bool_]

Selection: TypeAlias = BoolArray | npt.NDArray[np.int64]
"""Which elements: a mask or indices."""

Words: TypeAlias = npt.NDArray[np.uint64]
"""Raw 64-bit words."""

_TWO_24 = np.float32(2.0**-24)
_AHEAD = 16
"""Blocks of four words that are drawn at once for single integers."""


class _Local(threading.local):
    """One Philox a thread, set to a stream's key and counter before each use: making one takes ten times as long."""

    def __init__(self) -> None:
        self.bits = np.random.Philox(key=0)
        self.state: Any = self.bits.state


_LOCAL = _Local()


class Stream:
    """An independent sequence of random numbers for each path of names, e.g. ``Stream(seed, "nuclei")``.

    The 128-bit Philox key is the start of the SHA-256 of the path, so streams of different names or seeds are
    unrelated and adding a stream never disturbs another one. That is what keeps tissue in place when one attribute of
    a tile is changed.
    """

    def __init__(self, *path: int | str) -> None:
        text = "/".join(f"{type(part).__name__}:{part}" for part in path)
        key = np.frombuffer(hashlib.sha256(text.encode()).digest()[:16], dtype="<u8").astype(np.uint64)
        self._key = key
        self._block = 0
        self._ahead: list[int] = []
        """First words of the blocks from ``_ahead_of`` on."""
        self._ahead_of = 0

    def words(self, n: int) -> Words:
        """Return ``n`` raw words, uint64 shape (n,).

        Each call starts a new block of four words, so what a call draws depends on the sizes of the earlier calls in
        units of four only.
        """
        raw = self._raw(n)
        self._block += (n + 3) // 4
        return raw

    def _raw(self, n: int) -> Words:
        """``n`` words from the next block on."""
        state = _LOCAL.state
        state["state"]["key"] = self._key
        state["state"]["counter"][0] = self._block
        _LOCAL.bits.state = state
        raw: Words = _LOCAL.bits.random_raw(n)
        return raw

    def uniform(self, n: int, low: float = 0.0, high: float = 1.0) -> Array:
        """``n`` values uniform on the 2^24 equally spaced points of [low, high): float32, shape (n,)."""
        unit = (self.words(n) >> np.uint64(40)).astype(np.float32) * _TWO_24
        return np.float32(low) + unit * np.float32(high - low)

    def normal(self, n: int) -> Array:
        """Return ``n`` values of mean 0 and variance 1, float32, shape (n,).

        Each is the sum of four uniform 16-bit fields of one word (Irwin-Hall, kurtosis 2.7 where a Gaussian has 3), so
        within +-3.47.
        """
        raw = self.words(n)
        mask = np.uint64(0xFFFF)
        total = (raw & mask) + (raw >> np.uint64(16) & mask) + (raw >> np.uint64(32) & mask) + (raw >> np.uint64(48))
        # A field has mean 65535/2 and variance (65536^2 - 1)/12, four of them sd 65536/sqrt(3) to 1 part in 10^9.
        centred: Array = total.astype(np.float32) - np.float32(131070.0)
        return centred * np.float32(3.0**0.5 / 65536.0)

    def integers(self, n: int, bound: int) -> npt.NDArray[np.int64]:
        """``n`` integers in [0, bound), bound at most 2^31: int64, shape (n,)."""
        return ((self.words(n) >> np.uint64(32)) * np.uint64(bound) >> np.uint64(32)).astype(np.int64)

    def integer(self, bound: int) -> int:
        """One integer in [0, bound), the same as of ``integers(1, bound)``."""
        place = self._block - self._ahead_of
        if not 0 <= place < len(self._ahead):
            self._ahead, self._ahead_of, place = self._raw(4 * _AHEAD)[::4].tolist(), self._block, 0
        self._block += 1
        return (self._ahead[place] >> 32) * bound >> 32

    def scalar(self, low: float = 0.0, high: float = 1.0) -> float:
        """One uniform value as a Python float."""
        return float(self.uniform(1, low, high)[0])

    def chance(self, per_mille: int) -> bool:
        """True with probability ``per_mille`` / 1000."""
        return self.integer(1000) < per_mille

    def choice(self, weights: Sequence[int]) -> int:
        """An index drawn in proportion to non-negative integer ``weights``."""
        ticket = self.integer(sum(weights))
        for index, weight in enumerate(weights):
            if ticket < weight:
                return index
            ticket -= weight
        raise AssertionError("unreachable: the ticket is below the sum of the weights")

    def permutation(self, n: int) -> npt.NDArray[np.int64]:
        """A random order of 0 .. n-1: int64, shape (n,)."""
        return np.argsort(self.words(n), kind="stable").astype(np.int64)
