"""Frechet distance between Gaussians fitted to two sets of features, and the streaming statistics behind it.

The squared 2-Wasserstein distance of N(m1, S1) and N(m2, S2) (Dowson and Landau 1982; as FID: Heusel et al.
2017, arXiv 1706.08500):

    F = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

With factors S1 = A^T A and S2 = B^T B the last trace is the nuclear norm of A B^T (the sum of its singular
values), so it needs no square root of a non-symmetric matrix, has no imaginary part and wants no epsilon on
the diagonal. Covariances have the divisor n - 1, as in the reference implementations. All arithmetic is
float64.
"""

from __future__ import annotations

import numpy as np
import torch

from unipath_bench.metrics._arrays import Features, as_matrix_pair
from unipath_bench.metrics._linalg import (
    cholesky_factor,
    congruence,
    eigenvalues,
    pivoted_factor,
    product,
    singular_values,
    triangular_factor,
)
from unipath_bench.metrics.moments import FeatureStatistics

__all__ = ["FeatureStatistics", "frechet_distance", "frechet_distance_from_statistics"]

# The fast path is kept where the worst case of its rounding is below this part of the distance, or of the
# total variance; what rounding really does is two to eight orders below the worst case
# (tests/metrics/test_frechet.py measures it).
RELATIVE_TO_DISTANCE = 1e-6
RELATIVE_TO_VARIANCE = 1e-9
NOISE_FACTOR = 100.0


def fast_root_trace(first: torch.Tensor, second: torch.Tensor) -> tuple[float, float] | None:
    """Compute tr (S1 S2)^(1/2) by one Cholesky factor and symmetric eigenvalues, and its worst rounding error.

    Takes upper triangles. With S1 = U^T U, each eigenvalue mu of U S2 U^T is known to about e = 2^-52 |S1|
    |S2|, hence its root to e / (2 sqrt(mu)). None where ``first`` is not numerically positive definite, or
    some mu is below 100 e: there the root is mostly rounding.
    """
    factor = cholesky_factor(first)
    if factor is None:
        return None
    values = eigenvalues(congruence(factor, second))
    error = 2.0**-52 * _norm(first) * _norm(second)
    if float(values[0]) <= NOISE_FACTOR * error:
        return None
    roots = values.sqrt_()
    return float(roots.sum()), float((0.5 * error / roots).sum())


def _norm(upper: torch.Tensor) -> float:
    """Frobenius norm of the symmetric matrix with this upper triangle."""
    squares = (
        torch.linalg.vector_norm(torch.triu(upper)).square() * 2 - torch.linalg.vector_norm(upper.diagonal()).square()
    )
    return float(squares.sqrt())


def assemble(difference: torch.Tensor, trace_first: float, trace_second: float, root_trace: float) -> float:
    """F from its parts; rounding alone may bring it below 0."""
    return float(difference.square().sum()) + (trace_first + trace_second - 2.0 * root_trace)


def fast_distance(first: torch.Tensor, second: torch.Tensor, difference: torch.Tensor) -> float | None:
    """F from the upper triangles of two covariances, or None where its rounding error may matter."""
    traces = float(first.trace()), float(second.trace())
    result = fast_root_trace(first, second)
    if result is None:
        return None
    root_trace, bound = result
    value = assemble(difference, *traces, root_trace)
    if 2 * bound > max(RELATIVE_TO_DISTANCE * value, RELATIVE_TO_VARIANCE * sum(traces)):
        return None
    return value


def distance_of_moments(first: torch.Tensor, second: torch.Tensor, difference: torch.Tensor) -> float:
    """Return F from two covariances (D, D) of any rank and a difference of means (D,).

    Rounding may bring it below 0.

    Examples:
        In one dimension F is (m1 - m2)^2 + (s1 - s2)^2: here 3^2 + (1 - 2)^2.

        >>> import torch
        >>> first, second = torch.eye(1, dtype=torch.float64), 4 * torch.eye(1, dtype=torch.float64)
        >>> round(distance_of_moments(first, second, torch.full((1,), 3.0, dtype=torch.float64)), 9)
        10.0
    """
    value = fast_distance(first, second, difference)
    if value is not None:
        return value
    return _from_factors(pivoted_factor(first), pivoted_factor(second), difference)


def _from_factors(first: torch.Tensor, second: torch.Tensor, difference: torch.Tensor) -> float:
    """F from factors A (r1, D) and B (r2, D) with S1 = A^T A, S2 = B^T B: exact for any rank."""
    root_trace = float(singular_values(product(first, second.T)).sum())
    return assemble(difference, float(first.square().sum()), float(second.square().sum()), root_trace)


def frechet_distance_from_statistics(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """Frechet distance of two sets known by their statistics.

    Singular covariances (n <= D, constant or repeated columns) are taken through pivoted Cholesky factors,
    which drop directions of variance below D * 2^-53 of the largest. Where n < D and the features are at
    hand, :func:`frechet_distance` is faster and keeps every digit.

    Examples:
        In one dimension F is (m1 - m2)^2 + (s1 - s2)^2: here 3^2 + (1 - 2)^2.

        >>> import numpy as np
        >>> a = FeatureStatistics.from_moments(100, np.array([0.0]), np.array([[1.0]]))
        >>> b = FeatureStatistics.from_moments(100, np.array([3.0]), np.array([[4.0]]))
        >>> round(frechet_distance_from_statistics(a, b), 9)
        10.0
    """
    if a.dimension != b.dimension:
        raise ValueError(f"statistics of {a.dimension} and of {b.dimension} dimensions cannot be compared")
    return max(0.0, distance_of_moments(a.upper_covariance(), b.upper_covariance(), a.mean_difference(b)))


def _centred(features: torch.Tensor, shift: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(mean (D,) of the rows minus ``shift``, rows minus their mean divided by sqrt(n - 1)), float64."""
    rows = features.double() - shift
    mean = rows.mean(0)
    rows -= mean
    rows /= float(np.sqrt(len(rows) - 1))
    return mean, rows


def frechet_distance(x: Features, y: Features) -> float:
    """Frechet distance of two sets of features, (n, D) and (m, D), with n, m >= 2.

    It is exact also where n or m is below D. float32 inputs are summed in float64. Raises ``ValueError`` for wrong
    shapes, NaN or infinity, and fewer than 2 rows.

    Examples:
        In one dimension F is (m1 - m2)^2 + (s1 - s2)^2. Of 0 and 2 the mean is 1 and the variance 2, of 3 and 7
        they are 5 and 8: 4^2 + (sqrt 8 - sqrt 2)^2 = 16 + 2.

        >>> import numpy as np
        >>> round(frechet_distance(np.array([[0.0], [2.0]]), np.array([[3.0], [7.0]])), 9)
        18.0
    """
    a, b = as_matrix_pair(x, y, minimum_rows=2)
    dimension = a.shape[1]
    if min(len(a), len(b)) > dimension:
        first, second = FeatureStatistics.from_features(a), FeatureStatistics.from_features(b)
        value = fast_distance(first.upper_covariance(), second.upper_covariance(), first.mean_difference(second))
        if value is not None:
            return max(0.0, value)
    shift = a[0].double()
    means, factors = [], []
    for features in (a, b):
        mean, factor = _centred(features, shift)
        means.append(mean)
        factors.append(triangular_factor(factor) if len(factor) > dimension else factor)
    return max(0.0, _from_factors(factors[0], factors[1], means[0] - means[1]))
