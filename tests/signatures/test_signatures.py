"""The benchmark tested on real tissue: every baseline shows, across all four tiers, what is known of it beforehand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tables import table
from unipath_bench.options import Options
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.run import run
from unipath_bench.schema.details import Memorisation
from unipath_bench.schema.record import RunRecord, Value

pytestmark = pytest.mark.integration

N = 240
Evaluate = Callable[..., RunRecord]


@pytest.fixture(scope="module")
def evaluate(real_tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    """Records of the baselines on the real tiles; all share one store, so the real images are embedded once."""
    out = tmp_path_factory.mktemp("signatures")
    records: dict[str, RunRecord] = {}

    def record(model: str) -> RunRecord:
        if model not in records:
            plan = make_plan(Options(model=model, suite="folder", data=str(real_tiles), n=N))
            records[model] = run(plan, out).load_record()
        return records[model]

    return record


def value(record: RunRecord, task: str, name: str) -> Value:
    return record.score(f"{task}[texture]").values[name]


def number(record: RunRecord, task: str, name: str) -> float:
    return value(record, task, name).value


def memorisation(record: RunRecord) -> Memorisation:
    return table(record.score("memorisation[texture]"), Memorisation)


BASELINES = ["real", "memoriser", "shuffled", "mode-collapse", "blur", "stain-shift", "noise"]


@pytest.mark.parametrize("model", BASELINES)
def test_all_four_tiers_have_scores(evaluate: Evaluate, model: str) -> None:
    scores = evaluate(model).scores
    assert {s.tier for s in scores if s.status == "computed"} == {1, 2, 3, 4}
    assert {s.task for s in scores if s.status == "not computed"} == {
        "fid",
        "patho-fid",
        "clip-score",
        "text-to-image-recall",
        "terminology-robustness",
        "kather-crc",
    }


@pytest.mark.parametrize("model", BASELINES)
def test_only_the_memoriser_is_flagged(evaluate: Evaluate, model: str) -> None:
    assert memorisation(evaluate(model)).flagged is (model == "memoriser")


def test_real_stands_at_the_real_end_of_every_fidelity_scale(evaluate: Evaluate) -> None:
    real = evaluate("real")
    distances = [("frechet-distance", "distance"), ("kernel-distance", "distance")]
    for task, name in [*distances, *(("precision-recall", name) for name in ("precision", "recall", "coverage"))]:
        assert value(real, task, name).position == pytest.approx(100, abs=1e-6)


def test_real_answers_its_prompts(evaluate: Evaluate) -> None:
    real = evaluate("real")
    assert number(real, "attribute-control", "percent_of_real") > 90
    assert number(real, "image-to-image-recall", "recall@10") > 2 * 10 / N
    assert number(real, "synthetic-training", "synthetic_weighted_f1") > 0.75
    assert number(real, "memorisation", "copied_fraction") < 0.05


def test_the_memoriser_is_faithful_and_caught(evaluate: Evaluate) -> None:
    memoriser = evaluate("memoriser")
    assert value(memoriser, "frechet-distance", "distance").position > 90  # type: ignore[operator]
    assert number(memoriser, "precision-recall", "coverage") > 0.5
    assert number(memoriser, "memorisation", "copied_fraction") == 1.0
    assert number(memoriser, "memorisation", "authenticity") == 0.0
    assert memorisation(memoriser).exact_copies == N


def test_shuffled_is_as_faithful_as_real_but_answers_no_prompt(evaluate: Evaluate) -> None:
    shuffled, real = evaluate("shuffled"), evaluate("real")
    # `shuffled` deals out the images of the whole test split, so only a run of all prompts has real's very images.
    assert value(shuffled, "frechet-distance", "distance").position > 90  # type: ignore[operator]
    assert abs(number(shuffled, "precision-recall", "coverage") - number(real, "precision-recall", "coverage")) < 0.1
    for task, name in (
        ("attribute-control", "weighted_f1"),
        ("image-to-image-recall", "recall@10"),
        ("synthetic-training", "synthetic_weighted_f1"),
    ):
        found = value(shuffled, task, name)
        assert found.bad_end is not None
        assert found.value <= found.bad_end
    assert number(shuffled, "synthetic-training", "augmentation_gain") < 0


def test_mode_collapse_loses_recall_and_coverage_but_not_its_prompts(evaluate: Evaluate) -> None:
    collapsed, real = evaluate("mode-collapse"), evaluate("real")
    assert number(collapsed, "precision-recall", "recall") < 0.1
    assert number(collapsed, "precision-recall", "coverage") < 0.15
    assert number(collapsed, "precision-recall", "precision") > 0.5
    assert number(collapsed, "frechet-distance", "distance") > 2 * number(real, "frechet-distance", "distance")
    assert number(collapsed, "attribute-control", "percent_of_real") > 70


@pytest.mark.parametrize("model", ["blur", "stain-shift", "noise"])
def test_damage_costs_fidelity_and_is_no_memory(evaluate: Evaluate, model: str) -> None:
    damaged, real = evaluate(model), evaluate("real")
    for task in ("frechet-distance", "kernel-distance"):
        assert number(damaged, task, "distance") > 5 * number(real, task, "distance")
    assert number(damaged, "precision-recall", "precision") < 0.1
    assert number(damaged, "memorisation", "copied_fraction") == 0.0


def test_noise_is_at_the_bad_end_everywhere(evaluate: Evaluate) -> None:
    noise = evaluate("noise")
    assert number(noise, "precision-recall", "coverage") == 0.0
    assert number(noise, "image-to-image-recall", "recall@10") < 1.6 * 10 / N
    control = value(noise, "attribute-control", "weighted_f1")
    assert control.bad_end is not None
    assert control.value < control.bad_end + 0.1
    assert number(noise, "synthetic-training", "synthetic_weighted_f1") < 0.5
