"""Distances to the nearest points: the borders of Voronoi cells."""

from __future__ import annotations

import numpy as np

from unipath_bench.phantom.streams import Array

_F = np.float32


def nearest_two(x: Array, y: Array, cx: Array, cy: Array) -> tuple[Array, Array]:
    """Distances to the nearest and the second nearest of the points (cx, cy), micrometres.

    Points further than 30 micrometres count as 30. ``x`` and ``y`` are either the two axes of a grid, (1, W) and (H,
    1), which is worked through in square blocks, or point lists of one shape.
    """
    far = _F(900.0)
    if x.ndim == 2 and x.shape[0] == 1 and y.shape[1] == 1:
        first = np.empty((y.shape[0], x.shape[1]), dtype=np.float32)
        second = np.empty_like(first)
        for top in range(0, y.shape[0], 64):
            for left in range(0, x.shape[1], 64):
                bx, by = x[:, left : left + 64], y[top : top + 64]
                near = (cx > bx[0, 0] - _F(30)) & (cx < bx[0, -1] + _F(30))
                near &= (cy > by[0, 0] - _F(30)) & (cy < by[-1, 0] + _F(30))
                dx, dy = bx - cx[near, None], by.T - cy[near, None]
                a, b = _two_smallest((dx * dx)[:, None, :], (dy * dy)[:, :, None], far)
                first[top : top + 64, left : left + 64] = a
                second[top : top + 64, left : left + 64] = b
    else:
        dx, dy = x[None] - cx.reshape(-1, *[1] * x.ndim), y[None] - cy.reshape(-1, *[1] * y.ndim)
        first, second = _two_smallest(dx * dx, dy * dy, far)
    return np.sqrt(first), np.sqrt(second)


def _two_smallest(dx2: Array, dy2: Array, far: np.float32) -> tuple[Array, Array]:
    """The two smallest sums over the first axis, no more than ``far``."""
    shape = np.broadcast_shapes(dx2.shape, dy2.shape)
    first, second = np.full(shape[1:], far, dtype=np.float32), np.full(shape[1:], far, dtype=np.float32)
    for start in range(0, shape[0], 32):
        d = dx2[start : start + 32] + dy2[start : start + 32]
        nearest = d.min(axis=0)
        d[d == nearest] = far
        second = np.minimum(np.minimum(second, d.min(axis=0)), np.maximum(first, nearest))
        first = np.minimum(first, nearest)
    return first, second
