"""Nuclei and other small bodies: a table of ellipses with their chromatin, painted as optical density.

All bodies of a table are painted at once on square patches; where bodies overlap the denser one shows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from unipath_bench.phantom.arithmetic import clip01, directions
from unipath_bench.phantom.fields import Grid
from unipath_bench.phantom.layout import Cells
from unipath_bench.phantom.streams import Array, Selection, Stream

_F = np.float32


@dataclass
class Bodies:
    """K bodies; every array is float32 of shape (K,), lengths in micrometres."""

    x: Array
    y: Array
    ux: Array
    uy: Array
    """Direction of the long axis, of length 1."""
    long: Array
    """Half of the long axis."""
    short: Array
    """Half of the short axis."""
    density: Array
    """Optical density (hematoxylin units) of the body's edge."""
    pale: Array
    """How much lighter the centre is than the edge, 0 to 1: vesicular chromatin."""
    nucleolus: Array
    """Density of a round spot near the centre, relative to ``density``; 0 for none."""
    lobes: Array
    """Amplitude of the outline's third and second harmonics, as a fraction of the radius."""
    px: Array
    py: Array
    """Direction of length 1: phase of the outline and place of the nucleolus."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, keep: Selection) -> Bodies:
        """The bodies at a boolean mask or index."""
        return Bodies(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})


def bodies(
    stream: Stream,
    cells: Cells,
    long: Array | float,
    short: Array | float,
    density: Array | float,
    pale: Array | float = 0.0,
    nucleolus: Array | float = 0.0,
    lobes: Array | float = 0.0,
) -> Bodies:
    """A table with one body a cell; plain numbers stand for all of them."""
    n = len(cells)

    def column(value: Array | float) -> Array:
        return value if isinstance(value, np.ndarray) else np.full(n, value, dtype=np.float32)

    return Bodies(
        cells.x,
        cells.y,
        cells.ux,
        cells.uy,
        column(long),
        column(short),
        column(density),
        column(pale),
        column(nucleolus),
        column(lobes),
        *directions(stream.uniform(n)),
    )


def joined(tables: list[Bodies]) -> Bodies:
    """All tables in one, in order."""
    return Bodies(**{f.name: np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(Bodies)})


@dataclass(frozen=True)
class Painted:
    """What a table of bodies looks like on the grid, both (H, W)."""

    cover: Array
    """Share of the pixel that bodies cover, 0 to 1."""
    density: Array
    """Optical density (hematoxylin units), zero outside the bodies."""


def paint(table: Bodies, grid: Grid, softness: float = 0.55, rough: Array | None = None) -> Painted:
    """Paint all bodies.

    Args:
        table: the bodies.
        grid: where to.
        softness: half the width of the edge, micrometres; never less than half a pixel.
        rough: (H, W) field that moves the outlines in and out, as a fraction of the radius.
    """
    edge = max(softness, 0.5 * grid.step)
    reach = table.long * (_F(1.0) + _F(1.3) * table.lobes) + _F(edge)
    outside = (
        (table.x < -reach)
        | (table.y < -reach)
        | (table.x > reach + _F(grid.extent))
        | (table.y > reach + _F(grid.extent))
    )
    pad = int(float(reach.max(initial=0.0)) / grid.step) * 2 + 4
    width = grid.size + 2 * pad
    cover, density = np.zeros(width * width, dtype=np.float32), np.zeros(width * width, dtype=np.float32)
    relief = None if rough is None else np.pad(rough, pad).ravel()
    inside = np.flatnonzero(~outside)
    # Small bodies apart, so that they are not painted on the patches of large ones.
    small = reach[inside] < _F(0.62) * reach[inside].max(initial=0.0)
    for part in (inside[small], inside[~small]):
        if len(part):
            _paint_part(table.take(part), float(reach[part].max()), grid, pad, edge, relief, cover, density)
    window = (slice(pad, pad + grid.size), slice(pad, pad + grid.size))
    return Painted(cover.reshape(width, width)[window], density.reshape(width, width)[window])


def _paint_part(
    t: Bodies, reach: float, grid: Grid, pad: int, edge: float, relief: Array | None, cover: Array, density: Array
) -> None:
    half = int(reach / grid.step) + 1
    offset = np.arange(-half, half + 1)
    column, row = np.floor(t.x * _F(1 / grid.step)).astype(np.int64), np.floor(t.y * _F(1 / grid.step)).astype(np.int64)
    ix, iy = column[:, None] + offset, row[:, None] + offset
    dx = ((ix.astype(np.float32) + _F(0.5)) * _F(grid.step) - t.x[:, None])[:, None, :]
    dy = ((iy.astype(np.float32) + _F(0.5)) * _F(grid.step) - t.y[:, None])[:, :, None]

    def per(value: Array) -> Array:
        return value[:, None, None]

    u = (dx * per(t.ux) + dy * per(t.uy)) * per(_F(1.0) / t.long)
    v = (dy * per(t.ux) - dx * per(t.uy)) * per(_F(1.0) / t.short)
    q2 = u * u + v * v
    q = np.sqrt(q2)
    width = grid.size + 2 * pad
    flat = (iy + pad)[:, :, None] * width + (ix + pad)[:, None, :]
    outline = _F(1.0) if relief is None else _F(1.0) + relief[flat]
    if float(t.lobes.max()) > 0.0:
        inverse = _F(1.0) / (q + _F(1e-3))
        c, s = u * inverse, v * inverse
        # cos 3a = 4c^3 - 3c, sin 3a = 3s - 4s^3, cos 2a = c^2 - s^2, sin 2a = 2cs.
        kc, ks = per(t.lobes * t.px), per(t.lobes * t.py)
        third = kc * (c * (_F(4.0) * c * c - _F(3.0))) + ks * (s * (_F(3.0) - _F(4.0) * s * s))
        outline = outline + third + _F(0.6) * (ks * (c * c - s * s) + kc * (_F(2.0) * c * s))
    # Distance to the edge: exact across the short axis, scaled along the long one.
    alpha = clip01((outline - q) * per(t.short) * _F(0.5 / edge) + _F(0.5))
    value = _F(1.0) - per(t.pale) * clip01(_F(1.15) - q2 * _F(1.15))
    if float(t.nucleolus.max()) > 0.0:
        place = per(t.short * _F(0.28))
        nx, ny = dx - place * per(t.px), dy - place * per(t.py)
        size = per(np.maximum(t.short * _F(0.34), _F(0.75 * grid.step)))
        spot = clip01(_F(1.4) - (nx * nx + ny * ny) / (size * size))
        value = np.maximum(value, spot * per(t.nucleolus))
    value = value * alpha * per(t.density)
    np.maximum.at(cover, flat.ravel(), alpha.ravel())
    np.maximum.at(density, flat.ravel(), value.ravel())
