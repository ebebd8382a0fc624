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
def test_reference_kernel(benchmark: BenchmarkFixture, tiny: bool) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((2048, 512))

    def work() -> float:
        values = np.linalg.eigvalsh(rows.T @ rows)
        return float(values.sum() + np.sort(rows, axis=1)[:, -1].sum())

    benchmark.group = "reference kernel, the unit of `gate --speed`"
    with threadpool_limits(1):
        value = benchmark.pedantic(work, rounds=2 if tiny else ROUNDS, warmup_rounds=1)
    benchmark.extra_info.update({"implementation": "unipath-bench", "peak_mb": None, "value": value})
    # The eigenvalues of a Gram matrix sum to its trace.
    assert value == pytest.approx(float((rows**2).sum() + rows.max(axis=1).sum()))
