"""Recall@k of cross-modal or within-modal retrieval by cosine similarity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from unipath_bench.metrics._arrays import (
    Features,
    Float64Array,
    Keys,
    as_codes,
    as_matrix_pair,
    check_count,
    row_blocks,
    unit_rows,
)
from unipath_bench.metrics._linalg import product, squared_lengths

Codes: TypeAlias = npt.NDArray[np.int64]
SCORE_BYTES, SCORE_ROWS = 1 << 27, 512
EXACT_ELEMENTS = 1 << 20
NORMALISE_ROWS = 256
NAMED = 5
# Lengths at which neither the squares nor the rows leave the range of float32.
SAFE_LENGTHS = (1e-15, 1e15)


def recall_at_k(
    queries: Features, gallery: Features, query_keys: Keys, gallery_keys: Keys, ks: Iterable[int]
) -> dict[int, float]:
    """Mean over the queries of (expected number of relevant items among the top k) / (number of relevant items).

    ``queries`` (q, D), ``gallery`` (N, D), floating; a gallery item is relevant to a query where their
    integer keys are equal. Items are ranked by cosine similarity in float64. Items of equal similarity stand
    in random order: of a block of t tied items that begins after g better ones, each is among the top k with
    probability min(1, max(0, (k - g) / t)). With one relevant item per query this is Recall@k of instance
    retrieval. Values lie in 0 to 1; a random ranking scores k / N exactly.

    Float32 products with a bound on their error settle most queries; the others are ranked by float64
    products of the items that may be among the top max(ks). The answer does not depend on blocking, threads
    or device.
    Raises ``ValueError`` for wrong shapes, NaN, infinity, zero vectors, k outside 1 to N, and queries without
    a relevant item.

    Examples:
        The query ranks the items 0, 1, 2 by their angles. As an item of key 0 it is answered first, as one of key 1
        second.

        >>> import numpy as np
        >>> gallery = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> queries = np.array([[1.0, 0.0], [1.0, 0.0]])
        >>> recall_at_k(queries, gallery, [0, 1], [0, 1, 2], ks=(1, 2))
        {1: 0.5, 2: 1.0}

        Of three items alike, one is as likely as another to come first.

        >>> round(recall_at_k(queries[:1], np.ones((3, 2)), [0], [0, 1, 2], ks=[1])[1], 4)
        0.3333
    """
    recalls = recall_per_query(queries, gallery, query_keys, gallery_keys, ks)
    return {k: float(values.mean()) for k, values in recalls.items()}


def recall_per_query(
    queries: Features, gallery: Features, query_keys: Keys, gallery_keys: Keys, ks: Iterable[int]
) -> dict[int, Float64Array]:
    """The recall of each query, (q,) float64 for each k, of which :func:`recall_at_k` is the mean.

    Examples:
        Both queries rank the items 0, 1, 2 by their angles: the first is answered at rank 1, the second at rank 2.

        >>> import numpy as np
        >>> gallery = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> queries = np.array([[1.0, 0.0], [1.0, 0.0]])
        >>> found = recall_per_query(queries, gallery, [0, 1], [0, 1, 2], ks=(1, 2))
        >>> found[1].tolist(), found[2].tolist()
        ([1.0, 0.0], [1.0, 1.0])
    """
    a, b = as_matrix_pair(queries, gallery, ("queries", "gallery"))
    levels = sorted({check_count(k, "k") for k in ks})
    if not levels:
        raise ValueError("ks: no k was asked for")
    if levels[-1] > len(b):
        raise ValueError(f"ks: {levels[-1]} is more than the {len(b)} items of the gallery")
    relevant = _relevant_items(
        as_codes(query_keys, "query_keys", len(a)), as_codes(gallery_keys, "gallery_keys", len(b))
    )
    unit_queries, (items, inverse_lengths) = _unit_float32(a, "queries"), _directions(b)
    # Products of unit vectors: D roundings in the sum, and a few in bringing each vector to unit length in
    # float32.
    slack = (a.shape[1] + 8) * 2.0**-24 * 1.01
    recalls = np.zeros((len(levels), len(a)))
    thresholds = np.array(levels)
    rows = max(1, min(len(a), SCORE_ROWS, SCORE_BYTES // (4 * len(b))))
    memory = torch.empty(rows, len(b), dtype=torch.float32, device=a.device)
    count = _counter(inverse_lengths)
    for start, block in row_blocks(unit_queries, rows):
        products = product(block, items.T, out=memory[: len(block)])
        for query in range(start, start + len(block)):
            mine = relevant[query]
            better, alone, scores = count(products, query - start, mine, levels[-1], 2 * slack)
            if better >= levels[-1]:
                continue
            if alone and len(mine) == 1:
                recalls[:, query] = better < thresholds
                continue
            found = _candidates(scores, levels[-1], slack)
            hits = np.isin(found.cpu().numpy(), mine)
            recalls[:, query] = expected_hits(_exact_cosines(a[query], b, found), hits, levels) / len(mine)
    return dict(zip(levels, recalls, strict=True))


def _relevant_items(query_keys: Codes, gallery_keys: Codes) -> list[Codes]:
    """Rows of the gallery with each query's key."""
    order = np.argsort(gallery_keys, kind="stable")
    ordered = gallery_keys[order]
    first, last = np.searchsorted(ordered, query_keys, "left"), np.searchsorted(ordered, query_keys, "right")
    lost = np.flatnonzero(first == last)
    if len(lost):
        named = ", ".join(f"{row} (key {query_keys[row]})" for row in lost[:NAMED])
        more = "" if len(lost) <= NAMED else f" and {len(lost) - NAMED} more"
        raise ValueError(f"queries without a relevant item in the gallery: {named}{more}")
    return [order[low:high] for low, high in zip(first, last, strict=True)]


