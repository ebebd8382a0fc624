"""Nearest neighbours by an inverted index of faiss, for banks that are too large for the exact search.

The recall that the index had on this very data is returned with them. No task uses it: scores stay exact.
``pip install "unipath-bench[faiss]"``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from unipath_bench.metrics._arrays import Features, Float64Array, as_matrix_pair, check_count
from unipath_bench.metrics._neighbours import exact_squared, nearest

TRAINING_ROWS_A_LIST, TRAINING_ROUNDS = 64, 10
QUERY_ROWS = 4096


class ApproximateNeighbours(NamedTuple):
    """What an index found, and how good it was."""

    distances: Float64Array
    """(n, k) Euclidean, ascending, exact to the rounding of float64 for the rows that were found."""
    indices: npt.NDArray[np.int64]
    """(n, k) rows of the bank."""
    recall: float
    """Share of the true k nearest that were found, 0 to 1, over ``sampled`` queries searched exactly, too."""
    sampled: int


def approximate_neighbours(
    query: Features,
    bank: Features,
    k: int = 1,
    *,
    lists: int | None = None,
    probes: int = 32,
    sample: int = 1000,
    seed: int = 0,
) -> ApproximateNeighbours:
    """Return the k nearest rows of ``bank`` (N, D) to each of ``query`` (n, D) as far as an index finds them.

    Both are floating and on the CPU. The bank is divided into ``lists`` cells (default: 4 sqrt(N), at most N / 64) by
    k-means on 64 rows per cell, and each query looks into the ``probes`` nearest ones. Queries whose cells hold fewer
    than k rows are searched exactly. ``sample`` queries, drawn by ``seed``, measure the recall; a true neighbour counts
    as found where one at the same distance was. A distance that is found is never below the true one, so an index makes
    copies look farther and never nearer. The centres may differ in the last digits with the number of threads.
    Raises ``ValueError`` for wrong shapes, NaN or infinity, rows that overflow float32 and a bank of fewer than k
    rows, and ``ImportError`` where faiss is not installed.
    """
    for value, name in ((k, "k"), (probes, "probes"), (sample, "sample")):
        check_count(value, name)
    a, b = as_matrix_pair(query, bank, ("query", "bank"))
    if a.device.type != "cpu":
        raise ValueError(f"query lies on {a.device}: the index works on the CPU; nearest_neighbours on either")
    if len(b) < k:
        raise ValueError(f"bank: {len(b)} rows are too few for {k} neighbours")
    cells = _default_lists(len(b)) if lists is None else check_count(lists, "lists")
    if cells > len(b):
        raise ValueError(f"lists: {cells} are more than the {len(b)} rows of the bank")
    indices = _search(a, b, k, cells, min(probes, cells), seed)
    lacking = torch.nonzero((indices < 0).any(1))[:, 0]
    if len(lacking):
        indices[lacking] = nearest(a[lacking], b, k)[1]
    rows = torch.arange(len(a)).repeat_interleave(k)
    squared = exact_squared(a, rows, b, indices.flatten()).view(len(a), k)
    squared, order = torch.sort(squared, dim=1, stable=True)
    drawn = torch.from_numpy(np.random.default_rng(seed).permutation(len(a))[:sample])
    farthest = nearest(a[drawn], b, k)[0][:, -1:]
    recall = float((squared[drawn] <= farthest).double().mean())
    return ApproximateNeighbours(squared.sqrt().numpy(), indices.gather(1, order).numpy(), recall, len(drawn))


def _default_lists(rows: int) -> int:
    return max(1, min(round(4 * math.sqrt(rows)), rows // TRAINING_ROWS_A_LIST))


def _search(a: torch.Tensor, b: torch.Tensor, k: int, lists: int, probes: int, seed: int) -> torch.Tensor:
    """Rows of ``b`` (n, k) int64; -1 where the cells that were looked into hold too few."""
    try:
        import faiss
    except ImportError as error:
        raise ImportError('faiss is not installed. Run: pip install "unipath-bench[faiss]"') from error
    centre = b.double().mean(0)
    bank = _single(b, centre, "bank")
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(bank.shape[1]), bank.shape[1], lists, faiss.METRIC_L2)
    index.cp.seed, index.cp.niter = seed, TRAINING_ROUNDS
    chosen = np.random.default_rng(seed).permutation(len(bank))[: lists * TRAINING_ROWS_A_LIST]
    # Fewer rows a cell than faiss likes are said by it on standard output; what they cost is in the recall.
    index.cp.min_points_per_centroid = 1
    index.train(bank[np.sort(chosen)])
    index.add(bank)
    index.nprobe = probes
    found = np.empty((len(a), k), np.int64)
    for start in range(0, len(a), QUERY_ROWS):
        part = slice(start, start + QUERY_ROWS)
        found[part] = index.search(_single(a[part], centre, "query"), k)[1]
    return torch.from_numpy(found)


def _single(rows: torch.Tensor, centre: torch.Tensor, name: str) -> npt.NDArray[np.float32]:
    """float32 rows about the bank's mean, so that a mean beside which the spread is small costs no digits."""
    result: npt.NDArray[np.float32] = np.empty(tuple(rows.shape), np.float32)
    for start in range(0, len(rows), QUERY_ROWS):
        part = slice(start, start + QUERY_ROWS)
        result[part] = (rows[part].double() - centre).float().numpy()
    if not np.isfinite(result).all() or np.abs(result).max(initial=0.0) > 1e15:
        raise ValueError(f"{name}: its numbers are too large for float32; nearest_neighbours takes them")
    return result
