"""A tile from a seed and its attributes."""

from __future__ import annotations

import numpy as np

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import UsageError
from unipath_bench.phantom.arithmetic import mix, smooth01, soft_mask
from unipath_bench.phantom.attributes import Attributes
from unipath_bench.phantom.fields import Grid, Textures
from unipath_bench.phantom.findings import (
    Focus,
    build_dust,
    build_erythrocytes,
    build_halos,
    build_lymphocytes,
    build_melanin,
    build_mitoses,
    build_psammoma,
    choose_dividing,
    lymphocyte_candidates,
    outline_field,
    place_focus,
)
from unipath_bench.phantom.layout import Layout, build_layout
from unipath_bench.phantom.nuclei import Bodies, joined, paint
from unipath_bench.phantom.optics import Appearance, Densities, expose, slide_appearance
from unipath_bench.phantom.streams import Array, BoolArray, Stream
from unipath_bench.phantom.stroma import build_stroma, sample
from unipath_bench.phantom.tumour import build_cytoplasm, build_tumour_nuclei

_F = np.float32
RENDERER = "1"
"""Version of the renderer: raised whenever a pixel of any tile changes."""

MINIMUM_EXTENT = 48.0
"""Smallest side of a field in micrometres: below it a gland or a focus of necrosis no longer fits."""


def validate_field(size: int, microns_per_pixel: float) -> None:
    """Raise :class:`UsageError` where :func:`render` has no tile of this size and scale."""
    if not 0.25 <= microns_per_pixel <= 2.0:
        raise UsageError(f"{microns_per_pixel} microns per pixel is out of range", "Use 0.25 to 2.")
    if not 16 <= size <= 512 or size * microns_per_pixel < MINIMUM_EXTENT:
        raise UsageError(
            f"a field of {size} pixels at {microns_per_pixel} microns per pixel is out of range",
            f"Use at most 512 pixels and at least {MINIMUM_EXTENT:g} micrometres a side.",
        )


def render(
    seed: int,
    attributes: Attributes,
    size: int = 64,
    microns_per_pixel: float = 1.0,
    appearance: Appearance | None = None,
) -> RGBImage:
    """Draw a tile: a pure function of its arguments, the same bytes on every machine.

    Args:
        seed: which tissue; tiles of one seed share all that their attributes have in common.
        attributes: what is in the tile.
        size: pixels a side, at most 512.
        microns_per_pixel: scale, 0.25 to 2. The same field at another scale is the same tissue.
        appearance: stain and scanner of the slide; by default drawn from the seed.

    Returns:
        uint8 RGB, shape (size, size, 3).

    Raises:
        UsageError: the size or the scale is outside these limits, or the field is less than 48 micrometres wide.
    """
    validate_field(size, microns_per_pixel)
    grid = Grid(size, microns_per_pixel)
    look = slide_appearance(seed) if appearance is None else appearance
    return expose(_densities(seed, attributes, grid), look, grid, seed)


class _Foci:
    """The foci of a tile, None for a finding that is absent, and the field that roughens their outlines."""

    def __init__(self, seed: int, a: Attributes, grid: Grid) -> None:
        def place(kind: str, present: bool, radius: float, rough: float) -> Focus | None:
            return place_focus(seed, kind, grid.extent, radius, rough) if present else None

        self.outline = outline_field(seed, grid.extent)
        self.necrosis = place("necrosis", a.necrosis == "present", 18.5, 6.0)
        self.blood = place("hemorrhage", a.hemorrhage == "present", 14.5, 7.5)
        self.lymphocytes = place("lymphocytes", a.lymphocytic_infiltrate == "brisk", 13.0, 6.5)
        self.deposit = place("deposit", a.deposit != "none", 11.0, 4.0)
        self._grid = grid
        self._map: Array | None = None

    def mask(self, focus: Focus, softness: float) -> Array:
        """Share of the pixel that the focus covers, 0 to 1: (H, W)."""
        if self._map is None:
            self._map = self.outline.on(self._grid)
        return soft_mask(focus.depth(self._grid.x, self._grid.y, self._map), softness)


