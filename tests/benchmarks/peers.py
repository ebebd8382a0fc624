"""The same quantity by this project and by the libraries that researchers use today, each called as its users
call it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import faiss
import numpy as np
import scipy.linalg
import torch
from cleanfid.fid import frechet_distance as clean_frechet  # type: ignore[import-untyped]
from prdc import compute_prdc  # type: ignore[import-untyped]
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import NearestNeighbors
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from unipath_bench.metrics.frechet import FeatureStatistics, frechet_distance
from unipath_bench.metrics.kernel import cmmd, kernel_distance
from unipath_bench.metrics.manifold import precision_recall_density_coverage
from unipath_bench.metrics.memorisation import nearest_neighbours
from unipath_bench.metrics.retrieval import recall_at_k

Array = np.ndarray
Implementation = Callable[[Array, Array], float]
Implementations = dict[str, Implementation]
BATCH = 1000
SUBSETS = 100
SUBSET_SIZE = 1000
NEIGHBOURS = 5
DEPTH = 50


class _Features(torch.nn.Module):
    """Features handed to torchmetrics as if they were images."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def _torchmetrics_fid(x: Array, y: Array) -> FrechetInceptionDistance:
    metric = FrechetInceptionDistance(feature=_Features(x.shape[1]))
    for features, real in ((x, True), (y, False)):
        for batch in torch.from_numpy(features).split(BATCH):
            metric.update(batch, real=real)
    return metric


def torchmetrics_frechet(x: Array, y: Array) -> float:
    return float(_torchmetrics_fid(x, y).compute())


def fidelity_frechet(x: Array, y: Array) -> float:
    statistics = [fid_features_to_statistics(torch.from_numpy(z)) for z in (x, y)]
    return fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]


def _moments(x: Array) -> tuple[Array, Array]:
    return x.mean(0), np.cov(x, rowvar=False)


def clean_fid_frechet(x: Array, y: Array) -> float:
    return float(clean_frechet(*_moments(x), *_moments(y)))


def sqrtm_frechet(x: Array, y: Array) -> float:
    """The formula of pytorch-fid."""
    (m1, s1), (m2, s2) = _moments(x), _moments(y)
    root = scipy.linalg.sqrtm(s1 @ s2)
    return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * np.trace(root).real)


def our_accumulation(x: Array, y: Array) -> float:
    total = 0.0
    for features in (x, y):
        statistics = FeatureStatistics()
        for batch in torch.from_numpy(features).split(BATCH):
            statistics.update(batch)
        total += float(statistics.mean_tensor().sum() + statistics.upper_covariance().trace())
    return total


def torchmetrics_accumulation(x: Array, y: Array) -> float:
    metric = _torchmetrics_fid(x, y)
    total = 0.0
    for side, n in (("real", len(x)), ("fake", len(y))):
        mean = getattr(metric, f"{side}_features_sum") / n
        scatter = getattr(metric, f"{side}_features_cov_sum").diagonal().sum() - n * mean.square().sum()
        total += float(mean.sum() + scatter / (n - 1))
    return total


def our_kid(x: Array, y: Array) -> float:
    return kernel_distance(x, y, subset_size=SUBSET_SIZE, subsets=SUBSETS, seed=1).mean


def fidelity_kid(x: Array, y: Array) -> float:
    result = kid_features_to_metric(
        torch.from_numpy(x),
        torch.from_numpy(y),
        kid_subsets=SUBSETS,
        kid_subset_size=SUBSET_SIZE,
        rng_seed=1,
        verbose=False,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1.0,
    )
    return result["kernel_inception_distance_mean"]


def fidelity_kid_float64(x: Array, y: Array) -> float:
    """The same in the precision that our value has: as its users call it, it works in that of the features."""
    return fidelity_kid(x.astype(np.float64), y.astype(np.float64))


