"""The torchmetrics classes: equal to the functions however the data are spread, merged, gathered or saved."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.multiprocessing.spawn import spawn
from torchmetrics import Metric
from torchmetrics.functional.classification import multiclass_calibration_error

from unipath_bench.metrics.alignment import clip_score
from unipath_bench.metrics.classification import expected_calibration_error
from unipath_bench.metrics.frechet import frechet_distance
from unipath_bench.metrics.kernel import cmmd, kernel_distance
from unipath_bench.metrics.manifold import precision_recall_density_coverage
from unipath_bench.metrics.retrieval import recall_at_k
from unipath_bench.metrics.torchmetrics import (
    CMMD,
    ClipScore,
    FrechetDistance,
    KernelDistance,
    PrecisionRecallDensityCoverage,
    RetrievalRecall,
)

GENERATOR = torch.Generator().manual_seed(43)
REAL = torch.randn(90, 6, generator=GENERATOR) + 1
GENERATED = 1.3 * torch.randn(80, 6, generator=GENERATOR)
EXPECTED: dict[type[Metric], object] = {
    FrechetDistance: frechet_distance(REAL, GENERATED),
    KernelDistance: kernel_distance(REAL, GENERATED, subset_size=40, subsets=5).mean,
    CMMD: cmmd(REAL, GENERATED),
    PrecisionRecallDensityCoverage: precision_recall_density_coverage(REAL, GENERATED)._asdict(),
}


def make(kind: type[Metric], **options: object) -> Metric:
    needed: dict[type[Metric], dict[str, object]] = {
        FrechetDistance: {"dimension": 6},
        KernelDistance: {"subset_size": 40, "subsets": 5},
    }
    return kind(**needed.get(kind, {}), **options)


def value_of(metric: Metric) -> object:
    result = metric.compute()
    return {k: float(v) for k, v in result.items()} if isinstance(result, dict) else float(result)


@pytest.mark.parametrize("kind", EXPECTED)
def test_batches_merge_and_reset(kind: type[Metric]) -> None:
    whole, left, right = make(kind), make(kind), make(kind, reset_real=False)
    for batch in REAL.split(17):
        whole.update(batch, real=True)
    for batch in GENERATED.split(23):
        whole.update(batch, real=False)
    assert value_of(whole) == pytest.approx(EXPECTED[kind], rel=1e-12)
    left.update(REAL[:50], real=True)
    left.update(GENERATED[:30], real=False)
    right.update(REAL[50:], real=True)
    right.update(GENERATED[30:], real=False)
    if kind is not KernelDistance:  # whose subsets depend on the order of the rows
        left.merge_state(right)
        assert value_of(left) == pytest.approx(EXPECTED[kind], rel=1e-9)
    right.reset()
    right.update(REAL[:50], real=True)
    right.update(GENERATED, real=False)
    if kind is not KernelDistance:
        assert value_of(right) == pytest.approx(EXPECTED[kind], rel=1e-9)
    whole.reset()
    with pytest.raises(ValueError, match=r"no features|0 rows"), pytest.warns(UserWarning, match="before the"):
        whole.compute()


def test_state_survives_saving() -> None:
    metric = make(FrechetDistance)
    metric.persistent(True)
    metric.update(REAL, real=True)
    other = make(FrechetDistance)
    other.persistent(True)
    other.load_state_dict(metric.state_dict())
    other.update(GENERATED, real=False)
    assert value_of(other) == pytest.approx(EXPECTED[FrechetDistance], rel=1e-12)


def worker(rank: int, size: int, folder: str) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    store = f"file://{folder}/rendezvous"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=size)
    try:
        for kind in (FrechetDistance, CMMD, PrecisionRecallDensityCoverage):
            metric = make(kind)
            metric.update(REAL[rank::size], real=True)
            metric.update(GENERATED[rank::size], real=False)
            assert value_of(metric) == pytest.approx(EXPECTED[kind], rel=1e-9)
        clip = ClipScore()
        clip.update(REAL[:80][rank::size], GENERATED[rank::size])
        assert float(clip.compute()) == pytest.approx(clip_score(REAL[:80], GENERATED), rel=1e-12)
        Path(folder, f"done{rank}").touch()
    finally:
        torch.distributed.destroy_process_group()


def test_gathered_states_agree_with_one_process() -> None:
    # What two ranks would gather, handed to rank 0's reduction: the states of both, in the order of the
    # ranks.
    for kind in (FrechetDistance, CMMD, PrecisionRecallDensityCoverage):
        ranks = []
        for rank in range(2):
            metric = make(kind, distributed_available_fn=lambda: True)
            metric.update(REAL[rank::2], real=True)
            metric.update(GENERATED[rank::2], real=False)
            ranks.append(metric)
        states = {name: [_whole(getattr(metric, name)) for metric in ranks] for name in ranks[0].metric_state}

        def gather(
            tensor: torch.Tensor, group: object = None, states: dict[str, list[torch.Tensor]] = states
        ) -> list[torch.Tensor]:
            (match,) = [
                pair for pair in states.values() if pair[0].shape == tensor.shape and torch.equal(pair[0], tensor)
            ]
            return match

        ranks[0].dist_sync_fn = gather
        assert value_of(ranks[0]) == pytest.approx(EXPECTED[kind], rel=1e-9)


def _whole(state: torch.Tensor | list[torch.Tensor]) -> torch.Tensor:
    return state if isinstance(state, torch.Tensor) else torch.cat(state)


@pytest.mark.slow
def test_two_processes_agree_with_one(tmp_path: Path) -> None:
    spawn(worker, (2, str(tmp_path)), nprocs=2)
    assert {path.name for path in tmp_path.glob("done*")} == {"done0", "done1"}


def test_clip_score_and_recall() -> None:
    clip, recall = ClipScore(), RetrievalRecall(ks=(1, 5))
    keys = torch.arange(80)
    for part in (slice(0, 30), slice(30, 80)):
        clip.update(REAL[part], GENERATED[part])
        recall.update(REAL[part], GENERATED[part], keys[part], keys[part])
    assert float(clip.compute()) == pytest.approx(clip_score(REAL[:80], GENERATED), rel=1e-12)
    expected = recall_at_k(REAL[:80], GENERATED, np.arange(80), np.arange(80), [1, 5])
    assert value_of(recall) == pytest.approx({"recall@1": expected[1], "recall@5": expected[5]})
    with pytest.raises(ValueError, match="one key"):
        recall.update(REAL, GENERATED, keys, keys)


def test_wrong_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="7 dimensions, but 6"):
        make(FrechetDistance).update(torch.randn(3, 7), real=True)


def test_calibration_error_equals_torchmetrics() -> None:
    rng = np.random.default_rng(24)
    prob = rng.dirichlet(np.ones(4), 600)
    truth = np.array([rng.choice(4, p=row) for row in prob])
    peer: Callable[..., torch.Tensor] = multiclass_calibration_error
    expected = peer(torch.from_numpy(prob), torch.from_numpy(truth), 4, n_bins=15, norm="l1")
    assert expected_calibration_error(prob, truth, bins=15) == pytest.approx(float(expected), abs=1e-7)
