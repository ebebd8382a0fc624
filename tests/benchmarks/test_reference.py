"""The reference kernel: arithmetic that no change of the project touches, beside which all others are timed.

Its mixture is that of the kernels: a product of matrices, a decomposition, and passes over memory.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from threadpoolctl import threadpool_limits

ROUNDS = 12


@pytest.mark.benchmark(timer=time.process_time)
def test_reference_kernel(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((2048, 512))

    def work() -> float:
        values = np.linalg.eigvalsh(rows.T @ rows)
        return float(values.sum() + np.sort(rows, axis=1)[:, -1].sum())

    with threadpool_limits(1):
        value = benchmark.pedantic(work, rounds=ROUNDS, warmup_rounds=1)
    # The eigenvalues of a Gram matrix sum to its trace.
    assert value == pytest.approx(float((rows**2).sum() + rows.max(axis=1).sum()))
