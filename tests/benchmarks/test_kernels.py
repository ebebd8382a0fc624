"""Each kernel beside its peers: one thread, CPU seconds (other work on the machine does not count), peak
memory, the value.

``python tests/benchmarks/table.py`` runs this and prints the ratios.
"""

from __future__ import annotations

import time
from functools import cache
from typing import NamedTuple

import faiss
import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from threadpoolctl import threadpool_limits

from tests.benchmarks import peers
from tests.benchmarks.measure import peak_megabytes


class Row(NamedTuple):
    """One comparison: real (n, D), generated or queries (m, D); slow peers have one round."""

    kernel: str
    n: int
    m: int
    dimension: int
    implementations: dict[str, peers.Implementation]

    def short(self, implementation: str) -> str:
        """Without spaces and commas, for pytest -k."""
        kernel = self.kernel.replace(", ", "-").replace(" ", "-").replace("<", "below")
        return f"{kernel}-{self.n}x{self.dimension}-{implementation.replace(' ', '-').replace(',', '')}"

    def name(self) -> str:
        size = f"{self.n:,}" if self.n == self.m else f"{self.m:,} on {self.n:,}"
        return f"{self.kernel}, {size} x {self.dimension:,}"


ROWS = [
    Row("Frechet", 500, 500, 64, peers.FRECHET),
    Row("Frechet", 2_000, 2_000, 512, peers.FRECHET),
    Row("Frechet", 5_000, 5_000, 1_536, peers.FRECHET),
    Row("Frechet", 10_000, 10_000, 2_048, peers.FRECHET),
    Row("Frechet, n < D", 1_000, 1_000, 2_560, peers.FRECHET),
    Row("mean and covariance", 10_000, 10_000, 2_048, peers.ACCUMULATION),
    Row("KID", 2_000, 2_000, 512, peers.KID),
    Row("KID", 5_000, 5_000, 1_536, peers.KID),
    Row("Gaussian MMD", 5_000, 5_000, 768, peers.CMMD),
    Row("PRDC", 2_000, 2_000, 512, peers.PRDC),
    Row("PRDC", 10_000, 10_000, 512, peers.PRDC),
    Row("Recall@50", 10_000, 1_000, 512, peers.RECALL),
    Row("Recall@50", 100_000, 1_000, 512, peers.RECALL),
    Row("nearest neighbour", 20_000, 2_000, 512, peers.NEAREST),
]
CASES = [(row, name) for row in ROWS for name in row.implementations]
QUICK_SECONDS = 1.0
QUICK_ROUNDS = 4
TINY = 256
"""The most rows of a set with ``--tiny``."""


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@cache
def features(n: int, m: int, dimension: int, retrieval: bool) -> tuple[np.ndarray, np.ndarray]:
    """float32 sets with the spectrum i^-1; for retrieval, queries are noisy copies of the first items."""
    rng = np.random.default_rng(n + dimension)
    deviations = np.arange(1, dimension + 1) ** -0.5
    real = (rng.standard_normal((n, dimension)) * deviations).astype(np.float32)
    if retrieval:
        return real, real[:m] + 3 * (rng.standard_normal((m, dimension)) * deviations).astype(np.float32)
    return real, (1.1 * rng.standard_normal((m, dimension)) * deviations + 0.01).astype(np.float32)


@pytest.mark.parametrize(("row", "name"), CASES, ids=[row.short(name) for row, name in CASES])
@pytest.mark.benchmark(timer=time.process_time)
def test_kernel(benchmark: BenchmarkFixture, row: Row, name: str, tiny: bool) -> None:
    if tiny:
        row = row._replace(n=min(row.n, TINY), m=min(row.m, TINY), dimension=min(row.dimension, TINY // 4))
    real, other = features(row.n, row.m, row.dimension, row.kernel.startswith("Recall"))
    implementation = row.implementations[name]
    benchmark.group = row.name()
    # The first call warms up, and tells how often the next can be repeated.
    start = time.process_time()
    benchmark.extra_info["peak_mb"] = peak_megabytes(lambda: implementation(real, other))
    rounds = QUICK_ROUNDS if time.process_time() - start < QUICK_SECONDS else 2
    value = benchmark.pedantic(implementation, (real, other), rounds=rounds, iterations=1)
    benchmark.extra_info.update(
        {"implementation": name, "n": row.n, "m": row.m, "dimension": row.dimension, "value": float(value)}
    )
    assert np.isfinite(value)
