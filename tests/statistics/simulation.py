"""Populations whose Frechet distance, kernel distance or mean is known, and samples of them.

None of these laws or spectra chose a constant of the estimators: skewed (gamma), peaked (Laplace) and
elliptical (log-normal radius) coordinates, spectra that decay exponentially, second covariances that do not
commute with the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
ELLIPTICAL_SPREAD = 0.4


def standard_draws(rng: np.random.Generator, law: str, shape: tuple[int, int]) -> Array:
    """Rows of mean 0 and identity covariance, float64."""
    if law == "normal":
        return rng.standard_normal(shape)
    if law == "gamma":  # shape 2: mean 2, variance 2, skewness 1.4
        return (rng.standard_gamma(2.0, shape) - 2) / np.sqrt(2)
    if law == "laplace":  # variance 2, excess kurtosis 3
        return rng.laplace(size=shape) / np.sqrt(2)
    if law == "elliptical":  # one random radius a row; E exp(2 s z - 2 s^2) = 1
        radius = np.exp(ELLIPTICAL_SPREAD * rng.standard_normal((shape[0], 1)) - ELLIPTICAL_SPREAD**2)
        return rng.standard_normal(shape) * radius
    raise ValueError(law)


@dataclass(frozen=True)
class Population:
    """x = mean + H (deviations * z), with H the reflection along the unit vector ``axis``."""

    mean: Array
    deviations: Array
    axis: Array

    def place(self, z: Array) -> Array:
        y = z * self.deviations
        return y - 2 * np.outer(y @ self.axis, self.axis) + self.mean

    def covariance(self) -> Array:
        reflection = np.eye(len(self.mean)) - 2 * np.outer(self.axis, self.axis)
        return reflection @ np.diag(self.deviations**2) @ reflection


def frechet(a: Population, b: Population) -> float:
    """Closed form from population moments, by symmetric square roots."""
    s1, s2 = a.covariance(), b.covariance()
    values, vectors = np.linalg.eigh(s1)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    middle = np.linalg.eigvalsh(root @ s2 @ root)
    return float(((a.mean - b.mean) ** 2).sum() + np.trace(s1 + s2) - 2 * np.sqrt(np.clip(middle, 0, None)).sum())


def population_pair(dimension: int, level: str) -> tuple[Population, Population]:
    """Real and generated populations at no, a small or a moderate distance; spectrum exp(-3 i / D)."""
    rng = np.random.default_rng(dimension)
    deviations = np.exp(-1.5 * np.arange(dimension) / dimension)
    zero = np.zeros(dimension)
    real = Population(zero, deviations, np.eye(dimension)[0])
    if level == "none":
        return real, real
    strength = {"small": 0.5, "moderate": 1.0}[level]
    axis = rng.standard_normal(dimension)
    axis /= np.linalg.norm(axis)
    change = np.exp(0.35 * strength * rng.standard_normal(dimension))
    shift = strength * rng.standard_normal(dimension) * np.sqrt(0.02)
    return real, Population(shift, deviations * change, axis)


@dataclass(frozen=True)
class Design:
    """``n`` real and ``m`` generated samples; ``units`` of equal size on each side (None: every sample one),
    correlated by ``within`` inside a unit; ``matched`` correlates row i of one set with row i of the other by
    ``matched``.
    """

    n: int
    m: int
    units: int | None = None
    within: float = 0.3
    matched: float | None = None

    def codes(self) -> tuple[Array | None, Array | None]:
        if self.units is None:
            return None, None
        return np.arange(self.n) % self.units, np.arange(self.m) % self.units

    def third_moments(self, law: str) -> tuple[float, float]:
        """Third moments of a coordinate of :meth:`latents`: cubes of the weights add up over independent
        parts.
        """
        one = {"normal": 0.0, "gamma": 2 / np.sqrt(2), "laplace": 0.0}[law]
        if self.units is not None:
            one *= self.within**1.5 + (1 - self.within) ** 1.5
        if self.matched is None:
            return one, one
        return one, one * (self.matched**3 + (1 - self.matched**2) ** 1.5)

    def latents(self, rng: np.random.Generator, law: str, dimension: int, sets: int = 2) -> list[Array]:
        """Standard rows of the real set and of ``sets`` - 1 generated ones, with the design's correlations."""

        def side(size: int) -> Array:
            own = standard_draws(rng, law, (size, dimension))
            if self.units is None:
                return own
            shared = standard_draws(rng, law, (self.units, dimension))[np.arange(size) % self.units]
            return np.sqrt(self.within) * shared + np.sqrt(1 - self.within) * own

        rows = [side(self.n)] + [side(self.m) for _ in range(sets - 1)]
        if self.matched is not None:
            rows[1:] = [self.matched * rows[0] + np.sqrt(1 - self.matched**2) * other for other in rows[1:]]
        return rows


def polynomial_mmd(a: Population, b: Population, thirds: tuple[float, float]) -> float:
    """MMD^2 of the kernel (x.y / D + 1)^3 for x = mean + A z, coordinates of z independent with the given
    third moments.

    The kernel's features are 1, x, x x and x x x with weights 1, 3 / D, 3 / D^2 and 1 / D^3: its MMD^2 is the
    weighted sum of squared differences of the raw moment tensors.
    """
    tensors = []
    for population, third in zip((a, b), thirds, strict=True):
        mean, covariance = population.mean, population.covariance()
        mixing = (np.eye(len(mean)) - 2 * np.outer(population.axis, population.axis)) * population.deviations
        outer = np.einsum("i,jk->ijk", mean, covariance)
        cubic = third * np.einsum("il,jl,kl->ijk", mixing, mixing, mixing) + np.einsum("i,j,k->ijk", mean, mean, mean)
        cubic = cubic + outer + outer.transpose(1, 0, 2) + outer.transpose(1, 2, 0)
        tensors.append((mean, covariance + np.outer(mean, mean), cubic))
    d = len(a.mean)
    squares = [((p - q) ** 2).sum() for p, q in zip(*tensors, strict=True)]
    return float(3 / d * squares[0] + 3 / d**2 * squares[1] + squares[2] / d**3)


def gaussian_mmd(a: Population, b: Population, sigma: float) -> float:
    """MMD^2 of exp(-|x - y|^2 / (2 sigma^2)) for normal populations: x - y is normal, and the kernel a
    Gaussian integral.
    """

    def expected(p: Population, q: Population) -> float:
        spread = np.eye(len(p.mean)) + (p.covariance() + q.covariance()) / sigma**2
        step = (p.mean - q.mean) / sigma
        return float(np.exp(-0.5 * step @ np.linalg.solve(spread, step)) / np.sqrt(np.linalg.det(spread)))

    return expected(a, a) + expected(b, b) - 2 * expected(a, b)
