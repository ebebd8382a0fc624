"""The tissue between the tumour cells: fibrous, myxoid or adipose, as optical densities of hematoxylin and eosin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unipath_bench.phantom.arithmetic import smooth01
from unipath_bench.phantom.attributes import Stroma
from unipath_bench.phantom.fields import FibreField, Grid, Textures, jittered_lattice
from unipath_bench.phantom.layout import Cells
from unipath_bench.phantom.neighbours import nearest_two
from unipath_bench.phantom.nuclei import Bodies, bodies
from unipath_bench.phantom.patterns import MARGIN
from unipath_bench.phantom.streams import Array, Stream

_F = np.float32


@dataclass(frozen=True)
class Ground:
    """Optical densities (H, W) of the stroma, as if it filled the field, and its nuclei."""

    hematoxylin: Array
    eosin: Array
    nuclei: Bodies


def build_stroma(
    seed: int, grid: Grid, textures: Textures, kind: Stroma, direction: tuple[float, float], depth: Array
) -> Ground:
    """Draw the stroma of a field.

    Args:
        seed: the tile's seed.
        grid: the pixel grid.
        textures: random fields of the tile.
        kind: the class of the attribute ``stroma``.
        direction: unit vector along the fibres.
        depth: signed depth inside the tumour and free space on the grid; nuclei are laid where it is below -1.5
            micrometres.
    """
    match kind:
        case "fibrous":
            return _fibrous(seed, grid, textures, direction, depth)
        case "myxoid":
            return _myxoid(seed, grid, textures, depth)
        case "adipose":
            return _adipose(seed, grid, textures, depth)


def _fibre_axes(grid: Grid, direction: tuple[float, float], wave: Array, lift: float) -> tuple[Array, Array]:
    c, s = direction
    half = grid.extent / 2
    dx, dy = grid.x - _F(half), grid.y - _F(half)
    return dx * _F(c) + dy * _F(s), dy * _F(c) - dx * _F(s) + wave * _F(lift)


def _fibrous(seed: int, grid: Grid, textures: Textures, direction: tuple[float, float], depth: Array) -> Ground:
    u, v = _fibre_axes(grid, direction, textures.broad, 3.6)
    reach = grid.extent * 0.75 + 10.0
    fine = FibreField(Stream(seed, "fibres"), reach, 15.0, 1.9).at(u, v)
    bundle = FibreField(Stream(seed, "bundles"), reach, 34.0, 6.0).at(u + _F(11.0), v + _F(5.0))
    eosin = _F(0.275) + _F(0.11) * fine + _F(0.11) * bundle + _F(0.04) * textures.fine
    cleft = smooth01((_F(-0.46) - bundle * _F(0.75) - fine * _F(0.45)) * _F(3.5))
    eosin = eosin * (_F(1.0) - _F(0.86) * cleft)
    hematoxylin = _F(0.055) * (_F(1.0) + fine * _F(0.4)) * (_F(1.0) - _F(0.9) * cleft)
    cells = _cells_between(Stream(seed, "fibroblasts"), grid, 13.0, depth, direction)
    n = len(cells)
    stream = Stream(seed, "fibroblast nuclei")
    nuclei = bodies(
        stream, cells, stream.uniform(n, 3.6, 5.6), stream.uniform(n, 0.85, 1.35), stream.uniform(n, 0.7, 1.1)
    )
    return Ground(hematoxylin, eosin, nuclei)


def _myxoid(seed: int, grid: Grid, textures: Textures, depth: Array) -> Ground:
    strand = smooth01(_F(1.0) - np.abs(textures.coarse) * _F(6.0))
    hematoxylin = _F(0.155) + _F(0.04) * textures.broad + _F(0.08) * strand + _F(0.02) * textures.fine
    eosin = _F(0.015) + _F(0.06) * strand
    cells = _cells_between(Stream(seed, "stellate cells"), grid, 17.0, depth, None)
    n = len(cells)
    stream = Stream(seed, "stellate nuclei")
    nuclei = bodies(
        stream, cells, stream.uniform(n, 2.4, 3.6), stream.uniform(n, 1.0, 1.5), stream.uniform(n, 0.6, 0.9), lobes=0.22
    )
    return Ground(np.maximum(hematoxylin, _F(0.0)), np.maximum(eosin, _F(0.0)), nuclei)


def _adipose(seed: int, grid: Grid, textures: Textures, depth: Array) -> Ground:
    pitch = 17.5
    cx, cy = jittered_lattice(Stream(seed, "fat cells"), grid.extent, pitch, pitch * 0.87, 0.22, 30.0)
    first, second = nearest_two(grid.x, grid.y, cx, cy)
    wall = second - first - _F(0.35) * textures.coarse
    membrane = smooth01((_F(2.3) - wall) * _F(1.0 / 1.7))
    corner = smooth01((first - _F(9.6)) * _F(0.7))
    eosin = _F(0.012) + _F(0.30) * membrane + _F(0.10) * corner
    hematoxylin = _F(0.004) + _F(0.045) * membrane
    # Nuclei lie in the walls: keep lattice points that fall near one, flattened.
    cells = _cells_between(Stream(seed, "adipocyte nuclei"), grid, 7.5, depth, None)
    d1, d2 = nearest_two(cells.x, cells.y, cx, cy)
    cells = cells.take(d2 - d1 < _F(1.1))
    n = len(cells)
    stream = Stream(seed, "adipocyte shapes")
    nuclei = bodies(
        stream, cells, stream.uniform(n, 2.2, 3.2), stream.uniform(n, 0.8, 1.2), stream.uniform(n, 0.8, 1.1)
    )
    return Ground(hematoxylin, eosin, nuclei)


def _cells_between(
    stream: Stream, grid: Grid, pitch: float, depth: Array, direction: tuple[float, float] | None
) -> Cells:
    """Stroma cells on a jittered lattice, outside the tumour; long axes along ``direction`` or anyhow."""
    x, y = jittered_lattice(stream, grid.extent, pitch, pitch * 0.87, 0.38, MARGIN / 2)
    inside = sample(depth, grid, x, y) < _F(-1.5)
    turn = stream.uniform(len(x))
    x, y, turn = x[inside], y[inside], turn[inside]
    ux, uy = turn * _F(2.0) - _F(1.0), _F(1.0) - np.abs(turn * _F(2.0) - _F(1.0))
    if direction is not None:
        ux, uy = ux * _F(0.35) + _F(direction[0]), uy * _F(0.35) + _F(direction[1])
    length = np.sqrt(ux * ux + uy * uy)
    return Cells(x, y, ux / length, uy / length)


def sample(values: Array, grid: Grid, x: Array, y: Array) -> Array:
    """Values of an (H, W) map at points, nearest pixel, held at the border."""
    i = np.minimum(np.maximum(np.floor(x * _F(1 / grid.step)), 0), grid.size - 1).astype(np.int64)
    j = np.minimum(np.maximum(np.floor(y * _F(1 / grid.step)), 0), grid.size - 1).astype(np.int64)
    picked: Array = values[j, i]
    return picked
