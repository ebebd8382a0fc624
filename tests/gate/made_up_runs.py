"""Run records whose values have contributions, made from per-case numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests import made_up_records as made_up
from unipath_bench.contracts import FeatureSet
from unipath_bench.schema.record import Contributions, RunRecord
from unipath_bench.scoring.paired import mean_contributions


def cases(count: int = 120, prefix: str = "patient") -> FeatureSet:
    """Four tiles of each patient."""
    return FeatureSet(
        ids=tuple(f"{prefix}{i // 4}/{i}" for i in range(count)),
        groups=tuple(f"{prefix}{i // 4}" for i in range(count)),
    )


def run(
    name: str,
    per_case: Mapping[str, Sequence[float] | np.ndarray],
    of: FeatureSet | None = None,
    direction: made_up.Direction = "higher",
    **plan: Any,
) -> RunRecord:
    """A run with one task a key, whose headline is the mean of ``per_case[key]`` on a scale from 0 to 1."""
    scores = []
    for key, numbers in per_case.items():
        values = np.asarray(numbers, np.float64)
        found = mean_contributions(values, of or cases(len(values)))
        assert isinstance(found, Contributions)
        value = made_up.value(float(values.mean()), key.capitalize(), direction, (0.0, 1.0))
        value = value.model_copy(update={"contributions": found, "interval_note": ""})
        scores.append(made_up.score(key, 2, key.capitalize(), {"mean": value}, n_images=len(values)))
    record = made_up.record(name, some=scores)
    return record.model_copy(update={"plan": record.plan.model_copy(update=plan)}) if plan else record
