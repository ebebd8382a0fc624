"""Likelihood of held-out data under a mixture of Gaussians around the generated samples."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from unipath_bench.metrics._arrays import Features, as_matrix_pair, check_count
from unipath_bench.metrics._linalg import product

SMALLEST_VARIANCE = 1e-6
TOLERANCE = 1e-7


class FeatureLikelihood(NamedTuple):
    """Log-likelihoods of two real sets under the generated samples.

    ``held_out`` and ``training``: minus 100 / D times the mean log-likelihood of each set: lower is
    better. ``gap``: held-out minus training, above 0 where the generated samples lie nearer to the training
    set than to held-out data. ``iterations`` of the fit.
    """

    held_out: float
    training: float
    gap: float
    iterations: int


def feature_likelihood(
    training: Features, held_out: Features, generated: Features, *, iterations: int = 200
) -> FeatureLikelihood:
    """Likelihood of held-out features under isotropic Gaussians around the generated ones, after FLD.

    Jiralerspong et al. 2023, arXiv 2302.04440: each generated sample (m, D) is the centre of a Gaussian of
    weight 1 / m, whose variance is fitted to the training set (n, D), and the held-out set (t, D) is scored.
    A sample that copies a training sample gets a narrow Gaussian, which is of no use to held-out data: so
    copying, like poor fidelity and lost modes, lowers the likelihood. Features are brought to mean 0 and
    variance 1 of the training set; columns constant there are left unscaled. This is not the authors' number:
    the variances come from expectation maximisation run to convergence, not below 1e-6, and no offset is
    subtracted. Holds an n x m float64 matrix. Raises ``ValueError`` for wrong shapes, NaN or infinity.

    Examples:
        Held-out data that is the training set has no gap to it; copies of the training set fit other data worse.

        >>> import numpy as np
        >>> training, generated = np.array([[-1.0], [1.0]]), np.array([[-2.0], [0.0], [2.0]])
        >>> feature_likelihood(training, training, generated).gap
        0.0
        >>> feature_likelihood(training, np.array([[0.0], [3.0]]), generated=training).gap > 0
        True
    """
    check_count(iterations, "iterations")
    a, g = as_matrix_pair(training, generated, ("training", "generated"), minimum_rows=2)
    t, _ = as_matrix_pair(held_out, generated, ("held_out", "generated"))
    mean, deviation = a.double().mean(0), a.double().std(0)
    deviation = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
    x, y, centres = ((rows.double() - mean) / deviation for rows in (a, t, g))
    squares = _squared_distances(x, centres)
    dimension = x.shape[1]
    variances = (squares.amin(0) / dimension).clamp_(min=SMALLEST_VARIANCE)
    last = -math.inf
    done = 0
    while done < iterations:
        done += 1
        terms = _log_terms(squares, variances, dimension)
        rows = terms.logsumexp(1, keepdim=True)
        value = float(rows.mean())
        if value - last <= TOLERANCE * abs(value):
            break
        last = value
        shares = terms.sub_(rows).exp_()
        weights = shares.sum(0)
        fitted = (shares * squares).sum(0) / (dimension * weights)
        # A component that no training sample belongs to has nothing to be fitted to.
        variances = torch.where(weights > 0, fitted, variances).clamp_(min=SMALLEST_VARIANCE)
    scale = -100.0 / dimension
    on_training = scale * float(_log_terms(squares, variances, dimension).logsumexp(1).mean())
    on_held_out = scale * float(_log_terms(_squared_distances(y, centres), variances, dimension).logsumexp(1).mean())
    return FeatureLikelihood(on_held_out, on_training, on_held_out - on_training, done)


def _squared_distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    squares = product(a, b.T).mul_(-2)
    squares += a.square().sum(1)[:, None]
    squares += b.square().sum(1)[None, :]
    return squares.clamp_(min=0)


def _log_terms(squares: torch.Tensor, variances: torch.Tensor, dimension: int) -> torch.Tensor:
    """Logarithm of each component's weighted density at each row: (rows, components)."""
    constant = -0.5 * dimension * (2 * math.pi * variances).log() - math.log(len(variances))
    return constant - squares / (2 * variances)
