"""Balanced half-samples: against the closed form for means, and the error rate of the test that is built on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipath_bench.audit.halves import balanced_halves, pairs_of_blocks, standard_error
from unipath_bench.metrics.estimate import two_sided_p
from unipath_bench.metrics.frechet import frechet_distance


@given(units=st.lists(st.integers(0, 40), min_size=8, max_size=120))
@settings(max_examples=60, deadline=None)
def test_every_cut_is_a_partition_with_patients_whole(units: list[int]) -> None:
    names = [f"patient {u}" for u in units]
    cuts = balanced_halves(names)
    assert len(cuts) == pairs_of_blocks(len(set(names)))
    for first, second in cuts:
        assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(names)))
        assert not {names[i] for i in first} & {names[i] for i in second}


def test_fewer_than_eight_patients_give_no_halves() -> None:
    assert balanced_halves([f"p{i % 7}" for i in range(70)]) == []
    assert len(balanced_halves([f"p{i % 8}" for i in range(70)])) == 4
    assert len(balanced_halves([f"p{i % 16}" for i in range(70)])) == 8


def test_the_error_of_a_mean_is_that_of_the_paired_blocks() -> None:
    """With 16 patients of one image each, the blocks are the patients.

    A half holds one of each pair h, so the halves differ by sum_h s_h d_h / 8 with d_h the difference within the pair
    and s_h = +-1; over the 8 orthogonal rows of signs the cross terms vanish, and the mean square is sum_h d_h^2 / 64.
    """
    names = [f"p{i}" for i in range(16)]
    cuts = balanced_halves(names)
    values = np.random.default_rng(0).normal(size=16)
    found = standard_error(*zip(*[(values[a].mean(), values[b].mean()) for a, b in cuts], strict=True))
    # Pairs: patients that are on different sides in every cut.
    sides = np.array([[i in set(a.tolist()) for i in range(16)] for a, _ in cuts])
    pairs = [(i, j) for i in range(16) for j in range(i) if (sides[:, i] != sides[:, j]).all()]
    assert len(pairs) == 8
    assert found == pytest.approx(np.sqrt(sum((values[i] - values[j]) ** 2 for i, j in pairs) / 64 / 4))


def _rejections(differences: np.ndarray, halves: np.ndarray, cuts: int) -> float:
    """Share of p < 0.05; ``halves`` (trials, cuts, 2)."""
    p = [
        two_sided_p(float(d), standard_error(h[:, 0].tolist(), h[:, 1].tolist()), cuts)
        for d, h in zip(differences, halves, strict=True)
    ]
    return float(np.mean(np.asarray(p) < 0.05))


def test_the_error_rate_for_a_mean_over_unequal_patients() -> None:
    rng = np.random.default_rng(1)
    names = np.repeat(np.arange(40), rng.integers(1, 6, 40))
    cuts = balanced_halves([f"p{i}" for i in names])
    trials = 2000
    # Images of one patient share half of their variance.
    values = rng.normal(size=(trials, 40))[:, names] + rng.normal(size=(trials, len(names)))
    halves = np.stack([np.stack([values[:, a].mean(1), values[:, b].mean(1)], 1) for a, b in cuts], 1)
    # Nominal 5%; 2,000 trials have a standard error of 0.5 points.
    assert 0.02 < _rejections(values.mean(1), halves, len(cuts)) < 0.08


@pytest.mark.integration
def test_the_error_rate_for_a_difference_of_frechet_distances() -> None:
    """Two sets that are exchangeable redraws of one truth: a biased distance, and the test still keeps its level."""
    rng = np.random.default_rng(2)
    trials, n, d = 150, 96, 4
    cuts = balanced_halves([f"p{i // 2}" for i in range(n)])
    differences, halves = [], []
    for _ in range(trials):
        real, one, other = rng.normal(size=(3, n, d))

        def gap(rows: np.ndarray, a: np.ndarray = one, b: np.ndarray = other, r: np.ndarray = real) -> float:
            return frechet_distance(r[rows], a[rows]) - frechet_distance(r[rows], b[rows])

        differences.append(gap(np.arange(n)))
        halves.append([(gap(a), gap(b)) for a, b in cuts])
    # Nominal 5%; 150 trials have a standard error of 1.8 points. Halves of a distance near zero vary more than half the
    # set would say, so the test is rather too careful than too bold.
    assert _rejections(np.asarray(differences), np.asarray(halves), len(cuts)) < 0.10
