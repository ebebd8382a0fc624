"""Images a second of the reference model: 8 prompts x 5 seeds, 30 steps, beside the released code's way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks import sampling

PROMPTS, SEEDS, STEPS, THREADS = 8, 5, 30, 2
WAYS = {
    "unipath-bench": (sampling.ours, None),
    "unipath-bench, four per call": (sampling.ours, 4),
    "released way": (sampling.released, 1),
}
"""How to draw, and how many latents go into a call; None, as shipped: as many as the pipeline's card says."""


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", WAYS)
def test_sampling(benchmark: BenchmarkFixture, name: str, tiny: bool) -> None:
    """Wall seconds for all images, on two threads."""
    count, seeds, steps = (1, 1, 2) if tiny else (PROMPTS, SEEDS, STEPS)
    draw, micro_batch = WAYS[name]
    pipeline = sampling.build(micro_batch)
    prompts = sampling.prompts_of(count)
    benchmark.group = f"UniPath, {count} prompts x {seeds} seeds, {steps} steps (wall s, {THREADS} threads)"
    draw(pipeline, prompts[:1], 1, 1)
    images = benchmark.pedantic(draw, (pipeline, prompts, seeds, steps), rounds=2, iterations=1)
    benchmark.extra_info.update({"implementation": name, "peak_mb": None, "value": float(np.mean(images))})
    assert images.shape == (count * seeds, pipeline.native_size, pipeline.native_size, 3)
