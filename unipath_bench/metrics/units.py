"""Sampling units (images, slides, patients): which samples stand or fall together."""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unipath_bench.metrics._arrays import Float64Array, IntArray, Keys, as_codes


class Units(NamedTuple):
    """``codes`` (n,): the unit of each sample, 0 to U - 1; ``sizes`` (U,): samples a unit."""

    codes: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]

    @property
    def number(self) -> int:
        """How many units there are."""
        return len(self.sizes)

    @property
    def single(self) -> bool:
        """Whether each sample is a unit of its own."""
        return len(self.codes) == len(self.sizes)


def units_of(groups: Keys | None, n: int, name: str = "units") -> Units:
    """Units of ``n`` samples from integer group codes; None makes each sample its own unit."""
    if groups is None:
        return Units(np.arange(n), np.ones(n, np.int64))
    values, codes = np.unique(as_codes(groups, name, n), return_inverse=True)
    return Units(codes.astype(np.int64), np.bincount(codes, minlength=len(values)))


def matched_units(
    first: Keys | None, second: Keys | None, n: int, m: int, names: tuple[str, str] = ("units_real", "units_generated")
) -> tuple[Units, Units]:
    """Units of two matched sets, in one numbering: unit u of one set is unit u of the other.

    Without codes, row i of one set belongs to row i of the other. Both sets must hold the same units.
    """
    if (first is None) != (second is None):
        raise ValueError(f"a matched design needs both {names[0]} and {names[1]}, or neither")
    if first is None or second is None:
        if n != m:
            raise ValueError(f"a matched design without units needs equal numbers of rows, not {n} and {m}")
        return units_of(None, n), units_of(None, m)
    a, b = as_codes(first, names[0], n), as_codes(second, names[1], m)
    alone = np.setxor1d(a, b)
    if len(alone):
        raise ValueError(f"a matched design needs the same units on both sides; unit {alone[0]} is on one alone")
    return units_of(a, n), units_of(b, m)


def unit_sums(values: Float64Array, units: Units) -> Float64Array:
    """Sum of ``values`` (n,) within each unit."""
    sums: Float64Array = np.bincount(units.codes, weights=values, minlength=units.number).astype(np.float64)
    return sums


def assign_blocks(sizes: IntArray, blocks: int, seed: int) -> npt.NDArray[np.int64]:
    """Block of each unit: ``blocks`` parts of nearly equal size, units whole, at random.

    Units come in random order, larger ones first; each goes to the block that holds least so far.
    """
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    order = shuffled[np.argsort(-np.asarray(sizes)[shuffled], kind="stable")]
    result = np.empty(len(sizes), np.int64)
    heap = [(0, block) for block in range(blocks)]
    for unit in order.tolist():
        load, block = heapq.heappop(heap)
        result[unit] = block
        heapq.heappush(heap, (load + int(sizes[unit]), block))
    return result


def split_by_unit(groups: Keys, seed: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows of two disjoint parts of nearly equal size, with each unit whole in one of them.

    This is for a distance of real images from real images.
    """
    codes = as_codes(groups, "groups")
    units = units_of(codes, len(codes))
    if units.number < 2:
        raise ValueError("groups: one unit cannot be split into two parts")
    part = assign_blocks(units.sizes, 2, seed)[units.codes]
    return np.flatnonzero(part == 0), np.flatnonzero(part == 1)


def design_limit(samples: int, units: int) -> int:
    """Largest dimension for which a Frechet interval may be had: min(n / 4, units / 2)."""
    return min(samples // 4, units // 2)
