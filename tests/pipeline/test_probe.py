"""``plan --probe``: eight images foretell a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline import probe_adapters
from unipath_bench.cli.app import invoke
from unipath_bench.cli.planning import HOW_TO_PROBE
from unipath_bench.contracts import ScoreInputs
from unipath_bench.core.errors import GeneratorError
from unipath_bench.options import Options
from unipath_bench.pipeline.estimate import estimate
from unipath_bench.pipeline.feature_sets import FeatureSets
from unipath_bench.pipeline.plan import Plan, make_plan
from unipath_bench.pipeline.probe import Forecast, Probe, forecast, probe
from unipath_bench.pipeline.run import run
from unipath_bench.pipeline.score_probe import MadeUpFeatures, extrapolate, parts_of
from unipath_bench.scoring.evaluate import evaluate

Output = pytest.CaptureFixture[str]


@pytest.fixture
def options(small_tiles: Path) -> Options:
    return Options(
        model="tests.pipeline.probe_adapters:Ticking",
        suite="folder",
        data=str(small_tiles),
        tasks=("frechet-distance",),
        n=20,
        seeds=2,
        encoders=("tests.pipeline.probe_adapters:TickingEncoder",),
    )


def probed(plan: Plan, out: Path) -> tuple[Probe, Forecast]:
    cost = estimate(plan, out)
    found = probe(plan, cost, lambda: probe_adapters.NOW[0])
    return found, forecast(plan, cost, found, out)


def micro_batches(counts: list[int]) -> int:
    """Calls of four images at most, in shards of 32."""
    shards = [min(32, count - start) for count in counts for start in range(0, count, 32)]
    return sum(-(-rows // 4) for rows in shards)


def test_the_forecast_is_the_closed_form(options: Options, tmp_path: Path) -> None:
    plan = make_plan(options)
    found, foretold = probed(plan, tmp_path)
    assert found.generator is not None
    assert (found.images, found.generator.setup, found.generator.seconds) == (8, 10.0, 3.0)
    # Twenty prompts a seed in batches of eight: three batches, twice.
    assert foretold.seconds["generate"] == 10 + 2 * 3 * 3.0
    calls = micro_batches([20, 20, *(len(samples) for samples in plan.real.values())])
    assert foretold.seconds["embed"] == pytest.approx(5 + 0.5 * calls)
    assert foretold.total_seconds == pytest.approx(sum(foretold.seconds.values()))
    # Three numbers an image, in float32 and in float64.
    images = 40 + sum(len(samples) for samples in plan.real.values())
    assert (foretold.memory_mib - found.memory_mib) * 2**20 == pytest.approx(images * 3 * 12)
    assert foretold.device_memory_mib is None
    assert not any(tmp_path.iterdir())


@pytest.mark.integration
def test_what_is_in_the_store_costs_nothing_more(options: Options, tmp_path: Path) -> None:
    run(make_plan(replace(options, n=8)), tmp_path)
    _, foretold = probed(make_plan(options), tmp_path)
    # Twelve of twenty are lacking a seed: two batches, twice.
    assert foretold.seconds["generate"] == 10 + 2 * 2 * 3.0
    assert foretold.seconds["verify"] == 0.0
    run(make_plan(options), tmp_path)
    found, foretold = probed(make_plan(options), tmp_path)
    assert (found.generator, found.encoders) == (None, {})
    assert (foretold.total_seconds, foretold.disk_needed) == (0.0, 0)


@pytest.mark.integration
def test_a_real_run_takes_what_was_foretold(small_tiles: Path, tmp_path: Path, capsys: Output) -> None:
    nap = 0.5
    arguments = [
        "--model",
        "tests.pipeline.probe_adapters:Sleeping",
        "--model-arg",
        f"nap={nap}",
        "--suite",
        "folder",
        "--data",
        str(small_tiles),
        "--tasks",
        "frechet-distance",
        "--out",
        str(tmp_path),
        "--json",
    ]
    assert invoke(["plan", "--probe", *arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    foretold = document["forecast"]
    assert document["probe"]["images"] == 8
    assert invoke(["run", *arguments]) == 0
    record = json.loads(capsys.readouterr().out)
    # Forty prompts: a shard of 32 in four batches, one of eight in one.
    for took in (5 * nap, record["timing"]["seconds"]["generate"]):
        assert took / 2 < foretold["seconds"]["generate"] < took * 2
    kept = [f for part in ("samples", "features") for f in (tmp_path / "store" / part).rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in kept) == pytest.approx(foretold["disk_needed"], rel=0.25)


def test_scores_are_extrapolated_by_the_three_terms_of_their_cost() -> None:
    """2 + 3 x + 5 x^2 for x in thousands: 2 + 3 * 32 + 5 * 1024 = 5218 at 32,000."""

    def cost(n: int) -> float:
        return 2 + 3 * n / 1000 + 5 * (n / 1000) ** 2

    sizes = [1000, 2000, 4000]
    assert extrapolate(sizes, [cost(n) for n in sizes], 32000) == pytest.approx(5218)
    assert extrapolate(sizes, [0.7] * 3, 32000) == pytest.approx(0.7)
    assert extrapolate(sizes, [1.0, 2.0, 4.0], 32000) == pytest.approx(32)
    assert extrapolate([40], [0.3], 40) == 0.3


def test_parts_are_large_enough_for_every_metric_and_never_many() -> None:
    assert parts_of(40) == [40]
    assert parts_of(1024) == [1024]
    assert parts_of(1025) == parts_of(4096) == [256, 512, 1024]
    assert parts_of(10000) == [625, 1250, 2500]
    assert parts_of(100_000) == parts_of(10**6) == [3072, 6144, 12288]


@given(st.tuples(*[st.floats(0.01, 100)] * 3), st.integers(5000, 10**6))
def test_more_prompts_never_cost_less(seconds: tuple[float, float, float], n: int) -> None:
    sizes = [1000, 2000, 4000]
    assert 0 < extrapolate(sizes, seconds, n) <= extrapolate(sizes, seconds, 2 * n) * (1 + 1e-9)


@pytest.mark.integration
def test_made_up_features_let_every_task_be_computed() -> None:
    """Else the forecast would be of tasks that give up at once."""
    plan = make_plan(Options("blur", suite_arguments={"train": 64, "test": 64, "paraphrases": 1}))
    sets = FeatureSets(plan, MadeUpFeatures(plan))
    for task in plan.runnable:
        outcome = evaluate(task.spec, task.metric, ScoreInputs(sets.load(task.encoder, task.needs)))
        assert outcome.status == "computed", (task.key, outcome.reason)


def test_a_cuda_device_is_asked_for_its_peak(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def peak(device: str) -> int:
        asked.append(device)
        return 3 * 2**30

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", asked.append)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", peak)
    _, foretold = probed(make_plan(replace(options, device="cuda:1")), tmp_path)
    assert foretold.device_memory_mib == 3072
    assert asked == ["cuda:1", "cuda:1"]


@pytest.mark.integration
def test_the_terminal_says_so(small_tiles: Path, tmp_path: Path, capsys: Output) -> None:
    arguments = [
        "plan",
        "--model",
        "tests.pipeline.probe_adapters:Ticking",
        "--suite",
        "folder",
        "--data",
        str(small_tiles),
        "--n",
        "9",
    ]
    arguments += ["--tasks", "frechet-distance", "--out", str(tmp_path)]
    assert invoke(arguments) == 0
    assert HOW_TO_PROBE in capsys.readouterr().out
    assert invoke([*arguments, "--probe"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert HOW_TO_PROBE not in text
    assert "Time: about" in text
    assert "Memory: about" in text
    assert "nothing was stored" in text


def test_a_faulty_generator_is_named(small_tiles: Path, tmp_path: Path) -> None:
    plan = make_plan(
        Options(
            model="tests.adapters:Faulty",
            model_arguments={"fault": "raises"},
            suite="folder",
            data=str(small_tiles),
            tasks=("frechet-distance",),
        )
    )
    with pytest.raises(GeneratorError, match="the cat stepped on the cable"):
        probed(plan, tmp_path)
