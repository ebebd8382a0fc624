"""Vendi score: the effective number of different samples in a set."""

from __future__ import annotations

import math

import torch

from unipath_bench.metrics._arrays import Features, as_matrix, unit_rows
from unipath_bench.metrics._linalg import add_gram, eigenvalues, empty_gram, symmetric_from_upper


def vendi_score(features: Features, *, order: float = 1.0) -> float:
    """Vendi score of ``features`` (n, D) with the cosine kernel: 1 (all alike) to min(n, D).

    Friedman and Dieng 2023, arXiv 2210.02410: the exponential of the entropy of the eigenvalues of K / n, K
    the matrix of cosines; of Renyi's entropy of the given ``order`` (Pasarkar and Dieng 2024, arXiv
    2310.12952) where that is not 1, ``math.inf`` included. It grows with n until the set's diversity is
    exhausted: compare sets of one size. Raises ``ValueError`` for wrong shapes, NaN, infinity, zero vectors
    and a negative order.
    """
    if math.isnan(order) or order < 0:
        raise ValueError(f"order: {order} is below 0")
    unit = unit_rows(as_matrix(features, "features"), "features")
    # K = U U^T and U^T U have the same eigenvalues other than zero: the smaller one is taken.
    rows = unit if unit.shape[1] <= len(unit) else unit.T
    gram = empty_gram(rows.shape[1], rows.device)
    add_gram(gram, rows)
    values = eigenvalues(symmetric_from_upper(gram)) / len(unit)
    # Rounding leaves eigenvalues that are zero at about D 2^-53; they count for nothing.
    values = values[values > rows.shape[1] * 2.0**-52]
    values /= values.sum()
    if order == 1:
        return float(torch.exp(-(values * values.log()).sum()))
    if math.isinf(order):
        return float(1 / values.max())
    return float(values.pow(order).sum() ** (1 / (1 - order)))
