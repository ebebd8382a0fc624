"""How long a plan's scores will take: its tasks are scored on made-up features of a part of its prompts.

The cost of a score is close to a + b n + c n^2 in the number of prompts n: what does not grow, what is done once an
image, and what is done once a pair of images. Up to 1,024 prompts are scored all; of more, three parts are, the largest
a quarter but 1,024 to 12,288 prompts, and the three terms are fitted to the three times.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from unipath_bench.contracts import ScoreInputs
from unipath_bench.core.arrays import Features
from unipath_bench.core.artifact_cache import ArtifactCache
from unipath_bench.core.digest import seed_from
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.feature_sets import FeatureSets
from unipath_bench.pipeline.plan import Plan
from unipath_bench.scoring.evaluate import evaluate

ALL = 1024
"""Prompts up to which all are scored."""
MOST = 12288
"""Prompts that the largest part has at most."""

Clock = Callable[[], float]
"""Seconds from any start."""


class MadeUpFeatures:
    """Normal features around a centre for each class of the primary attribute; no image is looked at.

    The classes differ so that classifiers have something to learn.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def images(self, encoder: str, families: Sequence[Family]) -> tuple[Features, tuple[str, ...]]:
        """As :class:`~unipath_bench.pipeline.feature_sets.FeatureSource` says."""
        vectors = [self._vectors(encoder, family.name, self._classes(family)) for family in families]
        pixels = tuple(f"{family} {i}" for family in families for i in range(len(self._classes(family))))
        return np.concatenate(vectors), pixels

    def texts(self, encoder: str, prompts: Sequence[str]) -> Features:
        """As :class:`~unipath_bench.pipeline.feature_sets.FeatureSource` says."""
        return self._vectors(encoder, "prompts", prompts)

    def _classes(self, family: Family) -> list[str]:
        attribute = next(iter(self._plan.suite.card.attributes), None)
        rows = self._plan.generated[family] if family.is_generated else self._plan.real[family]
        return ["" if attribute is None else row.labels[attribute] for row in rows]

    def _vectors(self, encoder: str, name: str, classes: Sequence[str]) -> Features:
        width = self._plan.encoders[encoder].card.dimension
        rng = np.random.default_rng(seed_from("made-up features", encoder, name))
        centre = {
            c: np.random.default_rng(seed_from("made-up centre", c)).standard_normal(width, np.float32)
            for c in sorted(set(classes))
        }
        noise = rng.standard_normal((len(classes), width), np.float32)
        return noise + np.stack([centre[c] for c in classes])


def probe_scores(plan: Plan, clock: Clock) -> float:
    """Seconds that all scores of the plan will take on this machine. Raises what a metric raises."""
    n = len(plan.prompts)
    sizes = parts_of(n)
    if len(sizes) > 1:
        # First calls import and allocate: where the time is extrapolated, they must not count.
        _timed(replace(plan, prompts=plan.prompts[: sizes[0]]), clock)
    return extrapolate(sizes, [_timed(replace(plan, prompts=plan.prompts[:size]), clock) for size in sizes], n)


def parts_of(n: int) -> list[int]:
    """How many of ``n`` prompts are scored."""
    if n <= ALL:
        return [n]
    largest = min(max(n // 4, ALL), MOST)
    return [largest // 4, largest // 2, largest]


def extrapolate(sizes: Sequence[int], seconds: Sequence[float], n: int) -> float:
    """Seconds at ``n`` by the cost's three terms, none of them negative, fitted to the relative errors."""
    if list(sizes) == [n]:
        return float(seconds[0])
    terms = np.vander(np.asarray(sizes) / n, 3)
    weights = 1 / np.maximum(seconds, 1e-9)
    found, _ = nnls(terms * weights[:, None], np.asarray(seconds) * weights)
    return float(found.sum())


def _timed(plan: Plan, clock: Clock) -> float:
    sets = FeatureSets(plan, MadeUpFeatures(plan))
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        artifacts = ArtifactCache(Path(folder))
        for task in plan.runnable:
            inputs = ScoreInputs(sets.load(task.encoder, task.needs), artifacts=artifacts)
            begin = clock()
            evaluate(task.spec, task.metric, inputs)
            seconds += clock() - begin
    return seconds
