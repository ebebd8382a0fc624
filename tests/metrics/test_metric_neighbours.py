"""Nearest neighbours, precision, recall, density, coverage, authenticity: brute force, peers, duplicates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc  # type: ignore[import-untyped]
from scipy.spatial.distance import cdist

from unipath_bench.metrics import _neighbours, manifold
from unipath_bench.metrics.manifold import precision_recall_density_coverage
from unipath_bench.metrics.memorisation import authenticity, nearest_neighbours

Array = np.ndarray


def brute_squares(x: Array, y: Array) -> Array:
    """Squared distances by direct differences: equal pairs give equal numbers."""
    return ((x[:, None].astype(np.float64) - y[None].astype(np.float64)) ** 2).sum(-1)


def brute_prdc(real: Array, fake: Array, k: int) -> tuple[float, float, float, float]:
    rr, ff, rf = brute_squares(real, real), brute_squares(fake, fake), brute_squares(real, fake)
    np.fill_diagonal(rr, np.inf)
    np.fill_diagonal(ff, np.inf)
    real_radii, fake_radii = np.sort(rr, 1)[:, k - 1], np.sort(ff, 1)[:, k - 1]
    inside = rf < real_radii[:, None]
    return (
        inside.any(0).mean(),
        (rf < fake_radii[None]).any(1).mean(),
        inside.sum() / (k * len(fake)),
        inside.any(1).mean(),
    )


@st.composite
def sets(draw: st.DrawFn) -> tuple[Array, Array]:
    """Two sets with duplicates, copies across sets, lattices full of ties, large means, far tight clusters."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, m, dimension = draw(st.integers(8, 60)), draw(st.integers(8, 60)), draw(st.integers(1, 20))
    kind = draw(st.sampled_from(["plain", "lattice", "clusters", "offset", "tiny"]))
    x, y = rng.standard_normal((n, dimension)), rng.standard_normal((m, dimension)) * 1.2
    if kind == "lattice":
        x, y = np.round(x), np.round(y)
    if kind == "clusters":
        x, y = x * 1e-6 + rng.integers(0, 2, (n, 1)), y * 1e-6 + rng.integers(0, 2, (m, 1))
    if kind == "offset":
        x, y = x + 1e4, y + 1e4
    if kind == "tiny":
        x, y = x * 1e-12, y * 1e-12
    if draw(st.booleans()):
        x[: n // 2] = x[0]
    if draw(st.booleans()):
        y[: min(n, m) // 2] = x[: min(n, m) // 2]
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return x.astype(dtype), y.astype(dtype)


@pytest.mark.integration
@settings(max_examples=150, deadline=None)
@given(sets(), st.integers(1, 5))
def test_neighbours_equal_brute_force(pair: tuple[Array, Array], k: int) -> None:
    bank, queries = pair
    squares = brute_squares(queries, bank)
    expected = np.argsort(squares, 1, kind="stable")[:, :k]
    distances, rows = nearest_neighbours(queries, bank, k)
    np.testing.assert_allclose(distances, np.sqrt(np.take_along_axis(squares, expected, 1)), rtol=1e-13)
    np.testing.assert_allclose(
        np.take_along_axis(squares, rows, 1), np.take_along_axis(squares, expected, 1), rtol=1e-13
    )
    assert (np.diff(distances, axis=1) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(sets())
def test_self_is_left_out_by_row_not_by_distance(pair: tuple[Array, Array]) -> None:
    x, _ = pair
    squares = brute_squares(x, x)
    np.fill_diagonal(squares, np.inf)
    distances, rows = nearest_neighbours(x, x, 1, exclude_self=True)
    np.testing.assert_allclose(distances[:, 0], np.sqrt(squares.min(1)), rtol=1e-13)
    assert (rows[:, 0] != np.arange(len(x))).all()


@pytest.mark.integration
@settings(max_examples=100, deadline=None)
@given(sets(), st.integers(1, 5), st.sampled_from([1, 3, 64]), st.sampled_from(["as drawn", "nearest last"]))
def test_tiles_do_not_matter(pair: tuple[Array, Array], k: int, many: int, order: str) -> None:
    # Tiles of a few rows, so that lists are filled, joined and, in a set itself, taken from both sides of a
    # tile; with the nearest rows last, every tile holds more new neighbours than are taken one by one.
    bank, queries = pair
    if order == "nearest last":
        bank = bank[np.argsort(-brute_squares(queries[:1], bank)[0])]
    expected = np.sort(brute_squares(queries, bank), 1)[:, :k]
    among = brute_squares(bank, bank)
    np.fill_diagonal(among, np.inf)
    scores = brute_prdc(bank, queries, k)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("TILE_ROWS", 7), ("TILE_COLUMNS", 13), ("SHIFT_ROWS", 5), ("MANY", many)):
            patch.setattr(_neighbours, name, value)
        patch.setattr(manifold, "TILE_ROWS", 6)
        patch.setattr(manifold, "TILE_COLUMNS", 11)
        distances, _ = nearest_neighbours(queries, bank, k)
        inside, _ = nearest_neighbours(bank, bank, k, exclude_self=True)
        result = precision_recall_density_coverage(bank, queries, k=k)
    np.testing.assert_allclose(distances, np.sqrt(expected), rtol=1e-13)
    np.testing.assert_allclose(inside, np.sqrt(np.sort(among, 1)[:, :k]), rtol=1e-13)
    assert tuple(result) == pytest.approx(scores, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-35, 1e-22, 1e22, 1e37])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scales_near_the_ends_of_single_precision(scale: float, dtype: type) -> None:
    rng = np.random.default_rng(19)
    bank: np.ndarray
    queries: np.ndarray
    bank, queries = ((rng.standard_normal((n, 9)) * scale).astype(dtype) for n in (300, 40))
    bank[:, 0] = scale  # a constant column far from 0
    squares = brute_squares(queries, bank)
    distances, rows = nearest_neighbours(queries, bank, 2)
    np.testing.assert_allclose(distances, np.sqrt(np.sort(squares, 1)[:, :2]), rtol=1e-13)
    assert np.array_equal(rows, np.argsort(squares, 1)[:, :2])


def test_identical_vectors_are_at_zero_and_the_first_row_wins() -> None:
    rng = np.random.default_rng(14)
    bank = (rng.standard_normal((3000, 64)) + 1000).astype(np.float32)
    bank[2000:] = bank[:1000]
    distances, rows = nearest_neighbours(bank[2000:], bank, 2)
    assert (distances == 0).all()
    assert np.array_equal(rows, np.stack([np.arange(1000), np.arange(2000, 3000)], 1))


def test_crowds_that_single_precision_cannot_tell_apart() -> None:
    # Two clusters 1 apart with a spread of 1e-7: every filter value of a cluster is the same; float64 must
    # decide.
    rng = np.random.default_rng(15)
    bank = rng.standard_normal((2400, 3)) * 1e-7 + (np.arange(2400) % 2)[:, None]
    distances, rows = nearest_neighbours(bank[:50] + 1e-9, bank, 3)
    expected = cdist(bank[:50] + 1e-9, bank)
    np.testing.assert_allclose(distances, np.sort(expected, 1)[:, :3], rtol=1e-12)
    assert np.array_equal(rows[:, 0], np.arange(50))


@pytest.mark.integration
@settings(max_examples=100, deadline=None)
@given(sets(), st.integers(1, 5))
def test_prdc_equals_brute_force(pair: tuple[Array, Array], k: int) -> None:
    real, fake = pair
    result = precision_recall_density_coverage(real, fake, k=k)
    assert tuple(result) == pytest.approx(brute_prdc(real, fake, k), abs=1e-12)


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.4])
def test_prdc_agrees_with_its_reference_code(scale: float) -> None:
    rng = np.random.default_rng(16)
    real, fake = rng.standard_normal((700, 12)), scale * rng.standard_normal((600, 12))
    peer = compute_prdc(real, fake, nearest_k=5)
    result = precision_recall_density_coverage(real, fake, k=5)._asdict()
    assert result == pytest.approx(peer, abs=1e-10)


