"""Tumour cells: their cytoplasm by cytology type, and their nuclei by type and grade."""

from __future__ import annotations

import numpy as np

from unipath_bench.phantom.arithmetic import clip01, smooth01
from unipath_bench.phantom.attributes import CytologyType, Pleomorphism
from unipath_bench.phantom.fields import FibreField, Grid, Textures
from unipath_bench.phantom.layout import Cells, Layout
from unipath_bench.phantom.neighbours import nearest_two
from unipath_bench.phantom.nuclei import Bodies, bodies
from unipath_bench.phantom.patterns import SWAY
from unipath_bench.phantom.streams import Array, Stream

_F = np.float32


def build_cytoplasm(
    seed: int, grid: Grid, textures: Textures, cytology: CytologyType, layout: Layout
) -> tuple[Array, Array]:
    """Optical densities (hematoxylin, eosin) of the tumour compartment without nuclei, each (H, W).

    Cell borders are those of the Voronoi cells of the nuclei.
    """
    cloud, grain = textures.coarse, textures.fine
    width = max(1.0, 0.9 * grid.step)
    match cytology:
        case "epithelioid":
            first, second = nearest_two(grid.x, grid.y, layout.cells.x, layout.cells.y)
            membrane = smooth01((_F(width) - second + first - _F(0.5) * cloud) * _F(1.0 / width))
            # Cells of a tile differ a little; the border of two cells is lighter, and torn open where the cloud is
            # thin.
            eosin = _F(0.28) + _F(0.09) * cloud + _F(0.07) * grain - _F(0.16) * membrane
            hematoxylin = _F(0.15) + _F(0.06) * cloud + _F(0.03) * grain - _F(0.06) * membrane
        case "spindle":
            c, s = layout.direction
            half = _F(grid.extent / 2)
            u = (grid.x - half) * _F(c) + (grid.y - half) * _F(s)
            v = (grid.y - half) * _F(c) - (grid.x - half) * _F(s) + layout.warp * _F(SWAY)
            fibril = FibreField(Stream(seed, "fibrils"), grid.extent * 0.75 + 14.0, 16.0, 1.7).at(u, v)
            eosin = _F(0.275) + _F(0.13) * fibril + _F(0.05) * cloud + _F(0.05) * grain
            slit = smooth01((-fibril - _F(0.55) + _F(0.12) * cloud) * _F(4.0))
            eosin = eosin * (_F(1.0) - _F(0.7) * slit)
            hematoxylin = (_F(0.10) + _F(0.04) * fibril) * (_F(1.0) - _F(0.7) * slit)
        case "small_round":
            first = nearest_two(grid.x, grid.y, layout.cells.x, layout.cells.y)[0]
            rim = clip01((_F(5.0) + cloud - first) * _F(0.5))
            eosin = _F(0.05) + _F(0.12) * rim + _F(0.05) * cloud + _F(0.03) * grain
            hematoxylin = _F(0.08) + _F(0.15) * rim + _F(0.04) * cloud + _F(0.03) * grain
        case "clear":
            first, second = nearest_two(grid.x, grid.y, layout.cells.x, layout.cells.y)
            membrane = smooth01((_F(width * 1.45) - second + first - _F(0.45) * cloud) * _F(1.0 / width))
            # Cells border on stroma and lumen with a membrane too.
            rim = smooth01(_F(1.0) - np.abs(layout.depth - _F(0.7)) * _F(0.9))
            membrane = np.maximum(membrane, rim)
            eosin = _F(0.04) + _F(0.29) * membrane + _F(0.035) * cloud + _F(0.02) * grain
            hematoxylin = _F(0.02) + _F(0.10) * membrane + _F(0.02) * cloud
    return np.maximum(hematoxylin, _F(0.0)), np.maximum(eosin, _F(0.0))


_NUCLEUS: dict[CytologyType, tuple[float, float, float, float, float]] = {
    # half long axis, half short axis (micrometres), density, paleness of the centre, nucleolus
    "epithelioid": (3.9, 3.15, 0.92, 0.50, 0.0),
    "spindle": (6.1, 1.6, 1.0, 0.15, 0.0),
    "small_round": (2.95, 2.65, 1.28, 0.08, 0.0),
    "clear": (2.75, 2.5, 1.08, 0.15, 0.0),
}


def build_tumour_nuclei(seed: int, cytology: CytologyType, pleomorphism: Pleomorphism, cells: Cells) -> Bodies:
    """Return one nucleus per cell.

    Marked pleomorphism: sizes from 0.86 to 2.1 times the type's, lobed outlines, uneven density, nucleoli; mild: sizes
    within 15%, smooth outlines.
    """
    long, short, density, pale, nucleolus = _NUCLEUS[cytology]
    n = len(cells)
    size = Stream(seed, "nuclear size")
    shape = Stream(seed, "nuclear shape")
    if pleomorphism == "mild":
        factor = _F(1.0) + size.normal(n) * _F(0.04)
        return bodies(
            shape,
            cells,
            factor * _F(long),
            factor * _F(short) * shape.uniform(n, 0.90, 1.08),
            _F(density) * shape.uniform(n, 0.80, 1.14),
            pale,
            nucleolus,
            0.03,
        )
    # A long right tail: the square of a uniform number.
    skew = size.uniform(n)
    factor = _F(0.86) + skew * skew * _F(1.25)
    dark = _F(0.70) + shape.uniform(n) * _F(0.65)
    spots = np.where(factor > _F(1.05), _F(1.25), _F(0.0))
    slim = 1.25 if cytology == "spindle" else 1.0
    return bodies(
        shape,
        cells,
        factor * _F(long / slim) * shape.uniform(n, 0.95, 1.2),
        factor * _F(short * slim) * shape.uniform(n, 0.85, 1.1),
        _F(density) * dark,
        pale,
        spots,
        shape.uniform(n, 0.08, 0.24),
    )
