"""One geometry for each architecture: where tumour, stroma and empty space lie.

A pattern measures, at any point, two signed distances in micrometres: the depth inside the tumour compartment and the
depth inside a lumen or free space.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from unipath_bench.phantom.arithmetic import direction, directions
from unipath_bench.phantom.attributes import CytologyType
from unipath_bench.phantom.fields import jittered_lattice
from unipath_bench.phantom.neighbours import nearest_two
from unipath_bench.phantom.streams import Array, Stream

_F = np.float32
MARGIN = 14.0
"""Micrometres around the field in which cells are still laid, so that the border cuts through them."""
SWAY = 3.4
"""Micrometres by which fascicles wave to either side."""


class Pattern(ABC):
    """Geometry of one architecture. ``warp`` is a smooth random field at the same points, within about [-1, 1]."""

    row_depths: tuple[float, ...] = ()
    """Depths of the rows of nuclei in glands and papillae; empty where cells fill the compartment."""

    @abstractmethod
    def measure(self, x: Array, y: Array, warp: Array) -> tuple[Array, Array]:
        """Depth inside the tumour and inside free space, micrometres, in the broadcast shape of the arguments."""


def _radial(x: Array, y: Array, cx: float, cy: float, ux: float, uy: float, ratio: float) -> Array:
    """Elliptic distance from a centre, micrometres along the short axis.

    The long axis is ``ratio`` times longer.
    """
    dx, dy = x - _F(cx), y - _F(cy)
    along = (dx * _F(ux) + dy * _F(uy)) * _F(1.0 / ratio)
    across = dy * _F(ux) - dx * _F(uy)
    distance: Array = np.sqrt(along * along + across * across)
    return distance


class Glandular(Pattern):
    """Elliptic glands on a jittered lattice, each a ring of epithelium around a lumen."""

    def __init__(self, stream: Stream, extent: float, level: int) -> None:
        pitch = (56.0, 48.0, 43.0)[level]
        thickness = (10.5, 11.5, 14.5)[level]
        self.row_depths = ((4.6,), (4.8,), (4.0, 9.8))[level]
        self.cx, self.cy = jittered_lattice(stream, extent, pitch, pitch * 0.87, 0.10, 30.0)
        n = len(self.cx)
        self.radius = stream.uniform(n, 0.42, 0.47) * _F(pitch)
        self.inner = np.maximum(self.radius - _F(thickness), _F(5.5))
        turn = stream.uniform(n)
        self.ux, self.uy = directions(turn)
        self.ratio = stream.uniform(n, 1.0, 1.25)
        reach = _F(extent / 2 + MARGIN) + self.radius * self.ratio
        half = _F(extent / 2)
        near = (np.abs(self.cx - half) < reach) & (np.abs(self.cy - half) < reach)
        self.members = [int(k) for k in np.flatnonzero(near)]

    def measure(self, x: Array, y: Array, warp: Array) -> tuple[Array, Array]:
        """Depth inside the nearest gland's outline and inside its lumen; both are at least -60."""
        depth = np.full(np.broadcast_shapes(x.shape, y.shape), -60.0, dtype=np.float32)
        lumen = depth.copy()
        for k in self.members:
            q = _radial(x, y, *(float(v[k]) for v in (self.cx, self.cy, self.ux, self.uy, self.ratio)))
            q = q + warp * _F(2.6)
            depth = np.maximum(depth, _F(self.radius[k]) - q)
            lumen = np.maximum(lumen, _F(self.inner[k]) - q)
        return depth, lumen


