"""K-means that gives the same clusters in every run on one machine."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

ITERATIONS = 100


def cluster(
    features: npt.NDArray[np.float64], clusters: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """K-means with k-means++ seeding, one start, Lloyd's iterations (at most :data:`ITERATIONS`), on one thread.

    ``features`` is (N, D). Gives each row's cluster, int64 (N,), and its distance to that cluster's centroid, float64
    (N,). Where there are fewer distinct rows than ``clusters``, some clusters stay empty.
    """
    model = KMeans(n_clusters=clusters, n_init=1, max_iter=ITERATIONS, random_state=seed, algorithm="lloyd")
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = model.fit(features).labels_.astype(np.int64)
    distances = np.linalg.norm(features - model.cluster_centers_[labels], axis=1)
    return labels, np.asarray(distances, dtype=np.float64)
