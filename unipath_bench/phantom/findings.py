"""What may be found in a field beyond its tumour and stroma: necrosis, blood, lymphocytes, mitoses, deposits.

Foci are placed one a quarter of each block of about 64 micrometres, each kind in its own quarter, so that one finding
does not hide another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unipath_bench.phantom.arithmetic import directions
from unipath_bench.phantom.fields import SmoothField, jittered_lattice
from unipath_bench.phantom.layout import Cells
from unipath_bench.phantom.nuclei import Bodies, bodies, joined
from unipath_bench.phantom.streams import Array, BoolArray, Stream

_F = np.float32
BLOCK = 64.0
"""Micrometres: findings are scattered one focus a block of this side."""

_DEMANDS = ((4.0, 6.0, 12.5, 7), (1.5, 5.0, 9.5, 4), (-1.0, 4.0, 7.5, 3), (-4.0, 3.0, 6.0, 3), (-9.0, 2.0, 5.0, 3))
"""For dividing cells, strictest first: distance from foci, from the border and from each other, micrometres, and how
many cells in a block are enough to stop."""

_QUARTERS = {"necrosis": 0, "hemorrhage": 1, "lymphocytes": 2, "deposit": 3}


@dataclass(frozen=True)
class Focus:
    """Discs of tissue with a rough outline: signed depth at any point."""

    cx: Array
    cy: Array
    radius: Array
    rough: float
    """Largest shift of the outline, micrometres."""

    def depth(self, x: Array, y: Array, outline: Array) -> Array:
        """Micrometres inside the nearest disc, negative outside; ``outline`` is :func:`outline_field` at the points."""
        best = np.full(np.broadcast_shapes(x.shape, y.shape), -400.0, dtype=np.float32)
        for k in range(len(self.cx)):
            dx, dy = x - self.cx[k], y - self.cy[k]
            best = np.maximum(best, self.radius[k] - np.sqrt(dx * dx + dy * dy))
        return best + outline * _F(self.rough)


def outline_field(seed: int, extent: float) -> SmoothField:
    """The field that roughens the outlines of all foci of a tile."""
    return SmoothField(Stream(seed, "focus outlines"), extent + 28.0, 7.0)


def place_focus(seed: int, kind: str, extent: float, radius: float, rough: float) -> Focus:
    """Centres in the quarters that ``kind`` has in each block; about two in three blocks have one, and one always."""
    blocks = max(1, int(extent / BLOCK + 0.5))
    side = extent / blocks
    n = blocks * blocks
    order = Stream(seed, "quarters").permutation(4)
    quarter = int(order[_QUARTERS[kind]])
    stream = Stream(seed, "focus", kind)
    move = stream.uniform(2 * n, -0.10, 0.10).reshape(2, n)
    index = np.arange(n)
    cx = ((index % blocks).astype(np.float32) + _F(0.27 + 0.46 * (quarter % 2)) + move[0]) * _F(side)
    cy = ((index // blocks).astype(np.float32) + _F(0.27 + 0.46 * (quarter // 2)) + move[1]) * _F(side)
    keep = stream.uniform(n) < _F(0.67)
    keep[stream.integer(n)] = True
    size = stream.uniform(n, 0.9, 1.12) * _F(radius)
    return Focus(cx[keep], cy[keep], size[keep], rough)


def scattered(stream: Stream, x: Array, y: Array) -> Cells:
    """Points with random directions."""
    turn = stream.uniform(len(x))
    return Cells(x, y, *directions(turn))


def build_dust(seed: int, extent: float, focus: Focus, outline: SmoothField) -> Bodies:
    """Nuclear debris of a necrotic focus: dark specks and shrunken, smudged nuclei."""
    stream = Stream(seed, "nuclear dust")
    x, y = jittered_lattice(stream, extent, 4.3, 4.3, 0.5, 2.0)
    inside = (focus.depth(x, y, outline.at(x, y)) > _F(1.0)) & (stream.uniform(len(x)) < _F(0.62))
    cells = scattered(stream, x[inside], y[inside])
    n = len(cells)
    size = stream.uniform(n)
    size = _F(0.5) + size * size * _F(0.75)
    return bodies(stream, cells, size * _F(1.15), size, stream.uniform(n, 0.6, 1.5), lobes=0.12)


def build_lymphocytes(
    seed: int, tumour_depth: Array, focus_depth: Array, x: Array, y: Array, allowed: BoolArray
) -> Bodies:
    """Small, round, dark nuclei: dense in the focus, scattered in the rest of the stroma, few in the tumour.

    Args:
        seed: the tile's seed.
        tumour_depth: depth inside the tumour at the candidate points ``x``, ``y``.
        focus_depth: depth inside the focus there.
        x: the candidates' x, from :func:`lymphocyte_candidates`; micrometres.
        y: the candidates' y, likewise.
        allowed: which of the candidates may be taken.
    """
    stream = Stream(seed, "lymphocytes")
    ticket = stream.uniform(len(x))
    chance = np.where(focus_depth > _F(0.0), _F(0.88), np.where(tumour_depth < _F(-2.0), _F(0.24), _F(0.025)))
    keep = allowed & (ticket < chance)
    cells = scattered(stream, x[keep], y[keep])
    n = len(cells)
    size = stream.uniform(n, 2.1, 2.5)
    return bodies(stream, cells, size * _F(1.06), size, stream.uniform(n, 1.20, 1.55), lobes=0.03)


def lymphocyte_candidates(seed: int, extent: float) -> tuple[Array, Array]:
    """Places where a lymphocyte may lie: about one each 27 square micrometres."""
    return jittered_lattice(Stream(seed, "lymphocyte places"), extent, 5.5, 4.9, 0.38, 3.0)


def choose_dividing(seed: int, cells: Cells, extent: float, covered: Array) -> npt.NDArray[np.int64]:
    """Indices of the cells that divide: four to six in 64 x 64 micrometres, in proportion elsewhere.

    They lie well inside the field, clear of foci and apart from each other; where too few do, the demands are lowered
    step by step, so that at least three are found even in a field with few cells and many findings.

    Args:
        seed: the tile's seed.
        cells: the tumour cells.
        extent: side of the field, micrometres.
        covered: depth of each cell inside whatever would hide a mitosis there, micrometres.
    """
    stream = Stream(seed, "mitoses")
    area = (extent / BLOCK) * (extent / BLOCK)
    wanted = int((4.0 + stream.scalar(0.0, 2.999)) * area)
    order = stream.permutation(len(cells))
    chosen: list[int] = []
    for clearance, inset, apart, enough in _DEMANDS:
        inside = (np.minimum(cells.x, cells.y) > _F(inset)) & (np.maximum(cells.x, cells.y) < _F(extent - inset))
        for k in order[(inside & (covered < _F(-clearance)))[order]]:
            if len(chosen) >= min(wanted, int(enough * area)):
                break
            dx, dy = cells.x[chosen] - cells.x[k], cells.y[chosen] - cells.y[k]
            if not chosen or float((dx * dx + dy * dy).min()) > apart * apart:
                chosen.append(int(k))
    return np.asarray(chosen, dtype=np.int64)


def build_mitoses(seed: int, cells: Cells) -> Bodies:
    """Chromosomes of dividing cells, each of a kind of its own.

    The kinds are metaphase plates, pairs of anaphase plates and prometaphase clumps, with equal chances.
    """
    stream = Stream(seed, "mitotic figures")
    n = len(cells)
    kind = stream.integers(n, 3)
    turned = scattered(stream, cells.x, cells.y)
    plate, pair, clump = (np.flatnonzero(kind == k) for k in range(3))
    dark = 2.6
    tables = [bodies(stream, turned.take(plate), 4.3, 1.35, dark, lobes=0.10)]
    for side in (-1.0, 1.0):
        half = turned.take(pair)
        moved = Cells(half.x - half.uy * _F(2.5 * side), half.y + half.ux * _F(2.5 * side), half.ux, half.uy)
        tables.append(bodies(stream, moved, 3.6, 1.1, dark, lobes=0.08))
    tables.append(bodies(stream, turned.take(clump), 3.1, 2.5, dark, lobes=0.30))
    return joined(tables)


def build_halos(seed: int, cells: Cells) -> Bodies:
    """The rounded, cleared cytoplasm around dividing cells; ``density`` is 1."""
    return bodies(Stream(seed, "mitotic halos"), cells, 5.9, 5.4, 1.0)


def build_erythrocytes(seed: int, extent: float, focus: Focus, outline: SmoothField) -> Bodies:
    """Crowded discs of 6 micrometres in the focus; density in units of hemoglobin."""
    stream = Stream(seed, "erythrocytes")
    x, y = jittered_lattice(stream, extent, 5.4, 4.7, 0.30, 4.0)
    depth = focus.depth(x, y, outline.at(x, y))
    keep = (depth > _F(0.5)) & (stream.uniform(len(x)) < _F(0.93))
    cells = scattered(stream, x[keep], y[keep])
    n = len(cells)
    size = stream.uniform(n, 2.6, 3.2)
    return bodies(
        stream, cells, size, size * stream.uniform(n, 0.72, 1.0), stream.uniform(n, 0.38, 0.78), pale=0.28, lobes=0.06
    )


def build_melanin(seed: int, extent: float, focus: Focus, outline: SmoothField) -> Bodies:
    """Coarse brown granules in clusters within the focus; density in units of melanin."""
    stream = Stream(seed, "melanin")
    x, y = jittered_lattice(stream, extent, 2.3, 2.3, 0.5, 2.0)
    cluster = SmoothField(Stream(seed, "melanin clusters"), extent + 28.0, 4.0).at(x, y)
    keep = (focus.depth(x, y, outline.at(x, y)) > _F(0.0)) & (cluster > _F(-0.25)) & (stream.uniform(len(x)) < _F(0.75))
    cells = scattered(stream, x[keep], y[keep])
    n = len(cells)
    return bodies(stream, cells, stream.uniform(n, 0.7, 1.3), stream.uniform(n, 0.6, 1.0), stream.uniform(n, 0.6, 1.3))


def build_psammoma(seed: int, extent: float, focus: Focus) -> Bodies:
    """One or two calcified spherules a focus; the laminae are drawn where they are painted."""
    stream = Stream(seed, "calcification")
    tables = []
    n = len(focus.cx)
    for k, (big, shift) in enumerate(((1.0, 0.0), (0.62, 9.6))):
        turn = stream.uniform(n)
        ux, uy = directions(turn)
        centre = Cells(focus.cx + ux * _F(shift), focus.cy + uy * _F(shift), ux, uy)
        size = stream.uniform(n, 5.6, 7.0) * _F(big)
        tables.append(bodies(stream, centre, size, size * _F(0.93), 1.5, lobes=0.03))
        if k == 1:
            keep = stream.uniform(n) < _F(0.6)
            tables[-1] = tables[-1].take(keep)
    return joined(tables)