class Papillary(Pattern):
    """Finger-like fronds (capsules): a core of stroma under a lining of epithelium, in free space."""

    def __init__(self, stream: Stream, extent: float, level: int) -> None:
        self.core = (6.8, 6.2, 5.4)[level]
        self.lining = (8.8, 9.6, 12.4)[level]
        self.row_depths = ((4.4,), (4.8,), (3.8, 8.8))[level]
        across = 2 * (self.core + self.lining) + (18.0, 12.0, 8.0)[level]
        along = 92.0
        turn = stream.scalar()
        # Draw the fronds in a frame turned about the centre of the field, then turn them back.
        reach = extent * 1.5
        u, v = jittered_lattice(stream, reach, along, across, 0.06, 10.0)
        u, v = u - _F(reach / 2), v - _F(reach / 2)
        cos, sin = direction(turn)
        self.cx = u * _F(cos) - v * _F(sin) + _F(extent / 2)
        self.cy = u * _F(sin) + v * _F(cos) + _F(extent / 2)
        n = len(self.cx)
        own = stream.uniform(n, -0.03, 0.03) + _F(turn)
        self.ux, self.uy = directions(own)
        self.half = stream.uniform(n, 0.24, 0.33) * _F(along)
        self.direction = (cos, sin)
        reach_out = extent / 2 + float(self.core + self.lining) + 45.0
        near = (np.abs(self.cx - _F(extent / 2)) < _F(reach_out)) & (np.abs(self.cy - _F(extent / 2)) < _F(reach_out))
        self.members = [int(k) for k in np.flatnonzero(near)]

    def measure(self, x: Array, y: Array, warp: Array) -> tuple[Array, Array]:
        """Depth inside the lining of the nearest frond, from its core or its surface, and distance outside the surface.

        The depth is zero at either. Distances from a frond's axis are limited to 20 micrometres before ``warp`` is
        added.
        """
        shape = np.broadcast_shapes(x.shape, y.shape)
        nearest = np.full(shape, 400.0, dtype=np.float32)
        for k in self.members:
            dx, dy = x - self.cx[k], y - self.cy[k]
            along = dx * self.ux[k] + dy * self.uy[k]
            beyond = np.maximum(np.abs(along) - self.half[k], _F(0.0))
            across = dy * self.ux[k] - dx * self.uy[k]
            nearest = np.minimum(nearest, beyond * beyond + across * across)
        d = np.sqrt(nearest) + warp * _F(2.4)
        rim = _F(self.core + self.lining)
        # Depth is counted from the core (the basement membrane) and from the free surface alike.
        return np.minimum(d - _F(self.core), rim - d), d - rim


class Fascicular(Pattern):
    """Parallel, gently waving bundles of cells with stroma between them."""

    def __init__(self, stream: Stream, extent: float, level: int) -> None:
        self.gap = (16.0, 12.0, 9.0)[level]
        self.pitch = (30.0, 29.0, 29.0)[level]
        self.direction = direction(stream.scalar())
        self.phase = stream.scalar(0.0, self.pitch)
        self.centre = extent / 2

    def along_across(self, x: Array, y: Array, warp: Array) -> tuple[Array, Array]:
        """Coordinates along and across the bundles, micrometres."""
        cos, sin = self.direction
        dx, dy = x - _F(self.centre), y - _F(self.centre)
        return dx * _F(cos) + dy * _F(sin), dy * _F(cos) - dx * _F(sin) + warp * _F(SWAY)

    def measure(self, x: Array, y: Array, warp: Array) -> tuple[Array, Array]:
        """Depth inside the nearest bundle; there is no free space, so the second depth is -60 everywhere."""
        _, across = self.along_across(x, y, warp)
        turn = (across + _F(self.phase)) * _F(1.0 / self.pitch)
        fold = np.abs(turn - np.floor(turn) - _F(0.5)) * _F(self.pitch)
        depth = _F((self.pitch - self.gap) / 2) - fold
        return depth, np.full_like(depth, -60.0)


class Solid(Pattern):
    """Sheets of cells, crossed by one septum of stroma every 60 micrometres or so."""

    def __init__(self, stream: Stream, extent: float, level: int) -> None:
        self.gap = (23.0, 18.0, 13.5)[level]
        self.pitch = 66.0
        self.direction = direction(stream.scalar())
        self.phase = stream.scalar(-0.32, 0.32) * self.pitch
        self.centre = extent / 2

    def measure(self, x: Array, y: Array, warp: Array) -> tuple[Array, Array]:
        """Depth beyond the nearest septum's edge; there is no free space, so the second depth is -60 everywhere."""
        cos, sin = self.direction
        across = (y - _F(self.centre)) * _F(cos) - (x - _F(self.centre)) * _F(sin) + warp * _F(9.0)
        turn = (across + _F(self.phase)) * _F(1.0 / self.pitch)
        fold = np.abs(turn - np.floor(turn + _F(0.5))) * _F(self.pitch)
        depth = fold - _F(self.gap / 2)
        return depth, np.full_like(depth, -60.0)


class SingleCell(Pattern):
    """Cells that lie one by one in the stroma."""

    def __init__(self, stream: Stream, extent: float, level: int, cytology: CytologyType) -> None:
        pitch = (22.0, 15.0, 10.6)[level]
        self.radius = min(
            0.42 * pitch, {"epithelioid": 5.9, "spindle": 4.2, "small_round": 4.2, "clear": 6.0}[cytology]
        )
        self.cx, self.cy = jittered_lattice(stream, extent, pitch, pitch * 0.87, 0.26, MARGIN)

    def measure(self, x: Array, y: Array, warp: Array) -> tuple[Array, Array]:
        """Depth inside the nearest cell; there is no free space, so the second depth is -60 everywhere."""
        nearest = nearest_two(x, y, self.cx, self.cy)[0]
        depth = _F(self.radius) - nearest + warp * _F(0.6)
        return depth, np.full_like(depth, -60.0)