def _directions(gallery: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return float32 rows along those of the gallery, and the inverses of their lengths.

    Rows that are float32 already are not copied.
    """
    if gallery.dtype == torch.float32:
        lengths = squared_lengths(gallery).sqrt_()
        if _safe(lengths):
            return gallery, (1 / lengths).float()
    unit = _unit_float32(gallery, "gallery")
    return unit, torch.ones(len(unit), dtype=torch.float32, device=unit.device)


def _safe(lengths: torch.Tensor) -> bool:
    return bool(((lengths > SAFE_LENGTHS[0]) & (lengths < SAFE_LENGTHS[1])).all())


def _unit_float32(rows: torch.Tensor, name: str) -> torch.Tensor:
    result = torch.empty(rows.shape, dtype=torch.float32, device=rows.device)
    for start, block in row_blocks(rows, NORMALISE_ROWS):
        part = result[start : start + len(block)]
        lengths = squared_lengths(block).sqrt_()
        if _safe(lengths):
            part.copy_(block).mul_((1 / lengths).float()[:, None])
        else:
            part.copy_(unit_rows(block, name))
    return result


Counter: TypeAlias = Callable[[torch.Tensor, int, Codes, int, float], tuple[int, bool, torch.Tensor]]


def _counter(inverse_lengths: torch.Tensor) -> Counter:
    """Function of (products (rows, N), row, relevant items, limit, margin) for the query of one row.

    It gives how many items are better than the best relevant one beyond doubt; whether no other item is near
    its score (False where ``limit`` are better anyway); and the scores. The item's own score comes from the
    same product as its rivals', so it never counts against itself by rounding.
    """
    if inverse_lengths.device.type != "cpu":

        def on_device(
            products: torch.Tensor, row: int, relevant: Codes, limit: int, margin: float
        ) -> tuple[int, bool, torch.Tensor]:
            scores = products[row] * inverse_lengths
            own = scores[torch.from_numpy(relevant).to(scores.device)].max()
            better = int((scores > own + margin).sum())
            alone = better < limit and int((scores >= own - margin).sum()) == better + 1
            return better, alone, scores

        return on_device

    # numpy counts several times faster than torch, and its calls cost less where the gallery is small.
    factors = inverse_lengths.numpy()
    scores, mask = np.empty_like(factors), np.empty(len(factors), np.bool_)
    result = torch.from_numpy(scores)

    def on_cpu(
        products: torch.Tensor, row: int, relevant: Codes, limit: int, margin: float
    ) -> tuple[int, bool, torch.Tensor]:
        np.multiply(products.numpy()[row], factors, out=scores)
        # float32, which keeps numpy from comparing in float64.
        own = scores[relevant[0]] if len(relevant) == 1 else scores[relevant].max()
        better = int(np.count_nonzero(np.greater(scores, own + margin, out=mask)))
        alone = better < limit and np.count_nonzero(np.greater_equal(scores, own - margin, out=mask)) == better + 1
        return better, alone, result

    return on_cpu


def _candidates(scores: torch.Tensor, limit: int, slack: float) -> torch.Tensor:
    """Items that may be among the top ``limit`` of one query, blocks of ties included, ascending."""
    kth = torch.topk(scores, limit).values[-1]
    mask = scores >= kth - 2 * slack
    if mask.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return torch.nonzero(mask)[:, 0]


def _exact_cosines(query: torch.Tensor, gallery: torch.Tensor, found: torch.Tensor) -> Float64Array:
    """Cosines in float64, each computed alike wherever the item stands: identical items tie exactly."""
    unit = unit_rows(query[None], "queries")
    cosines = torch.empty(len(found), dtype=torch.float64, device=found.device)
    step = max(1, EXACT_ELEMENTS // gallery.shape[1])
    for start in range(0, len(found), step):
        cosines[start : start + step] = unit_rows(gallery[found[start : start + step]], "gallery").mul_(unit).sum(1)
    result: Float64Array = cosines.cpu().numpy()
    return result


def expected_hits(scores: Float64Array, is_relevant: npt.NDArray[np.bool_], ks: Iterable[int]) -> Float64Array:
    """Expected number of relevant items among the top k, for each k, ties standing in random order.

    ``scores`` (t,) must hold every item that can be among the top max(ks), whole blocks of ties included.

    Examples:
        One item is better; the relevant one shares the second and third place with another.

        >>> import numpy as np
        >>> expected_hits(np.array([0.9, 0.5, 0.5]), np.array([False, True, False]), ks=(1, 2, 3)).tolist()
        [0.0, 0.5, 1.0]
    """
    values, block = np.unique(-scores, return_inverse=True)
    sizes = np.bincount(block, minlength=len(values))
    hits = np.bincount(block, weights=is_relevant, minlength=len(values))
    better = np.cumsum(sizes) - sizes
    return np.array([float((hits * np.clip((k - better) / sizes, 0, 1)).sum()) for k in ks])
