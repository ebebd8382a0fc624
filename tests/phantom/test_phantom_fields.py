"""Random fields and lattices: closed forms of B-splines, and agreement of grid and point evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.phantom import Stream
from unipath_bench.phantom.fields import FibreField, Grid, SmoothField, jittered_lattice


def test_pixel_centres_are_half_a_pixel_in() -> None:
    grid = Grid(4, 0.5)
    assert grid.extent == 2.0
    assert grid.x.tolist() == [[0.25, 0.75, 1.25, 1.75]]
    assert grid.y[:, 0].tolist() == grid.x[0].tolist()


@pytest.mark.parametrize("spacing", [1.15, 4.5, 17.0])
def test_a_spline_reproduces_a_plane(spacing: float) -> None:
    """Cubic B-splines are exact on polynomials of degree one: a planar lattice gives that plane."""
    field = SmoothField(Stream(0), 40.0, spacing)
    index = np.arange(field.count, dtype=np.float32)
    field.lattice = 2.0 + 0.5 * index[None, :] - 0.25 * index[:, None]
    grid = Grid(40, 1.0)
    # The spline's position p between lattice points is coordinate / spacing + 3: two cells of margin and its centre.
    p, q = grid.x / spacing + 3.0, grid.y / spacing + 3.0
    assert np.allclose(field.on(grid), 2.0 + 0.5 * p - 0.25 * q, atol=2e-4)


def test_grid_and_points_agree() -> None:
    field = SmoothField(Stream(5), 64.0, 6.5)
    grid = Grid(64, 1.0)
    x, y = np.broadcast_arrays(grid.x, grid.y)
    assert np.allclose(field.on(grid), field.at(x.ravel(), y.ravel()).reshape(64, 64), atol=2e-6)


def test_contrast_scales_the_field() -> None:
    plain, double = (SmoothField(Stream(5), 64.0, 6.5, contrast).on(Grid(64, 1.0)) for contrast in (1.0, 2.0))
    assert np.allclose(2.0 * plain, double, atol=1e-5)


def test_values_lie_mostly_within_one() -> None:
    values = np.concatenate([SmoothField(Stream(k), 64.0, 4.5).on(Grid(64, 1.0)).ravel() for k in range(8)])
    assert float((np.abs(values) <= 1.0).mean()) > 0.95
    # The B-spline's bound: the lattice is uniform on +-1.8 and the weights are a convex combination.
    assert float(np.abs(values).max()) <= 1.8


def test_fibres_meet_their_lattice_and_repeat() -> None:
    field = FibreField(Stream(1), 30.0, along=10.0, across=2.0)
    i, j = np.meshgrid(np.arange(3), np.arange(4))
    nodes = field.at((i * 10.0).astype(np.float32), (j * 2.0).astype(np.float32))
    assert np.array_equal(nodes, field.lattice[j, i])
    u, v = np.array([3.3, 17.0], np.float32), np.array([1.1, -3.0], np.float32)
    period_u, period_v = field.shape[1] * 10.0, field.shape[0] * 2.0
    assert np.allclose(field.at(u, v), field.at(u + np.float32(period_u), v - np.float32(period_v)), atol=1e-4)


@given(st.floats(5.0, 20.0), st.floats(5.0, 20.0), st.floats(0.0, 0.3), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_lattice_covers_the_field_with_its_density(dx: float, dy: float, jitter: float, seed: int) -> None:
    x, y = jittered_lattice(Stream(seed), 120.0, dx, dy, jitter, margin=10.0)
    inside = (x > 0) & (x < 120) & (y > 0) & (y < 120)
    # One point a dx * dy cell; cells that straddle the border make the count uncertain by about a perimeter's worth.
    assert abs(int(inside.sum()) - 120 * 120 / (dx * dy)) <= 2 * (120 / dx + 120 / dy) + 4
    gap = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(gap, np.inf)
    # Neighbours in a row are dx apart, those of the next row at least dy; each may move by jitter towards the other.
    assert float(gap.min()) >= (1.0 - 2.0 * jitter) * min(dx, dy) - 1e-3
