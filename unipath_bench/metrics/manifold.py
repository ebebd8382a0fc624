"""Precision, recall, density and coverage: how two sets of features share their supports.

A ball around each point reaches to its k-th nearest neighbour of the same set. Improved precision and recall:
Kynkaanniemi et al. 2019, arXiv 1904.06991; density and coverage: Naeem et al. 2020, arXiv 2002.09797, whose
reference code (prdc) counts a point as inside a ball where its distance is strictly below the radius. So does
this module.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from unipath_bench.metrics._arrays import Features, as_matrix_pair, check_count
from unipath_bench.metrics._neighbours import (
    CROWD,
    Frame,
    Prepared,
    exact_squared,
    lower_bounds,
    nearest,
    tiles,
    true_pairs,
)
from unipath_bench.metrics.threads import one_torch_thread

TILE_ROWS, TILE_COLUMNS = 1024, 2048
# Room for rounding a radius to the filter's precision.
RADIUS_SLACK = {torch.float32: 2.0**-22, torch.float64: 2.0**-50}


class ManifoldScores(NamedTuple):
    """Precision, recall, density and coverage of balls around the points of two sets.

    ``precision``: share of generated points inside some real ball, 0 to 1; ``recall``: share of real
    points inside some generated ball, 0 to 1; ``density``: real balls around a generated point, over k, from
    0, may exceed 1; ``coverage``: share of real balls that hold a generated point, 0 to 1.
    """

    precision: float
    recall: float
    density: float
    coverage: float


class _Balls(NamedTuple):
    """Squared radii on the filter's scale: surely inside below ``inner``, possibly inside up to ``outer``."""

    inner: torch.Tensor
    outer: torch.Tensor


class _Filter(NamedTuple):
    """Both sets and their balls in one precision."""

    real: Prepared
    fake: Prepared
    real_balls: _Balls
    fake_balls: _Balls


def _filter(
    real: torch.Tensor, fake: torch.Tensor, real_radii: torch.Tensor, fake_radii: torch.Tensor, dtype: torch.dtype
) -> _Filter:
    frame = Frame([real, fake], dtype)
    room = RADIUS_SLACK[dtype]

    def balls(radii: torch.Tensor) -> _Balls:
        scaled = radii * frame.scale**2
        return _Balls((scaled * (1 - room)).to(dtype), (scaled * (1 + room)).to(dtype))

    return _Filter(frame.prepare(real), frame.prepare(fake), balls(real_radii), balls(fake_radii))


class _Members(NamedTuple):
    """Pairs (real row, generated row) inside a ball, or possibly so where ``sure`` is False."""

    i: torch.Tensor
    j: torch.Tensor
    sure: torch.Tensor


def _members(lower: torch.Tensor, filtered: _Filter, rows: slice, columns: slice, *, of_real: bool) -> _Members:
    """Pairs inside real (generated) balls, from lower bounds of squared distances of a tile."""
    balls = filtered.real_balls if of_real else filtered.fake_balls
    i, j = true_pairs(lower <= (balls.outer[rows, None] if of_real else balls.outer[None, columns]))
    bound = lower[i, j]
    i, j = i + rows.start, j + columns.start
    inner = balls.inner[i if of_real else j]
    return _Members(i, j, bound + 2 * (filtered.fake.slack[j] + filtered.real.slack[i]) < inner)


def _tile(
    filtered: _Filter, rows: slice, columns: slice, memory: torch.Tensor | None = None
) -> tuple[_Members, _Members]:
    lower = lower_bounds(filtered.real, rows, filtered.fake, columns, memory)
    in_real = _members(lower, filtered, rows, columns, of_real=True)
    return in_real, _members(lower, filtered, rows, columns, of_real=False)


def _settle(
    members: _Members, real: torch.Tensor, fake: torch.Tensor, limits: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The pairs whose exact squared distance is below their entry of ``limits``."""
    i, j, sure = members
    unsure = torch.nonzero(~sure)[:, 0]
    inside = sure.clone()
    inside[unsure] = exact_squared(real, i[unsure], fake, j[unsure]) < limits[unsure]
    return i[inside], j[inside]


@one_torch_thread()
def precision_recall_density_coverage(real: Features, fake: Features, *, k: int = 5) -> ManifoldScores:
    """Precision, recall, density and coverage of ``fake`` (m, D) against ``real`` (n, D), n, m > k.

    Exact: membership is decided on float64 distances, by a float32 filter with an error bound. No n x m
    matrix is held.
    Raises ``ValueError`` for wrong shapes, NaN or infinity, and n or m <= k.

    Examples:
        With k = 1 each ball reaches to the neighbour, 1 away, and holds only its own centre. So a set that repeats
        the real one scores 1 throughout, and one far away 0.

        >>> import numpy as np
        >>> real = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> precision_recall_density_coverage(real, real, k=1)
        ManifoldScores(precision=1.0, recall=1.0, density=1.0, coverage=1.0)
        >>> precision_recall_density_coverage(real, real + 100.0, k=1)
        ManifoldScores(precision=0.0, recall=0.0, density=0.0, coverage=0.0)
    """
    check_count(k, "k")
    a, b = as_matrix_pair(real, fake, ("real", "fake"), minimum_rows=k + 1)
    radii = [nearest(rows, rows, k, exclude_self=True)[0][:, -1] for rows in (a, b)]
    quick = _filter(a, b, radii[0], radii[1], torch.float32)
    precise: _Filter | None = None
    precise_points = torch.zeros(len(b), dtype=torch.bool, device=b.device)
    recalled = torch.zeros(len(a), dtype=torch.bool, device=a.device)
    covered = torch.zeros(len(a), dtype=torch.bool, device=a.device)
    pairs = 0
    memory = torch.empty(min(TILE_ROWS, len(a)) * min(TILE_COLUMNS, len(b)), dtype=torch.float32, device=b.device)
    for rows, columns in tiles(len(a), len(b), TILE_ROWS, TILE_COLUMNS):
        in_real, in_fake = _tile(quick, rows, columns, memory)
        if int((~in_real.sure).sum() + (~in_fake.sure).sum()) > CROWD * (rows.stop - rows.start) * k:
            precise = precise or _filter(a, b, radii[0], radii[1], torch.float64)
            in_real, in_fake = _tile(precise, rows, columns)
        i, j = _settle(in_real, a, b, radii[0][in_real.i])
        pairs += len(i)
        covered[i] = True
        precise_points[j] = True
        i, _ = _settle(in_fake, a, b, radii[1][in_fake.j])
        recalled[i] = True
    return ManifoldScores(
        precision=float(precise_points.double().mean()),
        recall=float(recalled.double().mean()),
        density=pairs / (k * len(b)),
        coverage=float(covered.double().mean()),
    )
