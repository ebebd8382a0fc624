"""Recall@k and CLIP-Score: brute force, closed forms, ties, traps of single precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from unipath_bench.metrics import retrieval
from unipath_bench.metrics.alignment import clip_score, cosine_per_pair
from unipath_bench.metrics.retrieval import recall_at_k

Array = np.ndarray


def brute_recall(scores: Array, query_keys: Array, gallery_keys: Array, k: int, rng: np.random.Generator) -> float:
    """Mean recall over sampled orders of the tied items."""
    values = []
    for row, key in zip(scores, query_keys, strict=True):
        hits = []
        for _ in range(1 if len(np.unique(row)) == len(row) else 400):
            order = np.lexsort([rng.random(len(row)), -row])[:k]
            hits.append((gallery_keys[order] == key).sum() / (gallery_keys == key).sum())
        values.append(np.mean(hits))
    return float(np.mean(values))


@pytest.mark.integration
@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 30),
    st.integers(2, 60),
    st.integers(2, 12),
    st.booleans(),
    st.integers(1, 20),
)
def test_equals_brute_force(seed: int, q: int, n: int, dimension: int, unique: bool, classes: int) -> None:
    rng = np.random.default_rng(seed)
    gallery = rng.standard_normal((n, dimension)).astype(np.float32)
    gallery_keys = rng.permutation(n) if unique else rng.integers(0, classes, n)
    query_keys = rng.choice(gallery_keys, q)
    queries = rng.standard_normal((q, dimension)).astype(np.float32)
    ks = sorted({1, min(5, n), n})
    result = recall_at_k(queries, gallery, query_keys, gallery_keys, ks)
    scores = cosine_similarity(queries.astype(np.float64), gallery.astype(np.float64))
    for k in ks:
        assert result[k] == pytest.approx(brute_recall(scores, query_keys, gallery_keys, k, rng), abs=1e-12)
    assert result[n] == pytest.approx(1)


def test_ties_count_at_their_expected_rank() -> None:
    # Query e1. Similarities: item 0: 1; items 1, 2, 3: equal; item 4: 0. Relevant: items 1 and 4 (key 7).
    gallery = np.array([[1.0, 0], [1, 1], [2, 2], [3, 3], [0, 1]])
    keys = np.array([0, 7, 1, 2, 7])
    result = recall_at_k(np.array([[1.0, 0]]), gallery, [7], keys, [1, 2, 3, 4, 5])
    # Item 1 is among the top k with probability (k - 1) / 3; item 4 at k = 5 only; two relevant items.
    assert result == pytest.approx({1: 0, 2: 1 / 6, 3: 2 / 6, 4: 3 / 6, 5: 1})


def test_a_constant_embedding_scores_chance_exactly() -> None:
    # Every item ties: recall is k / N, where an unstable sort would give anything from 0 to 1.
    features = np.ones((50, 8), np.float32)
    result = recall_at_k(features, features, np.arange(50), np.arange(50), [1, 10, 50])
    assert result == pytest.approx({1: 1 / 50, 10: 10 / 50, 50: 1})


def test_duplicates_tie_exactly_wherever_they_stand() -> None:
    # Each item stands three times, far apart: one of three is relevant, so Recall@1 is 1/3, Recall@2 is 2/3.
    rng = np.random.default_rng(19)
    base = rng.standard_normal((1001, 37)).astype(np.float32)
    gallery = np.vstack([base, base[::-1], base])
    result = recall_at_k(base[:200], gallery, np.arange(200), np.arange(len(gallery)), [1, 2, 3])
    assert result == pytest.approx({1: 1 / 3, 2: 2 / 3, 3: 1})


def test_differences_below_single_precision_are_seen() -> None:
    # Angles of 0.7 + i * 1e-9: float32 cosines are all alike, float64 ones are in order; the query is at 0.7.
    angles = 0.7 + np.arange(40) * 1e-9
    gallery = np.stack([np.cos(angles), np.sin(angles)], 1)
    query = np.array([[np.cos(0.2), np.sin(0.2)]])
    assert recall_at_k(query, gallery, [3], np.arange(40), [3, 4]) == {3: 0.0, 4: 1.0}


def test_negative_scores_count_too() -> None:
    # The relevant item has cosine -0.1, the others less: rank 1.
    gallery = np.array([[-0.1, 1], [-1, 0], [-1, 0.1]])
    gallery[0] /= np.linalg.norm(gallery[0])
    assert recall_at_k(np.array([[1.0, 0]]), gallery, [0], [0, 1, 2], [1]) == {1: 1.0}


def test_tiles_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(20)
    gallery = rng.standard_normal((500, 16)).astype(np.float32)
    queries = gallery[:100] + 2 * rng.standard_normal((100, 16)).astype(np.float32)
    keys = np.arange(500) % 130
    whole = recall_at_k(queries, gallery, keys[:100], keys, [1, 5, 50])
    monkeypatch.setattr(retrieval, "SCORE_BYTES", 4 * 500 * 7)
    assert recall_at_k(queries, gallery, keys[:100], keys, [1, 5, 50]) == whole
    assert recall_at_k(torch.from_numpy(queries), torch.from_numpy(gallery), keys[:100], keys, [1, 5, 50]) == whole


def test_scale_of_a_vector_does_not_matter() -> None:
    rng = np.random.default_rng(21)
    gallery, queries = rng.standard_normal((80, 6)), rng.standard_normal((20, 6))
    lengths = 10.0 ** rng.integers(-12, 12, (80, 1))
    keys = np.arange(80)
    assert recall_at_k(queries, gallery * lengths, keys[:20], keys, [1, 8]) == recall_at_k(
        queries, gallery, keys[:20], keys, [1, 8]
    )


def test_refusals_name_the_trouble() -> None:
    x = np.random.default_rng(22).standard_normal((10, 4))
    keys = np.arange(10)
    with pytest.raises(ValueError, match=r"without a relevant item in the gallery: 2 \(key 77\)"):
        recall_at_k(x[:3], x, [0, 1, 77], keys, [1])
    with pytest.raises(ValueError, match="11 is more than the 10 items"):
        recall_at_k(x, x, keys, keys, [1, 11])
    with pytest.raises(ValueError, match="no k"):
        recall_at_k(x, x, keys, keys, [])
    with pytest.raises(ValueError, match="query_keys: 3 entries, but 10"):
        recall_at_k(x, x, keys[:3], keys, [1])
    with pytest.raises(ValueError, match="integer"):
        recall_at_k(x, x, keys + 0.5, keys, [1])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="gallery: row 4 is zero"):
        recall_at_k(x, np.where(keys[:, None] == 4, 0.0, x), keys, keys, [1])


def test_clip_score_by_hand() -> None:
    # Cosines 1, -1 and 0.6.
    images = np.array([[2.0, 0], [0, 3], [3, 4]])
    texts = np.array([[5.0, 0], [0, -1], [1, 0]])
    np.testing.assert_allclose(cosine_per_pair(images, texts), [1, -1, 0.6], atol=1e-15)
    assert clip_score(images, texts) == pytest.approx(0.2)


def test_clip_score_equals_scikit_learn() -> None:
    rng = np.random.default_rng(23)
    images, texts = rng.standard_normal((5000, 9)).astype(np.float32), rng.standard_normal((5000, 9)).astype(np.float32)
    expected = [
        cosine_similarity(images[i : i + 1].astype(float), texts[i : i + 1].astype(float))[0, 0]
        for i in range(0, 5000, 500)
    ]
    np.testing.assert_allclose(cosine_per_pair(images, texts)[::500], expected, rtol=1e-12)
    with pytest.raises(ValueError, match="pairs are needed"):
        clip_score(images, texts[:4])
