"""The pixel grid in micrometres, and smooth random fields over the plane."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from unipath_bench.phantom.streams import Array, Stream

_F = np.float32
Index: TypeAlias = npt.NDArray[np.int64]


class Grid:
    """Centres of the pixels of a square tile, in micrometres from its upper left corner.

    ``x`` has shape (1, W) and ``y`` shape (H, 1), float32, so that expressions in both broadcast to (H, W).
    """

    def __init__(self, size: int, microns_per_pixel: float) -> None:
        self.size = size
        self.step = float(microns_per_pixel)
        self.extent = size * self.step
        """Side of the field in micrometres."""
        centres = (np.arange(size, dtype=np.float32) + _F(0.5)) * _F(self.step)
        self.x: Array = centres[None, :]
        self.y: Array = centres[:, None]

    def zeros(self) -> Array:
        """Return zeros of the tile's shape, float32 (H, W)."""
        return np.zeros((self.size, self.size), dtype=np.float32)


def _spline_weights(t: Array) -> tuple[Array, Array, Array, Array]:
    """Uniform cubic B-spline weights of the four lattice points around a position, t in [0, 1)."""
    sixth = _F(1.0 / 6.0)
    s = _F(1.0) - t
    t2, s2 = t * t, s * s
    inner0 = _F(2.0 / 3.0) - t2 * (_F(1.0) - _F(0.5) * t)
    inner1 = _F(2.0 / 3.0) - s2 * (_F(1.0) - _F(0.5) * s)
    return s2 * s * sixth, inner0, inner1, t2 * t * sixth


def _locate(coordinate: Array, spacing: float, count: int) -> tuple[Index, Array]:
    """Index of the first of four lattice points around a coordinate, and the position between the middle two."""
    t = coordinate * _F(1.0 / spacing) + _F(2.0)
    t = np.minimum(np.maximum(t, _F(0.0)), _F(count - 3.001))
    whole = np.floor(t)
    return whole.astype(np.int64), t - whole


@lru_cache(maxsize=256)
def _grid_weights(size: int, step: float, spacing: float, count: int) -> tuple[tuple[Index, ...], tuple[Array, ...]]:
    """Indices and weights of the four lattice points for each pixel of an axis; they are the same for both axes."""
    first, t = _locate(Grid(size, step).x[0], spacing, count)
    return tuple(first + k for k in range(4)), _spline_weights(t)


class SmoothField:
    """A random scalar field: uniform values on a square lattice, joined by cubic B-splines.

    Args:
        stream: gives the lattice values.
        extent: side of the square in which the field will be asked for, micrometres; beyond a margin of one spacing
            positions are held at the border.
        spacing: lattice spacing, micrometres: features are about twice as wide.
        contrast: values lie mostly in [-contrast, contrast].
    """

    def __init__(self, stream: Stream, extent: float, spacing: float, contrast: float = 1.0) -> None:
        self.spacing = float(spacing)
        self.count = int(extent / self.spacing) + 7
        # The B-spline averages its lattice: 1.8 brings the spread back to that of the lattice values.
        values = stream.uniform(self.count * self.count, -1.8 * contrast, 1.8 * contrast)
        self.lattice: Array = values.reshape(self.count, self.count)

    def on(self, grid: Grid) -> Array:
        """Values at the pixel centres, shape (H, W)."""
        index, weights = _grid_weights(grid.size, grid.step, self.spacing, self.count)
        rows = self.lattice[:, index[0]] * weights[0]
        for k in (1, 2, 3):
            rows += self.lattice[:, index[k]] * weights[k]
        out = rows[index[0]] * weights[0][:, None]
        for k in (1, 2, 3):
            out += rows[index[k]] * weights[k][:, None]
        return out

    def at(self, x: Array, y: Array) -> Array:
        """Values at points, in the shape of ``x`` and ``y``."""
        i, t = _locate(x, self.spacing, self.count)
        j, s = _locate(y, self.spacing, self.count)
        w, v = _spline_weights(t), _spline_weights(s)
        flat = self.lattice.ravel()
        corner = j * self.count + i
        out = np.zeros_like(x)
        for a in range(4):
            row = flat[corner] * w[0]
            for k in (1, 2, 3):
                row += flat[corner + k] * w[k]
            out += row * v[a]
            corner = corner + self.count
        return out


