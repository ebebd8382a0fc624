"""Geometry: neighbours against a k-d tree, patterns against hand-made shapes, cells against their rules."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from unipath_bench.phantom import Stream
from unipath_bench.phantom.attributes import Architecture, Cellularity, CytologyType
from unipath_bench.phantom.fields import Grid, SmoothField
from unipath_bench.phantom.layout import Cells, build_layout, prune
from unipath_bench.phantom.neighbours import nearest_two
from unipath_bench.phantom.patterns import MARGIN, Fascicular, Glandular, Papillary, SingleCell, Solid

GRID = Grid(64, 1.0)


@pytest.mark.parametrize("size", [48, 100])
@pytest.mark.parametrize("count", [2, 33, 150])
def test_nearest_two_agrees_with_a_tree(size: int, count: int) -> None:
    grid = Grid(size, 1.0)
    cx, cy = (Stream(count, axis).uniform(count, -10.0, size + 10.0) for axis in "xy")
    first, second = nearest_two(grid.x, grid.y, cx, cy)
    points = np.stack(np.broadcast_arrays(grid.x, grid.y), axis=-1).reshape(-1, 2)
    truth = np.asarray(cKDTree(np.stack([cx, cy], axis=1)).query(points, k=2)[0])
    # Points further than 30 micrometres count as 30.
    capped = np.minimum(truth, 30.0).reshape(size, size, 2)
    assert np.allclose(first, capped[..., 0], atol=1e-4)
    assert np.allclose(second, capped[..., 1], atol=1e-4)
    x, y = points[:50, 0], points[:50, 1]
    assert np.allclose(nearest_two(x, y, cx, cy)[1], np.minimum(truth[:50, 1], 30.0), atol=1e-4)


def test_a_gland_is_a_ring() -> None:
    pattern = Glandular(Stream(3, "gland"), 64.0, 1)
    k = pattern.members[len(pattern.members) // 2]
    still = np.zeros(1, dtype=np.float32)
    depth, lumen = pattern.measure(pattern.cx[k : k + 1], pattern.cy[k : k + 1], still)
    # At the centre: a radius inside the gland, the inner radius inside the lumen.
    assert depth[0] == pytest.approx(pattern.radius[k], abs=1e-4)
    assert lumen[0] == pytest.approx(pattern.inner[k], abs=1e-4)
    # On the long axis at the ratio times the radius: on the basement membrane.
    reach = pattern.ratio[k] * pattern.radius[k]
    edge = pattern.cx[k : k + 1] + pattern.ux[k] * reach, pattern.cy[k : k + 1] + pattern.uy[k] * reach
    others = Glandular(Stream(3, "gland"), 64.0, 1)
    others.members = [k]
    assert others.measure(*edge, still)[0][0] == pytest.approx(0.0, abs=1e-4)


def test_a_frond_has_a_core_a_lining_and_space_around() -> None:
    pattern = Papillary(Stream(4, "frond"), 64.0, 0)
    k = pattern.members[0]
    pattern.members = [k]
    across = np.array([0.0, pattern.core, pattern.core + pattern.lining, pattern.core + pattern.lining + 3.0])
    x = (pattern.cx[k] - across * pattern.uy[k]).astype(np.float32)
    y = (pattern.cy[k] + across * pattern.ux[k]).astype(np.float32)
    depth, free = pattern.measure(x, y, np.zeros(4, dtype=np.float32))
    assert depth == pytest.approx([-pattern.core, 0.0, 0.0, -3.0], abs=1e-3)
    assert free == pytest.approx([-pattern.core - pattern.lining, -pattern.lining, 0.0, 3.0], abs=1e-3)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_bands_have_the_width_that_they_state(level: int) -> None:
    """Along a line across the bands, the share of tumour is 1 - gap / pitch."""
    for pattern in (Fascicular(Stream(5), 64.0, level), Solid(Stream(5), 64.0, level)):
        c, s = pattern.direction
        t = np.linspace(0.0, 10 * pattern.pitch, 20000, endpoint=False, dtype=np.float32)
        depth, free = pattern.measure(-s * t, c * t, np.zeros_like(t))
        assert float((depth > 0).mean()) == pytest.approx(1.0 - pattern.gap / pattern.pitch, abs=0.01)
        assert float(free.max()) < 0


def test_single_cells_are_discs() -> None:
    pattern = SingleCell(Stream(6), 64.0, 0, "epithelioid")
    depth, _ = pattern.measure(pattern.cx, pattern.cy, np.zeros_like(pattern.cx))
    assert np.allclose(depth, pattern.radius)
    # 0.42 of a pitch at most, with a jitter of at most 0.26: discs leave stroma between them.
    assert pattern.radius <= 0.42 * 21.0


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("cytology", get_args(CytologyType))
def test_cells_lie_in_the_tumour_with_unit_axes(architecture: Architecture, cytology: CytologyType) -> None:
    for cellularity in get_args(Cellularity):
        layout = build_layout(11, GRID, architecture, cellularity, cytology)
        cells = layout.cells
        assert len(cells) >= 4
        assert np.allclose(cells.ux**2 + cells.uy**2, 1.0, atol=1e-4)
        inside = (np.minimum(cells.x, cells.y) > 0) & (np.maximum(cells.x, cells.y) < 64)
        column, row = cells.x[inside].astype(int), cells.y[inside].astype(int)
        assert float((layout.depth[row, column] > -1.0).mean()) > 0.97
        assert float(np.maximum(layout.tumour + layout.lumen, 0).max()) <= 1.0 + 1e-6


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_higher_cellularity_means_more_cells(architecture: Architecture) -> None:
    counts = []
    for level in get_args(Cellularity):
        layouts = [build_layout(seed, GRID, architecture, level, "epithelioid").cells for seed in range(6)]
        counts.append(sum(int(((c.x > 0) & (c.x < 64) & (c.y > 0) & (c.y < 64)).sum()) for c in layouts))
    assert counts[1] > 1.25 * counts[0]
    assert counts[2] > 1.25 * counts[1]


def test_nuclei_of_glands_stand_on_their_row() -> None:
    layout = build_layout(21, GRID, "glandular", "moderate", "epithelioid")
    pattern = Glandular(Stream(21, "layout", "glandular"), 64.0, 1)
    field = SmoothField(Stream(21, "warp"), 64.0 + 2 * MARGIN, 17.0)
    cells = layout.cells
    depth, _ = pattern.measure(cells.x, cells.y, field.at(cells.x, cells.y))
    # Moved under a fixed warp, whose own slope is at most about 2.6 / 17 a micrometre: within 1.2, and that.
    assert float(np.abs(depth - pattern.row_depths[0]).max()) < 2.5


@given(st.integers(0, 1000), st.floats(2.0, 8.0))
@settings(max_examples=20, deadline=None)
def test_pruned_cells_keep_their_distance(seed: int, distance: float) -> None:
    n = 200
    x, y = Stream(seed, "x").uniform(n, 0.0, 60.0), Stream(seed, "y").uniform(n, 0.0, 60.0)
    priority = Stream(seed, "p").uniform(n)
    kept = prune(Cells(x, y, x, y), priority, distance)
    gap = np.hypot(kept.x[:, None] - kept.x, kept.y[:, None] - kept.y)
    np.fill_diagonal(gap, np.inf)
    assert float(gap.min()) >= distance - 1e-3
    top = int(priority.argmax())
    assert np.any((kept.x == x[top]) & (kept.y == y[top]))
    # Nothing that is far from all others is lost.
    alone = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(alone, np.inf)
    for k in np.flatnonzero(alone.min(axis=1) > distance + 1e-3):
        assert np.any((kept.x == x[k]) & (kept.y == y[k]))


def test_the_tissue_does_not_depend_on_the_resolution() -> None:
    coarse, fine = (build_layout(8, Grid(n, 64 / n), "glandular", "high", "clear") for n in (64, 128))
    assert np.array_equal(coarse.cells.x, fine.cells.x)
    assert np.array_equal(coarse.cells.y, fine.cells.y)
    # Depth is smooth: the mean of four fine pixels is the coarse one but for the kinks of the distance.
    pooled = fine.depth.reshape(64, 2, 64, 2).mean(axis=(1, 3))
    assert float(np.abs(pooled - coarse.depth).max()) < 0.6
