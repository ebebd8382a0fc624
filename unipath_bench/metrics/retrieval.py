"""Recall@k of cross-modal or within-modal retrieval by cosine similarity."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch

from unipath_bench.metrics._arrays import Features, Keys, as_codes, as_matrix_pair, check_count, row_blocks, unit_rows
from unipath_bench.metrics._linalg import product

SCORE_BYTES = 1 << 27
EXACT_ELEMENTS = 1 << 20
NORMALISE_ROWS = 4096
NAMED = 5


def recall_at_k(
    queries: Features, gallery: Features, query_keys: Keys, gallery_keys: Keys, ks: Iterable[int]
) -> dict[int, float]:
    """Mean over the queries of (expected number of relevant items among the top k) / (number of relevant items).

    ``queries`` (q, D), ``gallery`` (N, D), floating; a gallery item is relevant to a query where their integer keys are equal. Items are
    ranked by cosine similarity in float64. Items of equal similarity stand in random order: of a block of t tied items that begins
    after g better ones, each is among the top k with probability min(1, max(0, (k - g) / t)). With one relevant item a query
    this is Recall@k of instance retrieval. Values lie in 0 to 1; a random ranking scores k / N exactly.

    Float32 products narrow each query down to the items that may be among the top max(ks), by a bound on their error; these are
    ranked by float64 products, so the answer does not depend on blocking, threads or device.
    Raises ``ValueError`` for wrong shapes, NaN, infinity, zero vectors, k outside 1 to N, and queries without a relevant item.
    """
    a, b = as_matrix_pair(queries, gallery, ("queries", "gallery"))
    keys = as_codes(query_keys, "query_keys", len(a))
    items = as_codes(gallery_keys, "gallery_keys", len(b))
    levels = sorted({check_count(k, "k") for k in ks})
    if not levels:
        raise ValueError("ks: no k was asked for")
    if levels[-1] > len(b):
        raise ValueError(f"ks: {levels[-1]} is more than the {len(b)} items of the gallery")
    order = np.argsort(items, kind="stable")
    first = np.searchsorted(items[order], keys, "left")
    last = np.searchsorted(items[order], keys, "right")
    if (first == last).any():
        lost = np.flatnonzero(first == last)
        named = ", ".join(f"{row} (key {keys[row]})" for row in lost[:NAMED])
        more = "" if len(lost) <= NAMED else f" and {len(lost) - NAMED} more"
        raise ValueError(f"queries without a relevant item in the gallery: {named}{more}")

    unit_queries = _unit_float32(a, "queries")
    unit_gallery = _unit_float32(b, "gallery")
    # Products of unit vectors: D roundings in the sum, and the rounding of each vector to float32.
    slack = (a.shape[1] + 4) * 2.0**-24 * 1.01
    totals = np.zeros(len(levels))
    rows = max(1, min(len(a), SCORE_BYTES // (4 * len(b))))
    for start, block in row_blocks(unit_queries, rows):
        scores = product(block, unit_gallery.T)
        relevant = [order[low:high] for low, high in zip(first[start : start + rows], last[start : start + rows], strict=True)]
        hopeful = _hopeful(scores, relevant, levels[-1], slack)
        if not len(hopeful):
            continue
        kth = torch.topk(scores[hopeful], levels[-1], dim=1).values[:, -1]
        for row, limit in zip(hopeful.tolist(), (kth - 2 * slack).tolist(), strict=True):
            found = torch.nonzero(scores[row] >= limit)[:, 0]
            exact = _exact_cosines(a[start + row], b, found)
            is_relevant = np.isin(found.cpu().numpy(), relevant[row])
            totals += expected_hits(exact, is_relevant, levels) / len(relevant[row])
    return {k: float(total / len(a)) for k, total in zip(levels, totals, strict=True)}


def _unit_float32(rows: torch.Tensor, name: str) -> torch.Tensor:
    result = torch.empty(rows.shape, dtype=torch.float32, device=rows.device)
    for start, block in row_blocks(rows, NORMALISE_ROWS):
        result[start : start + len(block)] = unit_rows(block, name)
    return result


def _hopeful(scores: torch.Tensor, relevant: list[npt.NDArray[np.int64]], limit: int, slack: float) -> torch.Tensor:
    """Rows whose best relevant item may be among the top ``limit``: fewer items than that are better beyond doubt.

    The item's own score comes from the same product as its rivals', so it never counts against itself by rounding.
    """
    sizes = torch.tensor([len(items) for items in relevant])
    row = torch.repeat_interleave(torch.arange(len(relevant)), sizes).to(scores.device)
    column = torch.from_numpy(np.concatenate(relevant)).to(scores.device)
    best = torch.full((len(relevant),), -torch.inf, dtype=scores.dtype, device=scores.device)
    best.scatter_reduce_(0, row, scores[row, column], "amax")
    better = (scores > (best + 2 * slack)[:, None]).sum(1)
    return torch.nonzero(better < limit)[:, 0]


def _exact_cosines(query: torch.Tensor, gallery: torch.Tensor, found: torch.Tensor) -> npt.NDArray[np.float64]:
    """Cosines in float64, each computed alike wherever the item stands: identical items tie exactly."""
    unit = unit_rows(query[None], "queries")
    cosines = torch.empty(len(found), dtype=torch.float64, device=found.device)
    step = max(1, EXACT_ELEMENTS // gallery.shape[1])
    for start in range(0, len(found), step):
        cosines[start : start + step] = unit_rows(gallery[found[start : start + step]], "gallery").mul_(unit).sum(1)
    result: npt.NDArray[np.float64] = cosines.cpu().numpy()
    return result


def expected_hits(
    scores: npt.NDArray[np.float64], is_relevant: npt.NDArray[np.bool_], ks: Iterable[int]
) -> npt.NDArray[np.float64]:
    """Expected number of relevant items among the top k, for each k, ties standing in random order.

    ``scores`` (t,) must hold every item that can be among the top max(ks), whole blocks of ties included.
    """
    values, block = np.unique(-scores, return_inverse=True)
    sizes = np.bincount(block, minlength=len(values))
    hits = np.bincount(block, weights=is_relevant, minlength=len(values))
    better = np.cumsum(sizes) - sizes
    return np.array([float((hits * np.clip((k - better) / sizes, 0, 1)).sum()) for k in ks])
