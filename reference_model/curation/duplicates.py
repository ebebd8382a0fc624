"""Near-duplicates: the first of each kind stays.

Both passes go through the images in order and drop one that is close to an earlier image that was kept, so what is
kept holds no close pair, and everything dropped is close to something kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

from unipath_bench.core.arrays import RGBImage

BITS = 64
_SIDE = 32
_LOW = 8
_BLOCK = 512
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Twin:
    """An image that is dropped for an earlier one."""

    row: int
    kept: int
    """Row of the image that stays."""
    value: float
    """Hamming distance in bits, or cosine."""


def perceptual_hash(image: RGBImage) -> int:
    """The pHash of a uint8 (H, W, 3) image: 64 bits, as an integer.

    Luma resized to 32 x 32 (Pillow, antialiased bilinear), orthonormal type-II DCT, the 8 x 8 lowest frequencies,
    each above their median or not, row by row from the highest bit (Zauner, "Implementation and benchmarking of
    perceptual image hash functions", 2010). Turned and mirrored copies have other hashes.
    """
    luma = Image.fromarray(image).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    low = dctn(np.asarray(luma, dtype=np.float64), norm="ortho")[:_LOW, :_LOW].ravel()
    return int("".join("1" if bit else "0" for bit in low > np.median(low)), 2)


def hash_twins(hashes: Sequence[int], distance: int) -> list[Twin]:
    """Images whose hash differs from that of an earlier kept image in at most ``distance`` of 64 bits.

    The twin named is the nearest such image, the earliest among equals. Two hashes that close agree in at least one
    of ``distance + 1`` bands of bits, so only images that share a band are compared.
    """
    edges = np.linspace(0, BITS, distance + 2).astype(int)
    bands = [(int(low), (1 << int(high - low)) - 1) for low, high in pairwise(edges)]
    shelves: list[defaultdict[int, list[int]]] = [defaultdict(list) for _ in bands]
    codes = np.array(list(hashes), dtype=np.uint64)
    twins = []
    for row, code in enumerate(hashes):
        keys = [(code >> shift) & mask for shift, mask in bands]
        near = sorted({other for shelf, key in zip(shelves, keys, strict=True) for other in shelf.get(key, ())})
        if near:
            apart = np.bitwise_count(codes[near] ^ codes[row])
            best = int(np.argmin(apart))
            if apart[best] <= distance:
                twins.append(Twin(row, near[best], float(apart[best])))
                continue
        for shelf, key in zip(shelves, keys, strict=True):
            shelf[key].append(row)
    return twins


def cosine_twins(directions: npt.NDArray[np.float64], least: float) -> list[Twin]:
    """Images whose cosine with an earlier kept image is at least ``least``.

    ``directions`` is (N, D) with rows of length 1. Cosines are compared to six decimals; the twin named is the nearest
    kept image, the earliest among equals. Blocks of rows are compared with all kept rows: O(N^2 D) time, O(N) memory.
    """
    kept: list[int] = []
    twins = []
    for start in range(0, len(directions), _BLOCK):
        block = directions[start : start + _BLOCK]
        before = np.round(block @ directions[kept].T, _DECIMALS) if kept else np.empty((len(block), 0))
        within = np.round(block @ block.T, _DECIMALS)
        here: list[int] = []
        for i in range(len(block)):
            cosines = np.concatenate([before[i], within[i, here]])
            best = int(np.argmax(cosines)) if len(cosines) else -1
            if best >= 0 and cosines[best] >= least:
                other = kept[best] if best < before.shape[1] else start + here[best - before.shape[1]]
                twins.append(Twin(start + i, other, float(cosines[best])))
            else:
                here.append(i)
        kept += [start + i for i in here]
    return twins