@pytest.mark.integration
def test_prdc_of_a_collapsed_generator() -> None:
    # All generated points at one real point's place: every one is inside that point's ball, and ties at
    # radius 0 are outside.
    real = np.random.default_rng(17).standard_normal((1200, 4))
    fake = np.repeat(real[:1], 900, 0)
    result = precision_recall_density_coverage(real, fake, k=3)
    assert result.precision == 1
    assert result.recall == 0  # the generated balls have radius 0: nothing is strictly inside
    assert result == pytest.approx(brute_prdc(real, fake, 3))


def test_prdc_by_hand() -> None:
    # k = 1. Real 0, 1, 3: radii 1, 1, 2. Generated 0.5, 10: radii 9.5, 9.5. 0.5 is inside the balls of 0 and
    # 1 (distance 2.5 to 3).
    result = precision_recall_density_coverage(np.array([[0.0], [1], [3]]), np.array([[0.5], [10]]), k=1)
    assert tuple(result) == pytest.approx((0.5, 1.0, 2 / 2, 2 / 3))


def test_authenticity_by_hand() -> None:
    # Training 0, 1, 4: nearest others at 1, 1, 3. 0.2 (0.2 from 0, below 1) is not authentic; 2.4 (1.4 from
    # 1, above 1) is; 6 (2 from 4, below 3) is not.
    training = np.array([[0.0], [1], [4]])
    assert authenticity(np.array([[0.2], [2.4], [6.0]]), training) == pytest.approx(1 / 3)
    assert authenticity(training, training) == 0


def test_refusals_name_the_trouble() -> None:
    x = np.random.default_rng(18).standard_normal((5, 3))
    with pytest.raises(ValueError, match="fake: 5 rows, but at least 6"):
        precision_recall_density_coverage(np.vstack([x, x]), x, k=5)
    with pytest.raises(ValueError, match="too few for 5 neighbours"):
        nearest_neighbours(x, x, 5, exclude_self=True)
    with pytest.raises(ValueError, match="query has 3 rows, bank has 5"):
        nearest_neighbours(x[:3], x, 1, exclude_self=True)
    with pytest.raises(ValueError, match="k: 0 is below 1"):
        nearest_neighbours(x, x, 0)
