"""A pinned principal component basis, for encoders of more dimensions than a test set can carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from unipath_bench.metrics._arrays import Features, Float64Array, as_matrix, as_tensor, check_count


@dataclass(frozen=True)
class PcaBasis:
    """Mean (D,) and k orthonormal rows (k, D), float64, fitted once on held-out real data: part of a task's definition.

    ``captured`` is the share of the held-out variance that the k directions hold, 0 to 1.

    Examples:
        Points on the line through (0, 0) and (3, 4) vary along it alone; (9, 12) lies 10 from their mean, (3, 4).

        >>> import numpy as np
        >>> basis = PcaBasis.fit(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]), k=1)
        >>> basis.components.round(12).tolist(), round(basis.captured, 12)
        ([[0.6, 0.8]], 1.0)
        >>> basis.project(np.array([[9.0, 12.0]])).round(decimals=12).tolist()
        [[10.0]]
    """

    mean: Float64Array
    components: Float64Array
    captured: float

    @classmethod
    def fit(cls, held_out: Features, k: int) -> Self:
        """The k directions of largest variance of ``held_out`` (n, D), k <= min(n - 1, D).

        Each direction's entry of largest size is positive, so that the basis is the same wherever it is
        computed, up to rounding and to the order of equal variances.
        """
        check_count(k, "k")
        rows = as_matrix(held_out, "held_out", minimum_rows=2)
        if k > min(len(rows) - 1, rows.shape[1]):
            raise ValueError(f"k: {k} directions cannot be had from {len(rows)} rows of {rows.shape[1]} dimensions")
        data = rows.double()
        mean = data.mean(0)
        _, scales, directions = torch.linalg.svd(data - mean, full_matrices=False)
        components = directions[:k].cpu().numpy()
        signs = np.sign(components[np.arange(k), np.abs(components).argmax(1)])
        variance = scales.square().cpu().numpy()
        return cls(mean.cpu().numpy(), components * signs[:, None], float(variance[:k].sum() / variance.sum()))

    def project(self, features: Features) -> torch.Tensor:
        """Coordinates (n, k) float64 of ``features`` (n, D) in the basis, on the device of the features."""
        rows = as_matrix(features, "features")
        if rows.shape[1] != len(self.mean):
            raise ValueError(f"features: {rows.shape[1]} dimensions, but the basis has {len(self.mean)}")
        mean, components = (as_tensor(array, "basis").to(rows.device) for array in (self.mean, self.components))
        return (rows.double() - mean) @ components.T