def torchmetrics_kid(x: Array, y: Array) -> float:
    """As its compute does: random subsets, one after the other (other subsets, so another value)."""
    torch.manual_seed(1)
    a, b = torch.from_numpy(x), torch.from_numpy(y)
    values = [
        poly_mmd(a[torch.randperm(len(a))[:SUBSET_SIZE]], b[torch.randperm(len(b))[:SUBSET_SIZE]])
        for _ in range(SUBSETS)
    ]
    return float(torch.stack(values).mean())


def our_cmmd(x: Array, y: Array) -> float:
    return cmmd(x, y, normalise=False, scale=1.0, sigma=float(np.sqrt(x.shape[1])))


def sklearn_rbf(x: Array, y: Array) -> float:
    gamma = 0.5 / x.shape[1]
    xx, yy, xy = rbf_kernel(x, x, gamma), rbf_kernel(y, y, gamma), rbf_kernel(x, y, gamma)
    n, m = len(x), len(y)
    return float(
        (xx.sum(dtype=float) - n) / (n * (n - 1)) + (yy.sum(dtype=float) - m) / (m * (m - 1)) - 2 * xy.mean(dtype=float)
    )


def our_prdc(x: Array, y: Array) -> float:
    scores = precision_recall_density_coverage(x, y, k=NEIGHBOURS)
    return scores.precision + scores.recall


def fidelity_precision_recall(x: Array, y: Array) -> float:
    result = prc_features_to_metric(
        torch.from_numpy(y),
        torch.from_numpy(x),
        prc_neighborhood=NEIGHBOURS,
        prc_batch_size=10_000,
        save_cpu_ram=False,
        verbose=False,
    )
    return result["precision"] + result["recall"]


def reference_prdc(x: Array, y: Array) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        result = compute_prdc(x, y, nearest_k=NEIGHBOURS)
    return float(result["precision"] + result["recall"])


def our_recall(x: Array, y: Array) -> float:
    return recall_at_k(y, x, np.arange(len(y)), np.arange(len(x)), [DEPTH])[DEPTH]


def faiss_recall(x: Array, y: Array) -> float:
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(x / np.linalg.norm(x, axis=1, keepdims=True))
    _, found = index.search(y / np.linalg.norm(y, axis=1, keepdims=True), DEPTH)
    return float((found == np.arange(len(y))[:, None]).any(1).mean())


def product_alone(x: Array, y: Array) -> float:
    """The floor: one float32 product of all queries with all items, and nothing else."""
    return float((y @ x.T)[0, 0])


def our_neighbours(x: Array, y: Array) -> float:
    return float(nearest_neighbours(y, x)[0].mean())


def faiss_neighbours(x: Array, y: Array) -> float:
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    return float(np.sqrt(np.clip(index.search(y, 1)[0], 0, None)).mean())


def sklearn_neighbours(x: Array, y: Array) -> float:
    return float(NearestNeighbors(n_neighbors=1, algorithm="brute").fit(x).kneighbors(y)[0].mean())


OURS = "unipath-bench"
FRECHET: Implementations = {
    OURS: frechet_distance,
    "torchmetrics": torchmetrics_frechet,
    "torch-fidelity": fidelity_frechet,
    "clean-fid": clean_fid_frechet,
    "scipy sqrtm (pytorch-fid)": sqrtm_frechet,
}
ACCUMULATION: Implementations = {OURS: our_accumulation, "torchmetrics": torchmetrics_accumulation}
KID: Implementations = {
    OURS: our_kid,
    "torch-fidelity": fidelity_kid,
    "torch-fidelity in float64": fidelity_kid_float64,
    "torchmetrics": torchmetrics_kid,
}
CMMD: Implementations = {OURS: our_cmmd, "scikit-learn rbf": sklearn_rbf}
PRDC: Implementations = {
    OURS: our_prdc,
    "torch-fidelity (P, R alone)": fidelity_precision_recall,
    "prdc": reference_prdc,
}
RECALL: Implementations = {OURS: our_recall, "faiss": faiss_recall, "product alone": product_alone}
NEAREST: Implementations = {OURS: our_neighbours, "faiss": faiss_neighbours, "scikit-learn": sklearn_neighbours}