def _densities(seed: int, a: Attributes, grid: Grid) -> Densities:
    textures = Textures(seed, grid)
    layout = build_layout(seed, grid, a.architecture, a.cellularity, a.cytology_type)
    taken = np.where(layout.lumen > _F(0.3), _F(60.0), layout.depth)
    ground = build_stroma(seed, grid, textures, a.stroma, layout.direction, taken)
    foci = _Foci(seed, a, grid)

    h_cell, e_cell = build_cytoplasm(seed, grid, textures, a.cytology_type, layout)
    tissue = (_F(1.0) - layout.lumen) * (_F(1.0) - _F(0.9) * _gaps(seed, textures, layout))
    h = mix(ground.hematoxylin, h_cell, layout.tumour) * tissue
    e = mix(ground.eosin, e_cell, layout.tumour) * tissue
    if foci.lymphocytes is not None:
        # Oedema and scant cytoplasm between the lymphocytes.
        patch = foci.mask(foci.lymphocytes, 1.5)
        h, e = mix(h, 0.09, patch), mix(e, _F(0.12) + _F(0.08) * textures.coarse, patch)
    if foci.necrosis is not None:
        patch = foci.mask(foci.necrosis, 1.4)
        debris_e = np.maximum(_F(0.38) + _F(0.10) * textures.coarse + _F(0.13) * textures.fine, _F(0.04))
        debris_h = np.maximum(_F(0.10) + _F(0.05) * textures.coarse + _F(0.06) * textures.fine, _F(0.0))
        h, e = mix(h, debris_h, patch), mix(e, debris_e, patch)

    nuclei, dividing = _nuclei(seed, a, grid, layout, ground.nuclei, foci)
    if dividing is not None:
        halo = paint(dividing[0], grid).cover
        h, e = mix(h, 0.05, halo), mix(e, 0.20, halo)
    painted = paint(nuclei, grid, rough=textures.medium * _F(0.15))
    h = h * (_F(1.0) - painted.cover) + painted.density * (_F(1.0) + _F(0.26) * textures.fine)
    # Nuclei take up some eosin of their own, wherever they lie.
    e = mix(e, 0.20, painted.cover * _F(0.6))
    if dividing is not None:
        figures = paint(dividing[1], grid, softness=0.45)
        h, e = np.maximum(h, figures.density), e * (_F(1.0) - figures.cover)

    red = brown = None
    if foci.blood is not None:
        pool = foci.mask(foci.blood, 1.2)
        cells = paint(build_erythrocytes(seed, grid.extent, foci.blood, foci.outline), grid, softness=0.5)
        red = np.maximum(cells.density * (_F(1.0) + _F(0.12) * textures.coarse), pool * _F(0.08))
        clear = np.maximum(pool * _F(0.82), cells.cover)
        h, e = h * (_F(1.0) - clear), e * (_F(1.0) - clear)
    if foci.deposit is not None and a.deposit == "melanin":
        brown = paint(build_melanin(seed, grid.extent, foci.deposit, foci.outline), grid).density
    if foci.deposit is not None and a.deposit == "calcification":
        h, e = _calcify(seed, grid, foci.deposit, h, e)
    return Densities(h, e, red, brown)


def _gaps(seed: int, textures: Textures, layout: Layout) -> Array:
    """Clefts that fixation and cutting leave, 0 to 1: winding slits, widest along the border of tumour and stroma."""
    amount = Stream(seed, "gaps").scalar(0.35, 1.35)
    border = smooth01(_F(1.0) - np.abs(layout.depth + _F(0.6)) * _F(0.45))
    width = (_F(0.05) + _F(0.16) * layout.warp + _F(0.22) * border) * _F(amount)
    return smooth01((width - np.abs(textures.broad)) * _F(9.0))


def _calcify(seed: int, grid: Grid, focus: Focus, h: Array, e: Array) -> tuple[Array, Array]:
    """Laminated spherules: rings of density around each centre."""
    table = build_psammoma(seed, grid.extent, focus)
    stones = paint(table, grid)
    distance = np.full((grid.size, grid.size), 30.0, dtype=np.float32)
    for k in range(len(table)):
        dx, dy = grid.x - table.x[k], grid.y - table.y[k]
        distance = np.minimum(distance, np.sqrt(dx * dx + dy * dy))
    turn = distance * _F(1.0 / 2.9)
    ring = np.abs(turn - np.floor(turn) - _F(0.5)) * _F(2.0)
    body = _F(1.0) + _F(0.55) * smooth01(ring)
    return mix(h, body, stones.cover), mix(e, _F(0.25) * body, stones.cover)


def _nuclei(
    seed: int, a: Attributes, grid: Grid, layout: Layout, stroma: Bodies, foci: _Foci
) -> tuple[Bodies, tuple[Bodies, Bodies] | None]:
    """All interphase nuclei, and the halos and figures of dividing cells if there are any."""
    cells = layout.cells
    tumour = build_tumour_nuclei(seed, a.cytology_type, a.pleomorphism, cells)
    warp = foci.outline.at(cells.x, cells.y)
    nowhere = np.full(len(cells), -400.0, dtype=np.float32)

    def inside(focus: Focus | None) -> Array:
        return nowhere if focus is None else focus.depth(cells.x, cells.y, warp)

    replaced = np.maximum(inside(foci.blood), inside(foci.lymphocytes))
    necrotic = inside(foci.necrosis)
    gone, dead = replaced > _F(1.0), necrotic > _F(0.5)
    dividing = None
    if a.mitotic_activity == "high":
        covered = np.maximum(np.maximum(replaced, necrotic), inside(foci.deposit))
        chosen = choose_dividing(seed, cells, grid.extent, covered)
        gone[chosen] = True
        members = cells.take(chosen)
        dividing = build_halos(seed, members), build_mitoses(seed, members)
    # Ghosts: what is left of the nuclei of dead cells.
    tumour.density = tumour.density * np.where(dead, _F(0.24), _F(1.0))

    def outside(x: Array, y: Array, *kinds: Focus | None) -> BoolArray:
        shift = foci.outline.at(x, y)
        clear = np.ones(len(x), dtype=bool)
        for focus in kinds:
            if focus is not None:
                clear &= focus.depth(x, y, shift) < _F(0.5)
        return clear

    tables = [stroma.take(outside(stroma.x, stroma.y, foci.necrosis, foci.blood, foci.lymphocytes)), tumour.take(~gone)]
    if foci.necrosis is not None:
        tables.append(build_dust(seed, grid.extent, foci.necrosis, foci.outline))
    if foci.lymphocytes is not None:
        x, y = lymphocyte_candidates(seed, grid.extent)
        free = outside(x, y, foci.necrosis, foci.blood)
        inner = foci.lymphocytes.depth(x, y, foci.outline.at(x, y))
        keep = free & ((inner > _F(0.0)) | (sample(layout.lumen, grid, x, y) < _F(0.3)))
        tables.append(build_lymphocytes(seed, sample(layout.depth, grid, x, y), inner, x, y, keep))
    return joined(tables), dividing
