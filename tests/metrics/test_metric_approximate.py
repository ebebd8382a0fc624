"""Nearest neighbours by an index: exact where all cells are looked into, else with the recall that is stated."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from unipath_bench.metrics.approximate import approximate_neighbours
from unipath_bench.metrics.memorisation import nearest_neighbours

pytest.importorskip("faiss")

Array = np.ndarray


def sets(rows: int = 4000, queries: int = 300, dimension: int = 24) -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    spread = np.arange(1, dimension + 1) ** -0.5
    asked, bank = ((rng.standard_normal((n, dimension)) * spread + 5).astype(np.float32) for n in (queries, rows))
    return asked, bank


def test_with_every_cell_it_is_the_exact_search() -> None:
    query, bank = sets()
    found = approximate_neighbours(query, bank, 5, lists=16, probes=16)
    distances, indices = nearest_neighbours(query, bank, 5)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.distances, distances)
    assert (found.recall, found.sampled) == (1.0, 300)


def test_the_recall_is_the_share_of_true_neighbours_that_were_found() -> None:
    query, bank = sets()
    found = approximate_neighbours(query, bank, 10, lists=60, probes=3)
    every = cdist(query.astype(np.float64), bank.astype(np.float64))
    true = np.argsort(every, axis=1)[:, :10]
    hits = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.indices, true, strict=True)])
    assert found.recall == pytest.approx(hits, abs=1e-12)
    assert 0.3 < found.recall < 1.0
    assert (found.distances >= np.sort(every, axis=1)[:, :10] - 1e-12).all()
    np.testing.assert_allclose(found.distances, np.take_along_axis(every, found.indices, 1), rtol=1e-12)
    assert (np.diff(found.distances, axis=1) >= 0).all()
    few = approximate_neighbours(query, bank, 10, lists=60, probes=3, sample=100)
    np.testing.assert_array_equal(few.indices, found.indices)
    assert few.sampled == 100
    assert abs(few.recall - found.recall) < 0.1


@pytest.mark.integration
def test_more_cells_find_more() -> None:
    query, bank = sets()
    recalls = [approximate_neighbours(query, bank, lists=60, probes=probes).recall for probes in (1, 8, 60)]
    assert recalls[0] < recalls[1] <= recalls[2] == 1.0


@pytest.mark.integration
def test_copies_are_at_distance_zero_and_count_however_many_there_are() -> None:
    _, bank = sets()
    bank[100:140] = bank[0]
    found = approximate_neighbours(bank[:50], bank, 3, probes=1)
    assert (found.distances[:, 0] == 0.0).all()
    assert (found.distances[0] == 0.0).all()
    assert approximate_neighbours(bank[:1], bank, 3, probes=1).recall == 1.0


def test_a_query_in_an_empty_corner_is_searched_exactly() -> None:
    query, bank = sets(rows=70, queries=9)
    found = approximate_neighbours(query, bank, 40, lists=10, probes=1)
    np.testing.assert_array_equal(found.indices, nearest_neighbours(query, bank, 40)[1])


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    query, bank = sets(rows=70, queries=9)
    for changes, problem in (
        ({"k": 71}, "too few for 71"),
        ({"lists": 71}, "more than the 70 rows"),
        ({"probes": 0}, "probes: 0"),
        ({"sample": 0}, "sample: 0"),
    ):
        with pytest.raises(ValueError, match=problem):
            approximate_neighbours(query, bank, **changes)
    with pytest.raises(ValueError, match="too large for float32"):
        approximate_neighbours(query.astype(np.float64), bank.astype(np.float64) * 1e30)
    with pytest.raises(ValueError, match="row 2 holds NaN"):
        approximate_neighbours(query, np.where(np.arange(70)[:, None] == 2, np.nan, bank))
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"unipath-bench\[faiss\]"):
        approximate_neighbours(query, bank)
