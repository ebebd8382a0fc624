"""Scores are kept by a digest of all that decides them, the code included, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from unipath_bench.contracts import Measurement, Metric, ScoreInputs
from unipath_bench.core.registry import load_attribute
from unipath_bench.options import Options
from unipath_bench.pipeline import code, score
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.run import run
from unipath_bench.pipeline.score import metric_code
from unipath_bench.schema.record import RunRecord
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.evaluate import evaluate

KERNEL = "unipath_bench.scoring.fidelity:kid"


@pytest.fixture(autouse=True)
def unread() -> Iterator[None]:
    """No module is remembered from one test to the next."""
    code._read.cache_clear()
    yield
    code._read.cache_clear()


def _metric(reference: str) -> Metric:
    found: Metric = load_attribute(reference)
    return found


def _edited(monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str) -> list[Path]:
    """Let the file ``file`` be read with ``new`` in the place of ``old``; what was read goes into the list."""
    read, seen = code.read_source, []

    def edited(path: Path) -> str:
        text = read(path)
        if path.as_posix().endswith(f"/{file}"):
            seen.append(path)
            assert old in text
            text = text.replace(old, new)
        return text

    code._read.cache_clear()
    monkeypatch.setattr(code, "read_source", edited)
    return seen


@pytest.mark.parametrize(
    "file",
    [
        "unipath_bench/metrics/kernel.py",
        "unipath_bench/metrics/_kernel_sums.py",
        "unipath_bench/scoring/fidelity.py",
        "unipath_bench/scoring/features.py",
        "unipath_bench/scoring/anchors.py",
        "unipath_bench/scoring/evaluate.py",
        "unipath_bench/suites/roles.py",
        "unipath_bench/core/digest.py",
        "unipath_bench/contracts.py",
        "unipath_bench/pipeline/feature_sets.py",
    ],
)
def test_an_edit_of_any_module_on_the_way_to_a_score_is_another_score(
    monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    metric = _metric(KERNEL)
    before = metric_code(metric)
    assert _edited(monkeypatch, file, "from __future__ import annotations", "edited = 1") == []
    assert before is not None
    assert metric_code(metric) != before


@pytest.mark.parametrize(
    "module",
    [
        "views.report",
        "pipeline.store",
        "pipeline.plan",
        "scoring.alignment",
        "scoring.classifiers.head",
        "phantom.suite",
    ],
)
def test_what_a_score_does_not_run_is_not_read(module: str) -> None:
    metric_code(_metric(KERNEL))
    found = code._closure([_metric(KERNEL).function.__module__, evaluate.__module__])
    assert f"unipath_bench.{module}" not in found
    assert not any(name.startswith(f"unipath_bench.{module}.") for name in found)


def test_comments_docstrings_and_layout_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = _metric(KERNEL)
    before = metric_code(metric)
    seen = _edited(
        monkeypatch,
        "unipath_bench/scoring/features.py",
        "from __future__ import annotations",
        "from __future__ import (\n    annotations,  # of types\n)\n'''Text.'''",
    )
    assert metric_code(metric) == before
    assert len(seen) == 1


PACKAGE = {
    "__init__.py": "from m_foreign.inner import shared\n",
    "metrics.py": """
from unipath_bench import Measurement, metric
from m_foreign import shared

@metric("generated.images")
def thing(inputs):
    from . import lazy
    return Measurement({"x": 1.0}, n_images=1)
""",
    "inner.py": "shared = 1\n",
    "lazy.py": "value = 1\n",
    "unused.py": "value = 1\n",
}


def test_a_foreign_metric_is_known_by_its_own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in PACKAGE.items():
        path = tmp_path / "m_foreign" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    metric = _metric("m_foreign.metrics:thing")
    before = metric_code(metric)
    assert metric_code(Metric("part", frozenset(), partial(metric.function, k=1))) == before
    for name in PACKAGE:
        (tmp_path / "m_foreign" / name).write_text(PACKAGE[name] + "more = 1\n")
        code._read.cache_clear()
        changes = name in ("metrics.py", "inner.py", "lazy.py")
        assert (metric_code(metric) != before) == changes, name
        (tmp_path / "m_foreign" / name).write_text(PACKAGE[name])
    code._read.cache_clear()
    assert metric_code(metric) == before


def test_a_framework_metric_and_a_foreign_one_differ() -> None:
    def local(inputs: ScoreInputs) -> Measurement:
        return Measurement({"x": 0.0}, n_images=1)

    assert metric_code(_metric(KERNEL)) != metric_code(Metric("local", frozenset(), local))


def test_a_metric_without_source_has_no_digest() -> None:
    namespace = {"__name__": "typed_in"}
    exec("def typed(inputs): ...", namespace)
    assert metric_code(Metric("typed", frozenset(), namespace["typed"])) is None  # type: ignore[arg-type]


@pytest.mark.integration
def test_scores_are_computed_again_only_where_what_they_read_has_changed(
    small_tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []

    def counted(spec: TaskSpec, metric: Metric, inputs: ScoreInputs) -> object:
        computed.append(spec.name)
        return evaluate(spec, metric, inputs)

    def scored(options: Options) -> RunRecord:
        computed.clear()
        return run(make_plan(options), tmp_path).load_record()

    monkeypatch.setattr(score, "evaluate", counted)
    one = Options(
        model="tests.adapters:Painter",
        suite="folder",
        data=str(small_tiles),
        tasks=("frechet-distance", "memorisation"),
        encoders=("texture",),
    )
    first = scored(one)
    assert sorted(computed) == ["frechet-distance", "memorisation"]
    scored(one)
    assert computed == []
    panel = scored(replace(one, encoders=("texture", "tests.adapters:BatchSensitive")))
    assert sorted(computed) == ["frechet-distance", "memorisation"]
    assert [panel.score(s.key) for s in first.scores] == list(first.scores)
    more = scored(replace(one, tasks=(*one.tasks, "kernel-distance")))
    assert computed == ["kernel-distance"]
    assert [more.score(s.key) for s in first.scores] == list(first.scores)
    scored(replace(one, n=30))
    assert sorted(computed) == ["frechet-distance", "memorisation"]
