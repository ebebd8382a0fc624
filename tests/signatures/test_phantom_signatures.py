"""The default run: every task of the four tiers is scored on the phantom, and every baseline shows its signature."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.tables import table
from unipath_bench.options import Options
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.run import run
from unipath_bench.schema.details import AttributeControl, Memorisation
from unipath_bench.schema.record import RunRecord, Value

pytestmark = pytest.mark.integration

N = 256
SIZE = {"train": 1024, "test": N}
BASELINES = ["real", "memoriser", "shuffled", "mode-collapse", "blur", "stain-shift", "noise"]
Evaluate = Callable[[str], RunRecord]


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    """Records of the baselines; all share one store, so the real tiles are embedded once."""
    out = tmp_path_factory.mktemp("phantom")
    records: dict[str, RunRecord] = {}

    def record(model: str) -> RunRecord:
        if model not in records:
            records[model] = run(
                make_plan(Options(model=model, suite="phantom", suite_arguments=SIZE)), out
            ).load_record()
        return records[model]

    return record


def value(record: RunRecord, task: str, name: str) -> Value:
    (score,) = (s for s in record.scores if s.task == task)
    return score.values[name]


def number(record: RunRecord, task: str, name: str) -> float:
    return value(record, task, name).value


def percent(record: RunRecord, task: str, name: str) -> float:
    found = value(record, task, name).position
    assert found is not None
    return found


@pytest.mark.parametrize("model", BASELINES)
def test_every_task_is_scored(evaluate: Evaluate, model: str) -> None:
    record = evaluate(model)
    assert [(s.task, s.reason) for s in record.scores if s.status != "computed"] == []
    assert {s.tier for s in record.scores} == {1, 2, 3, 4}
    assert record.plan.suite.kind == "phantom"
    # The encoders of the tiers are different ones: what a generator is judged by is not what it is measured in.
    encoders = {s.task: s.encoder for s in record.scores}
    assert len({encoders[t] for t in ("phantom-patho-fid", "clip-score", "attribute-control", "phantom-fid")}) == 4


@pytest.mark.parametrize("model", BASELINES)
def test_only_the_memoriser_is_flagged(evaluate: Evaluate, model: str) -> None:
    (audit,) = (s for s in evaluate(model).scores if s.task == "memorisation")
    found = table(audit, Memorisation)
    assert found.flagged is (model == "memoriser")
    assert (found.exact_copies == N) is (model == "memoriser")


def test_real_is_at_the_good_end_of_every_scale(evaluate: Evaluate) -> None:
    real = evaluate("real")
    for task, name in (
        ("phantom-fid", "basis_distance"),
        ("phantom-patho-fid", "distance"),
        ("kernel-distance", "distance"),
    ):
        assert percent(real, task, name) == pytest.approx(100, abs=1e-6)
        found = value(real, task, name).interval
        assert found is not None
        # Rendered from the same law by another hand: not told apart from the reference.
        assert found.kind == "at zero"
    for name in ("precision", "recall", "coverage"):
        assert number(real, "precision-recall", name) > 0.9
    assert percent(real, "clip-score", "cosine") == pytest.approx(100, abs=3)
    assert number(real, "text-to-image-recall", "recall@10") > 0.95
    assert number(real, "image-to-image-recall", "recall@10") > 10 * 10 / N
    assert number(real, "attribute-control", "percent_of_real") == pytest.approx(100, abs=2)
    assert number(real, "synthetic-training", "synthetic_weighted_f1") > 0.85
    assert number(real, "terminology-robustness", "spread") == 0.0


def test_the_judge_reads_every_attribute_of_real_tiles(evaluate: Evaluate) -> None:
    (control,) = (s for s in evaluate("real").scores if s.task == "attribute-control")
    found = table(control, AttributeControl)
    assert set(found.attributes) == {
        "cytology_type",
        "hemorrhage",
        "architecture",
        "cellularity",
        "pleomorphism",
        "mitotic_activity",
        "necrosis",
        "lymphocytic_infiltrate",
        "stroma",
        "deposit",
    }
    assert found.not_computed == {}
    for name, attribute in found.attributes.items():
        assert attribute.weighted_f1 >= 0.9, name
        assert attribute.real_weighted_f1 >= 0.9, name


def test_shuffled_has_the_fidelity_of_real_and_answers_no_prompt(evaluate: Evaluate) -> None:
    shuffled, real = evaluate("shuffled"), evaluate("real")
    for task in ("phantom-fid", "phantom-patho-fid"):
        assert number(shuffled, task, "distance") == pytest.approx(number(real, task, "distance"), rel=1e-6)
    assert number(shuffled, "precision-recall", "coverage") == number(real, "precision-recall", "coverage")
    for task, name in (
        ("clip-score", "cosine"),
        ("attribute-control", "weighted_f1"),
        ("text-to-image-recall", "recall@10"),
        ("terminology-robustness", "paraphrased"),
    ):
        assert percent(shuffled, task, name) < 15, task
    assert number(shuffled, "synthetic-training", "augmentation_gain") < 0


def test_mode_collapse_loses_recall_and_coverage(evaluate: Evaluate) -> None:
    collapsed, real = evaluate("mode-collapse"), evaluate("real")
    assert number(collapsed, "precision-recall", "recall") < 0.1
    assert number(collapsed, "precision-recall", "coverage") < 0.3
    assert number(collapsed, "precision-recall", "precision") > 0.5
    assert number(collapsed, "phantom-patho-fid", "distance") > 5 * number(real, "phantom-patho-fid", "distance")


def test_the_memoriser_is_faithful_and_caught(evaluate: Evaluate) -> None:
    memoriser = evaluate("memoriser")
    assert percent(memoriser, "phantom-patho-fid", "distance") > 90
    assert number(memoriser, "memorisation", "copied_fraction") == 1.0


@pytest.mark.parametrize("model", ["blur", "stain-shift", "noise"])
def test_damage_costs_fidelity(evaluate: Evaluate, model: str) -> None:
    damaged, real = evaluate(model), evaluate("real")
    for task in ("phantom-fid", "phantom-patho-fid"):
        assert number(damaged, task, "distance") > 5 * number(real, task, "distance")
    # 64 patients carry 32 dimensions: the texture encoder's 39 are too many, its 32 directions are not.
    refused = value(damaged, "phantom-fid", "distance").interval
    assert refused is not None
    assert refused.kind == "upper bound"
    for task, name in (("phantom-fid", "basis_distance"), ("phantom-patho-fid", "distance")):
        found = value(damaged, task, name).interval
        assert found is not None
        assert found.low is not None
        assert found.low > number(real, task, name)


def test_noise_is_at_the_bad_end_of_alignment_and_control(evaluate: Evaluate) -> None:
    noise = evaluate("noise")
    assert number(noise, "precision-recall", "coverage") == 0.0
    assert percent(noise, "clip-score", "cosine") < 10
    assert number(noise, "text-to-image-recall", "recall@10") < 2 * 10 / N
    assert percent(noise, "attribute-control", "weighted_f1") < 10
