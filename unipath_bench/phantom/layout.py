"""The compartments of a field and its tumour cells.

Cells are laid on jittered lattices; in glands and papillae they are then moved along the gradient of the depth onto
rows at a fixed distance from the basement membrane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from unipath_bench.phantom.arithmetic import direction, directions, soft_mask
from unipath_bench.phantom.attributes import Architecture, Cellularity, CytologyType
from unipath_bench.phantom.fields import Grid, SmoothField, jittered_lattice
from unipath_bench.phantom.patterns import (
    MARGIN,
    SWAY,
    Fascicular,
    Glandular,
    Papillary,
    Pattern,
    SingleCell,
    Solid,
)
from unipath_bench.phantom.streams import Array, Selection, Stream

_F = np.float32

_SPACING: dict[Cellularity, float] = {"low": 14.2, "moderate": 9.7, "high": 6.7}
_CYTOLOGY_SPACING: dict[CytologyType, float] = {
    "epithelioid": 1.03,
    "spindle": 0.95,
    "small_round": 0.95,
    "clear": 1.05,
}
_LEVEL: dict[Cellularity, int] = {"low": 0, "moderate": 1, "high": 2}


@dataclass(frozen=True)
class Cells:
    """Centres and long axes of cells: float32 arrays of shape (K,); (ux, uy) has length 1."""

    x: Array
    y: Array
    ux: Array
    uy: Array

    def take(self, keep: Selection) -> Cells:
        """The cells at a boolean mask or index."""
        return Cells(self.x[keep], self.y[keep], self.ux[keep], self.uy[keep])

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Layout:
    """The compartments on the pixel grid, and the tumour cells."""

    depth: Array
    """Micrometres inside the tumour compartment, negative outside: (H, W)."""
    tumour: Array
    """Share of the tumour compartment in each pixel, 0 to 1: (H, W)."""
    lumen: Array
    """Share of empty space, 0 to 1: (H, W)."""
    cells: Cells
    direction: tuple[float, float]
    """Unit vector along which fibres and fascicles run."""
    warp: Array
    """The field that bends the compartments, at the pixel centres: (H, W)."""


def prune(cells: Cells, priority: Array, distance: float) -> Cells:
    """Thin out cells that lie closer than ``distance`` micrometres to each other.

    A cell goes if one of higher priority is too close; cells that no kept one is close to are then judged once more by
    themselves, so that gaps are refilled. ``priority`` has one value a cell, ties kept.
    """
    if len(cells) < 2:
        return cells
    # The tree only proposes pairs, with room to spare; which of them count is decided in float32 as everywhere.
    pairs = cKDTree(np.stack([cells.x, cells.y], axis=1)).query_pairs(1.01 * distance, output_type="ndarray")
    i, j = pairs[:, 0], pairs[:, 1]
    dx, dy = cells.x[i] - cells.x[j], cells.y[i] - cells.y[j]
    close = dx * dx + dy * dy < _F(distance * distance)
    i, j = i[close], j[close]
    swap = priority[i] > priority[j]
    lower, higher = np.where(swap, j, i), np.where(swap, i, j)
    strict = priority[lower] < priority[higher]
    kept = np.ones(len(cells), dtype=bool)
    kept[lower[strict]] = False
    free = ~kept
    free[lower[kept[higher]]] = False
    second = free.copy()
    second[lower[strict & free[higher]]] = False
    return cells.take(kept | second)


def _onto_rows(pattern: Pattern, field: SmoothField, x: Array, y: Array) -> tuple[Cells, Array]:
    """Move points onto the pattern's rows of nuclei; long axes stand on the rows.

    Returns the cells and the remaining error of each, micrometres.
    """
    rows = np.asarray(pattern.row_depths, dtype=np.float32)
    n = len(x)
    warp = field.at(x, y)
    target = np.zeros(0, dtype=np.float32)
    for turn in range(3):
        # The depth at the points and, for its gradient, half a micrometre to the right and below, under the same warp.
        there = np.concatenate([x, x + _F(0.5), x]), np.concatenate([y, y, y + _F(0.5)])
        depth = pattern.measure(*there, np.concatenate([warp, warp, warp]))[0].reshape(3, n)
        # On a ridge the gradient may vanish; the small term then makes x the direction.
        gx, gy = (depth[1] - depth[0]) * _F(2.0) + _F(1e-5), (depth[2] - depth[0]) * _F(2.0)
        length = np.sqrt(gx * gx + gy * gy)
        length = np.where(length > _F(0.0), length, _F(1.0))
        ux, uy = gx / length, gy / length
        if turn == 0:
            target = rows[np.argmin(np.abs(depth[0][:, None] - rows), axis=1)]
        error = target - depth[0]
        if turn == 2:
            break
        step = np.minimum(np.maximum(error, _F(-4.0)), _F(4.0))
        x, y = x + ux * step, y + uy * step
    return Cells(x, y, ux, uy), np.abs(error)


def build_layout(
    seed: int, grid: Grid, architecture: Architecture, cellularity: Cellularity, cytology: CytologyType
) -> Layout:
    """Lay out the compartments and the tumour cells of a field.

    Each stream is named after what it decides, so tiles of one seed that differ in one attribute share the rest.
    """
    stream = Stream(seed, "layout", architecture)
    extent, level = grid.extent, _LEVEL[cellularity]
    field = SmoothField(Stream(seed, "warp"), extent + 2 * MARGIN, 17.0)
    spacing = _SPACING[cellularity] * _CYTOLOGY_SPACING[cytology]
    pattern: Pattern
    along = direction(Stream(seed, "direction").scalar())
    match architecture:
        case "glandular":
            pattern = Glandular(stream, extent, level)
        case "papillary":
            pattern = papillary = Papillary(stream, extent, level)
            along = papillary.direction
        case "fascicular":
            pattern = fascicular = Fascicular(stream, extent, level)
            along = fascicular.direction
        case "solid":
            pattern = solid = Solid(stream, extent, level)
            along = solid.direction
        case "single_cell":
            pattern = SingleCell(stream, extent, level, cytology)

    warp = field.on(grid)
    depth, free = pattern.measure(grid.x, grid.y, warp)
    lumen = soft_mask(free, 0.9)
    tumour = soft_mask(depth, 0.8) * (_F(1.0) - lumen)
    cells = _lay_cells(Stream(seed, "cells", architecture), pattern, field, extent, spacing, cytology)
    return Layout(depth, tumour, lumen, cells, along, warp)


def _lay_cells(
    stream: Stream, pattern: Pattern, field: SmoothField, extent: float, spacing: float, cytology: CytologyType
) -> Cells:
    if isinstance(pattern, SingleCell):
        turn = stream.uniform(len(pattern.cx))
        return Cells(pattern.cx, pattern.cy, *directions(turn))
    if isinstance(pattern, Fascicular):
        return _rows_along(stream, pattern, field, extent, spacing, cytology)
    if not pattern.row_depths:
        stretch = 1.25 if cytology == "spindle" else 1.0
        x, y = jittered_lattice(stream, extent, spacing * stretch, spacing * 0.87 / stretch, 0.32, MARGIN)
        inside = pattern.measure(x, y, field.at(x, y))[0] > _F(1.5)
        return Cells(x[inside], y[inside], *directions(stream.uniform(int(np.count_nonzero(inside)))))
    x, y = jittered_lattice(stream, extent, spacing * 0.72, spacing * 0.72, 0.3, MARGIN)
    depth, lumen = pattern.measure(x, y, field.at(x, y))
    inside = (depth > _F(-1.0)) & (lumen < _F(1.0))
    cells, error = _onto_rows(pattern, field, x[inside], y[inside])
    cells = cells.take(error < _F(1.2))
    if len(cells) == 0:
        return cells
    return prune(cells, stream.uniform(len(cells)), 0.74 * spacing)


def _rows_along(
    stream: Stream, pattern: Fascicular, field: SmoothField, extent: float, spacing: float, cytology: CytologyType
) -> Cells:
    """Cells in files along the bundles: a brick lattice in the bundles' own coordinates."""
    stretch = 1.7 if cytology == "spindle" else 1.15
    reach = 1.5 * extent + 2 * MARGIN
    u, v = jittered_lattice(stream, reach, spacing * stretch, spacing * 0.87 / stretch, 0.17, 0.0)
    u, v = u - _F(reach / 2), v - _F(reach / 2)
    cos, sin = pattern.direction
    # The lattice is in warped coordinates: invert the warp by two fixed-point steps.
    across = v
    for _ in range(2):
        x = u * _F(cos) - across * _F(sin) + _F(pattern.centre)
        y = u * _F(sin) + across * _F(cos) + _F(pattern.centre)
        across = v - field.at(x, y) * _F(SWAY)
    x = u * _F(cos) - across * _F(sin) + _F(pattern.centre)
    y = u * _F(sin) + across * _F(cos) + _F(pattern.centre)
    near = (np.minimum(x, y) > _F(-MARGIN)) & (np.maximum(x, y) < _F(extent + MARGIN))
    x, y = x[near], y[near]
    inside = pattern.measure(x, y, field.at(x, y))[0] > _F(0.8)
    x, y = x[inside], y[inside]
    slope = (field.at(x + _F(cos), y + _F(sin)) - field.at(x - _F(cos), y - _F(sin))) * _F(-0.5 * SWAY)
    ux, uy = _F(cos) - slope * _F(sin), _F(sin) + slope * _F(cos)
    length = np.sqrt(ux * ux + uy * uy)
    return Cells(x, y, ux / length, uy / length)