class Textures:
    """The random fields that every tile has, each drawn once and shared by all materials.

    A field is (H, W), mostly within [-1, 1].
    """

    def __init__(self, seed: int, grid: Grid) -> None:
        def draw(name: str, spacing: float) -> Array:
            return SmoothField(Stream(seed, "texture", name), grid.extent, spacing).on(grid)

        self.fine = draw("fine", 1.15)
        if grid.step <= 0.75:
            # Finer still, where the pixels resolve it; it averages out at coarser scales.
            self.fine = self.fine + draw("finest", 0.55) * _F(0.7)
        """Chromatin, granular cytoplasm, debris."""
        self.medium = draw("medium", 2.3)
        """Outlines of nuclei."""
        self.coarse = draw("coarse", 4.5)
        """Clouds in the cytoplasm and between fibres."""
        self.broad = draw("broad", 8.8)
        """Waves and clefts."""


class FibreField:
    """A random field drawn out along a direction, for fibres: bilinear with cubic steps on a rectangular lattice.

    Args:
        stream: gives the lattice values.
        extent: largest absolute coordinate that will be asked for, micrometres; further out the pattern repeats.
        along, across: lattice spacings in micrometres.
    """

    def __init__(self, stream: Stream, extent: float, along: float, across: float) -> None:
        self.along, self.across = float(along), float(across)
        self.shape = (int(2 * extent / self.across) + 4, int(2 * extent / self.along) + 4)
        self.lattice: Array = stream.uniform(self.shape[0] * self.shape[1], -1.0, 1.0).reshape(self.shape)

    def at(self, u: Array, v: Array) -> Array:
        """Values in [-1, 1] at ``u`` along and ``v`` across the fibres, micrometres."""
        p, q = u * _F(1.0 / self.along), v * _F(1.0 / self.across)
        i, j = np.floor(p), np.floor(q)
        t, s = p - i, q - j
        t = t * t * (_F(3.0) - _F(2.0) * t)
        s = s * s * (_F(3.0) - _F(2.0) * s)
        flat = self.lattice.ravel()
        i0 = i.astype(np.int64) % self.shape[1]
        j0 = j.astype(np.int64) % self.shape[0] * self.shape[1]
        i1 = (i.astype(np.int64) + 1) % self.shape[1]
        j1 = (j.astype(np.int64) + 1) % self.shape[0] * self.shape[1]
        near = flat[j0 + i0] * (_F(1.0) - t) + flat[j0 + i1] * t
        far = flat[j1 + i0] * (_F(1.0) - t) + flat[j1 + i1] * t
        value: Array = near * (_F(1.0) - s) + far * s
        return value


def jittered_lattice(
    stream: Stream, extent: float, dx: float, dy: float, jitter: float, margin: float
) -> tuple[Array, Array]:
    """Points of a brick lattice over the field and a margin around it, each moved at random.

    Args:
        stream: source of random numbers.
        extent: side of the field in micrometres.
        dx: spacing within rows, micrometres; every other row is shifted by half of it.
        dy: spacing between rows, micrometres.
        jitter: largest displacement as a fraction of the spacing.
        margin: micrometres; points cover [-margin, extent + margin] in both axes.

    Returns:
        x and y, float32, shape (K,).
    """
    nx, ny = int((extent + 2 * margin) / dx) + 2, int((extent + 2 * margin) / dy) + 2
    column = np.arange(nx, dtype=np.float32)[None, :]
    row = np.arange(ny, dtype=np.float32)[:, None]
    half = np.floor(row * _F(0.5)) * _F(-2.0) + row
    offset = stream.uniform(2)
    moves = stream.uniform(2 * nx * ny, -jitter, jitter).reshape(2, ny, nx)
    x = (column + half * _F(0.5) + moves[0] + (offset[0] - _F(1.0))) * _F(dx) - _F(margin)
    y = (row + moves[1] + (offset[1] - _F(1.0))) * _F(dy) - _F(margin)
    return x.ravel(), y.ravel()
