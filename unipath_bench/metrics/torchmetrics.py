"""The public metrics as ``torchmetrics.Metric`` classes, for training loops.

They support update, compute, reset, merge and distributed reduction. All take features, not images. State is exact
however the data were spread over batches and processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torchmetrics import Metric

from unipath_bench.metrics._arrays import as_matrix, as_matrix_pair
from unipath_bench.metrics._linalg import symmetric_from_upper
from unipath_bench.metrics.alignment import cosine_per_pair
from unipath_bench.metrics.frechet import distance_of_moments
from unipath_bench.metrics.kernel import cmmd, kernel_distance
from unipath_bench.metrics.manifold import precision_recall_density_coverage
from unipath_bench.metrics.moments import FeatureStatistics
from unipath_bench.metrics.retrieval import recall_at_k


def merge_moments(stacked: torch.Tensor) -> torch.Tensor:
    """Join moments (w, D + 1, D + 1), each [[count, mean], [., scatter]], by Chan's update, in order.

    Examples:
        0 and 2, counted apart, have together the count 2, the mean 1 and the scatter 1 + 1.

        >>> import torch
        >>> apart = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [0.0, 0.0]]])
        >>> merge_moments(apart).tolist()
        [[2.0, 1.0], [0.0, 2.0]]
    """
    merged = stacked[0].clone()
    for other in stacked[1:]:
        first, second = merged[0, 0].clone(), other[0, 0]
        total = first + second
        if total == 0:
            continue
        step = other[0, 1:] - merged[0, 1:]
        merged[1:, 1:] += other[1:, 1:] + torch.outer(step, step) * (first * (second / total))
        merged[0, 1:] += step * (second / total)
        merged[0, 0] = total
    return merged


class FrechetDistance(Metric):
    """Frechet distance of real and generated features of ``dimension`` dimensions.

    ``update(features, real=True)`` takes (n, D) float32 or float64. ``reset_real=False`` keeps the real side
    on ``reset``. The state is two (D + 1, D + 1) float64 matrices, whatever n.

    Examples:
        Of 0 and 2 the mean is 1 and the variance 2, of 3 and 7 they are 5 and 8: 4^2 + (sqrt 8 - sqrt 2)^2 = 16 + 2.

        >>> import torch
        >>> metric = FrechetDistance(dimension=1)
        >>> metric.update(torch.tensor([[0.0], [2.0]]), real=True)
        >>> metric.update(torch.tensor([[3.0]]), real=False)
        >>> metric.update(torch.tensor([[7.0]]), real=False)
        >>> round(float(metric.compute()), 9)
        18.0
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    real_moments: torch.Tensor
    generated_moments: torch.Tensor

    def __init__(self, dimension: int, *, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dimension, self.reset_real = dimension, reset_real
        for name in ("real_moments", "generated_moments"):
            empty = torch.zeros(dimension + 1, dimension + 1, dtype=torch.float64)
            self.add_state(name, empty, dist_reduce_fx=merge_moments)

    def update(self, features: torch.Tensor, real: bool) -> None:
        """Add a batch (n, D) to the real or to the generated side."""
        rows = as_matrix(features, "features")
        if rows.shape[1] != self.dimension:
            raise ValueError(f"features: {rows.shape[1]} dimensions, but {self.dimension} are expected")
        statistics = FeatureStatistics.from_features(rows)
        moments = torch.zeros_like(self.real_moments)
        moments[0, 0] = statistics.count
        moments[0, 1:] = statistics.mean_tensor()
        if statistics.count > 1:
            moments[1:, 1:] = symmetric_from_upper(statistics.upper_covariance()) * (statistics.count - 1)
        name = "real_moments" if real else "generated_moments"
        setattr(self, name, merge_moments(torch.stack([getattr(self, name), moments])))

    def compute(self) -> torch.Tensor:
        """The distance, float64; ``ValueError`` before two rows on each side."""
        sides = []
        for name in ("real_moments", "generated_moments"):
            moments = getattr(self, name)
            if moments[0, 0] < 2:
                raise ValueError(f"{name}: {int(moments[0, 0])} rows, but at least 2 are needed")
            sides.append((moments[0, 1:], moments[1:, 1:] / (moments[0, 0] - 1)))
        (mean_a, first), (mean_b, second) = sides
        value = max(0.0, distance_of_moments(first, second, mean_a - mean_b))
        return torch.tensor(value, dtype=torch.float64, device=mean_a.device)

    def reset(self) -> None:
        """Forget the generated side, and the real one unless it is kept."""
        kept = None if self.reset_real else self.real_moments.clone()
        super().reset()
        if kept is not None:
            self.real_moments = kept


class _StoredFeatures(Metric):
    """Keeps the features of both sides."""

    is_differentiable = False
    full_state_update = False
    real_features: list[torch.Tensor] | torch.Tensor
    generated_features: list[torch.Tensor] | torch.Tensor

    def __init__(self, *, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reset_real = reset_real
        self.add_state("real_features", [], dist_reduce_fx="cat")
        self.add_state("generated_features", [], dist_reduce_fx="cat")

    def update(self, features: torch.Tensor, real: bool) -> None:
        """Add a batch (n, D) to the real or to the generated side."""
        side = self.real_features if real else self.generated_features
        assert isinstance(side, list)  # nosec B101  # tells the type checker what holds
        side.append(as_matrix(features, "features"))

    def _sides(self) -> tuple[torch.Tensor, torch.Tensor]:
        return _joined(self.real_features, "real"), _joined(self.generated_features, "generated")

    def reset(self) -> None:
        """Forget the generated side, and the real one unless it is kept."""
        # A copy: the parent empties its lists in place.
        kept = list(self.real_features)
        super().reset()
        if not self.reset_real:
            self.real_features = kept


def _joined(state: list[torch.Tensor] | torch.Tensor, name: str) -> torch.Tensor:
    if isinstance(state, torch.Tensor):
        return state
    if not state:
        raise ValueError(f"{name}: no features were added")
    return torch.cat(list(state))


class KernelDistance(_StoredFeatures):
    """KID: mean over random subsets of the unbiased MMD^2 of the polynomial kernel.

    The options are those of ``kernel_distance``.

    Examples:
        In one dimension the kernel is (x y + 1)^3: 1 among zeros, 2^3 among ones, 1 between them: 1 + 8 - 2 * 1.

        >>> import torch
        >>> metric = KernelDistance(subset_size=2, subsets=10)
        >>> metric.update(torch.zeros(4, 1), real=True)
        >>> metric.update(torch.ones(4, 1), real=False)
        >>> float(metric.compute())
        7.0
    """

    higher_is_better = False

    def __init__(
        self, *, subset_size: int = 1000, subsets: int = 100, seed: int = 0, reset_real: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(reset_real=reset_real, **kwargs)
        self.subset_size, self.subsets, self.seed = subset_size, subsets, seed

    def compute(self) -> torch.Tensor:
        """The mean over the subsets, float64."""
        real, generated = self._sides()
        result = kernel_distance(real, generated, subset_size=self.subset_size, subsets=self.subsets, seed=self.seed)
        return torch.tensor(result.mean, dtype=torch.float64, device=real.device)


class CMMD(_StoredFeatures):
    """CMMD, unbiased; options as ``cmmd``.

    Examples:
        Unit vectors at right angles have the squared distance 2: for sigma 1, 1000 * (1 + 1 - 2 exp(-1)).

        >>> import math
        >>> import torch
        >>> metric = CMMD(sigma=1.0)
        >>> metric.update(torch.tensor([[1.0, 0.0]] * 2), real=True)
        >>> metric.update(torch.tensor([[0.0, 1.0]] * 2), real=False)
        >>> math.isclose(float(metric.compute()), 2000 * (1 - math.exp(-1)))
        True
    """

    higher_is_better = False

    def __init__(self, *, sigma: float = 10.0, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(reset_real=reset_real, **kwargs)
        self.sigma = sigma

    def compute(self) -> torch.Tensor:
        """The distance, float64."""
        real, generated = self._sides()
        return torch.tensor(cmmd(real, generated, self.sigma), dtype=torch.float64, device=real.device)


class PrecisionRecallDensityCoverage(_StoredFeatures):
    """Precision, recall, density and coverage of the generated features, as a dictionary.

    Examples:
        With k = 1 each ball reaches to the neighbour, 1 away, and holds only its own centre. What was
        generated is real, but half of the real rows are missing.

        >>> import torch
        >>> metric = PrecisionRecallDensityCoverage(k=1)
        >>> rows = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
        >>> metric.update(rows, real=True)
        >>> metric.update(rows[:2], real=False)
        >>> {name: float(score) for name, score in metric.compute().items()}
        {'precision': 1.0, 'recall': 0.5, 'density': 1.0, 'coverage': 0.5}
    """

    higher_is_better = True

    def __init__(self, *, k: int = 5, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(reset_real=reset_real, **kwargs)
        self.k = k

    def compute(self) -> dict[str, torch.Tensor]:
        """The four scores by name, float64."""
        real, generated = self._sides()
        scores = precision_recall_density_coverage(real, generated, k=self.k)
        return {
            name: torch.tensor(value, dtype=torch.float64, device=real.device)
            for name, value in scores._asdict().items()
        }


class ClipScore(Metric):
    """Mean raw cosine of image and text features, pair by pair.

    Examples:
        The mean of the cosines 3 / 5 and -1.

        >>> import torch
        >>> metric = ClipScore()
        >>> metric.update(torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 0.0]]))
        >>> metric.update(torch.tensor([[0.0, 2.0]]), torch.tensor([[0.0, -7.0]]))
        >>> round(float(metric.compute()), 12)
        -0.2
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    total: torch.Tensor
    pairs: torch.Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("pairs", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, image_features: torch.Tensor, text_features: torch.Tensor) -> None:
        """Add pairs: both (n, D), row i of one with row i of the other."""
        cosines = cosine_per_pair(image_features, text_features)
        self.total += float(cosines.sum())
        self.pairs += len(cosines)

    def compute(self) -> torch.Tensor:
        """The mean cosine, float64; ``ValueError`` without a pair."""
        if self.pairs == 0:
            raise ValueError("no pairs were added")
        return self.total / self.pairs


class RetrievalRecall(Metric):
    """Recall@k of queries in a gallery that both grow by updates; ties and relevance as ``recall_at_k``.

    Examples:
        The query ranks the items 0, 1, 2 by their angles, and item 1 is its own.

        >>> import torch
        >>> metric = RetrievalRecall(ks=(1, 2))
        >>> gallery = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> metric.update(torch.tensor([[1.0, 0.0]]), gallery, torch.tensor([1]), torch.tensor([0, 1, 2]))
        >>> {name: float(recall) for name, recall in metric.compute().items()}
        {'recall@1': 0.0, 'recall@2': 1.0}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    queries: list[torch.Tensor] | torch.Tensor
    query_keys: list[torch.Tensor] | torch.Tensor
    gallery: list[torch.Tensor] | torch.Tensor
    gallery_keys: list[torch.Tensor] | torch.Tensor

    def __init__(self, ks: Sequence[int] = (1, 5, 10, 50), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ks = tuple(ks)
        for name in ("queries", "query_keys", "gallery", "gallery_keys"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(
        self, queries: torch.Tensor, gallery: torch.Tensor, query_keys: torch.Tensor, gallery_keys: torch.Tensor
    ) -> None:
        """Add queries (q, D) with keys (q,) and gallery items (N, D) with keys (N,)."""
        as_matrix_pair(queries, gallery, ("queries", "gallery"))
        if len(queries) != len(query_keys) or len(gallery) != len(gallery_keys):
            raise ValueError("each row needs one key")
        for name, value in zip(
            ("queries", "query_keys", "gallery", "gallery_keys"),
            (queries, query_keys, gallery, gallery_keys),
            strict=True,
        ):
            getattr(self, name).append(value.detach())

    def compute(self) -> dict[str, torch.Tensor]:
        """``recall@k`` for each k, float64."""
        queries, gallery = _joined(self.queries, "queries"), _joined(self.gallery, "gallery")
        keys, items = _joined(self.query_keys, "query_keys"), _joined(self.gallery_keys, "gallery_keys")
        recalls = recall_at_k(queries, gallery, keys, items, self.ks)
        return {f"recall@{k}": torch.tensor(v, dtype=torch.float64, device=queries.device) for k, v in recalls.items()}
