"""Painted bodies against the areas and places of ellipses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.phantom import Stream
from unipath_bench.phantom.fields import Grid
from unipath_bench.phantom.layout import Cells
from unipath_bench.phantom.nuclei import Bodies, bodies, joined, paint


def one(x: float, y: float, turn: float, long: float, short: float, **more: float) -> Bodies:
    def column(v: float) -> np.ndarray:
        return np.array([v], dtype=np.float32)

    ux, uy = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    cells = Cells(column(x), column(y), column(ux), column(uy))
    return bodies(Stream(0), cells, long, short, more.pop("density", 1.0), **more)


@given(
    st.floats(24.0, 40.0),
    st.floats(24.0, 40.0),
    st.floats(0.0, 1.0),
    st.floats(3.0, 9.0),
    st.floats(0.4, 1.0),
    st.sampled_from([0.5, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_area_centre_and_axes_are_those_of_the_ellipse(
    x: float, y: float, turn: float, long: float, ratio: float, step: float
) -> None:
    short = max(2.0, long * ratio)
    grid = Grid(int(64 / step), step)
    cover = paint(one(x, y, turn, long, short), grid).cover.astype(float)
    # The edge falls linearly from 1 to 0 over scaled radii 1 - s .. 1 + s, as if the outline were uniform there: the
    # area is pi a b times the mean square, 1 + s^2 / 3, and the second moment a^2 / 4 times the mean fourth power,
    # 1 + 2 s^2 + s^4 / 5, over the mean square.
    s = 0.55 / short
    assert cover.sum() * step**2 == pytest.approx(np.pi * long * short * (1 + s * s / 3), rel=0.025)
    assert (cover * grid.x).sum() / cover.sum() == pytest.approx(x, abs=0.12)
    assert (cover * grid.y).sum() / cover.sum() == pytest.approx(y, abs=0.12)
    along = (grid.x - x) * np.cos(2 * np.pi * turn) + (grid.y - y) * np.sin(2 * np.pi * turn)
    assert (cover * along**2).sum() / cover.sum() == pytest.approx(
        long**2 / 4 * (1 + 2 * s * s + s**4 / 5) / (1 + s * s / 3), rel=0.06
    )


def test_density_is_that_of_the_body() -> None:
    painted = paint(one(32.5, 32.5, 0.0, 6.0, 6.0, density=1.7), Grid(64, 1.0))
    assert float(painted.density.max()) == pytest.approx(1.7)
    assert painted.density[32, 32] == pytest.approx(1.7)
    assert painted.cover[0, 0] == painted.density[0, 0] == 0.0


def test_pale_centre_and_nucleolus() -> None:
    grid = Grid(64, 1.0)
    pale = paint(one(32.5, 32.5, 0.0, 8.0, 8.0, pale=0.4), grid).density
    # 1 - pale * clip(1.15 (1 - q^2)) is 0.6 at the centre and 1 on the outline.
    assert pale[32, 32] == pytest.approx(0.6)
    spotted = paint(one(32.5, 32.5, 0.0, 8.0, 8.0, pale=0.4, nucleolus=1.3), grid).density
    assert float(spotted[27:38, 27:38].max()) == pytest.approx(1.3, abs=0.01)


def test_denser_body_shows_where_two_overlap() -> None:
    grid = Grid(64, 1.0)
    a, b = one(30.5, 32.5, 0.0, 6.0, 6.0, density=0.8), one(34.5, 32.5, 0.0, 6.0, 6.0, density=1.4)
    both = paint(joined([a, b]), grid)
    assert np.allclose(both.density, np.maximum(paint(a, grid).density, paint(b, grid).density))
    assert np.allclose(both.cover, np.maximum(paint(a, grid).cover, paint(b, grid).cover))


def test_the_border_cuts_bodies_and_far_ones_are_left_out() -> None:
    grid = Grid(64, 1.0)
    half = paint(one(0.0, 32.0, 0.0, 8.0, 8.0), grid).cover.sum()
    assert half == pytest.approx(np.pi * 64 / 2, rel=0.03)
    assert paint(one(-20.0, 32.0, 0.0, 8.0, 8.0), grid).cover.sum() == 0.0
    assert paint(one(32.0, 200.0, 0.0, 8.0, 8.0), grid).cover.sum() == 0.0


def test_nothing_to_paint() -> None:
    empty = one(1.0, 1.0, 0.0, 2.0, 2.0).take(np.zeros(1, dtype=bool))
    assert paint(empty, Grid(48, 1.0)).cover.sum() == 0.0


def test_lobes_change_the_outline_but_not_much_the_area() -> None:
    grid = Grid(128, 0.5)
    plain, lobed = (paint(one(32, 32, 0.0, 8.0, 8.0, lobes=k), grid).cover for k in (0.0, 0.2))
    assert lobed.sum() == pytest.approx(plain.sum(), rel=0.08)
    assert float(np.abs(lobed - plain).sum()) > 0.1 * float(plain.sum())


def test_relief_moves_the_outline() -> None:
    grid = Grid(64, 1.0)
    plain = paint(one(32, 32, 0.0, 8.0, 8.0), grid)
    grown = paint(one(32, 32, 0.0, 8.0, 8.0), grid, rough=np.full((64, 64), 0.1, dtype=np.float32))
    # A radius 10% larger everywhere: an area 21% larger.
    assert grown.cover.sum() / plain.cover.sum() == pytest.approx(1.21, rel=0.02)
