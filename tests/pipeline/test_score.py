"""Scores are kept by a digest of all that decides them, the metric's code included."""

from __future__ import annotations

from pathlib import Path

import pytest

from unipath_bench.contracts import Measurement, Metric, ScoreInputs
from unipath_bench.core.registry import load_attribute
from unipath_bench.pipeline.score import code_digest

SOURCE = """
from unipath_bench import Measurement, metric

@metric("generated.images")
def thing(inputs):
    return Measurement({{"x": {value}}}, n=1)
"""


def _metric(folder: Path, name: str, value: float) -> Metric:
    (folder / f"{name}.py").write_text(SOURCE.format(value=value))
    found: Metric = load_attribute(f"{name}:thing")
    return found


def test_other_code_is_another_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    one, same, other = (_metric(tmp_path, n, v) for n, v in (("m_one", 1.0), ("m_same", 1.0), ("m_other", 2.0)))
    assert code_digest(one) == code_digest(same)
    assert code_digest(one) != code_digest(other)


def test_a_framework_metric_and_a_foreign_one_differ() -> None:
    def local(inputs: ScoreInputs) -> Measurement:
        return Measurement({"x": 0.0}, n=1)

    frechet: Metric = load_attribute("unipath_bench.scoring.fidelity:frechet")
    assert code_digest(frechet) != code_digest(Metric("local", frozenset(), local))
