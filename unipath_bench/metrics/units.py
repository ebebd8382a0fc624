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
    """Units of ``n`` samples from integer group codes; None makes each sample its own unit.

    Examples:
        Units are numbered in ascending order of their codes.

        >>> units = units_of([7, 7, 3], 3)
        >>> units.codes.tolist(), units.sizes.tolist()
        ([1, 1, 0], [1, 2])
    """
    if groups is None:
        return Units(np.arange(n), np.ones(n, np.int64))
    values, codes = np.unique(as_codes(groups, name, n), return_inverse=True)
    return Units(codes.astype(np.int64), np.bincount(codes, minlength=len(values)))


def matched_units(
    first: Keys | None, second: Keys | None, n: int, m: int, names: tuple[str, str] = ("units_real", "units_generated")
) -> tuple[Units, Units]:
    """Units of two matched sets, in one numbering: unit u of one set is unit u of the other.

    Without codes, row i of one set belongs to row i of the other. Both sets must hold the same units.

    Examples:
        Unit 0 is patient 5 and unit 1 patient 9, in both sets.

        >>> first, second = matched_units([5, 9], [9, 9, 5], 2, 3)
        >>> first.codes.tolist(), second.codes.tolist()
        ([0, 1], [1, 1, 0])
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
    """Sum of ``values`` (n,) within each unit.

    Examples:
        1 + 4 in unit 0 and 2 in unit 1.

        >>> import numpy as np
        >>> unit_sums(np.array([1.0, 2.0, 4.0]), units_of([0, 1, 0], 3)).tolist()
        [5.0, 2.0]
    """
    sums: Float64Array = np.bincount(units.codes, weights=values, minlength=units.number).astype(np.float64)
    return sums


def assign_blocks(sizes: IntArray, blocks: int, seed: int) -> npt.NDArray[np.int64]:
    """Block of each unit: ``blocks`` parts of nearly equal size, units whole, at random.

    Units come in random order, larger ones first; each goes to the block that holds least so far.

    Examples:
        The unit of three samples is a block; the other three units are the other.

        >>> import numpy as np
        >>> sizes = np.array([3, 1, 1, 1])
        >>> np.bincount(assign_blocks(sizes, blocks=2, seed=0), weights=sizes).tolist()
        [3.0, 3.0]
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

    Examples:
        Each part is one of the two patients.

        >>> sorted(rows.tolist() for rows in split_by_unit([4, 4, 7, 7]))
        [[0, 1], [2, 3]]
    """
    codes = as_codes(groups, "groups")
    units = units_of(codes, len(codes))
    if units.number < 2:
        raise ValueError("groups: one unit cannot be split into two parts")
    part = assign_blocks(units.sizes, 2, seed)[units.codes]
    return np.flatnonzero(part == 0), np.flatnonzero(part == 1)


def design_limit(samples: int, units: int) -> int:
    """Largest dimension for which a Frechet interval may be had: min(n / 4, units / 2).

    Examples:
        A quarter of 400 is 100, half of 100 units 50.

        >>> design_limit(samples=400, units=100)
        50
    """
    return min(samples // 4, units // 2)
