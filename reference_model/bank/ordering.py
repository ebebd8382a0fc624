"""Seeded orders of ids that depend on the ids and the seed alone: not on their places, the process or its hash seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from unipath_bench.core.digest import seed_from

Keys: TypeAlias = npt.NDArray[np.uint64]
"""uint64, one an id."""


def hash_ids(ids: Sequence[str]) -> Keys:
    """The first 8 bytes of each id's SHA-256, uint64 (N,)."""
    raw = b"".join(hashlib.sha256(name.encode()).digest()[:8] for name in ids)
    return np.frombuffer(raw, dtype="<u8").astype(np.uint64)


def seeded_keys(hashes: Keys, *parts: str | int) -> Keys:
    """Sort keys for one draw: uint64 (N,), a bijection of ``hashes`` chosen by ``parts``.

    The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014)
    over the hash, offset by a digest of ``parts``. Sorting by these keys shuffles ids without regard to their places.
    """
    with np.errstate(over="ignore"):
        mixed = hashes + np.uint64(seed_from(*parts))
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
