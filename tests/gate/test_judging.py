"""The gate on runs: what stops it, what it says, and when it refuses to judge."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests import made_up_records as made_up
from tests.gate.made_up_runs import cases, run
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.gate.baseline import load_side, write_baseline
from unipath_bench.gate.judging import judge
from unipath_bench.schema.record import RunRecord
from unipath_bench.views.comparison.sides import Side, side_of


def noise(seed: int, mean: float = 0.5, spread: float = 0.1, count: int = 120) -> np.ndarray:
    return mean + spread * np.random.default_rng(seed).normal(size=count)


def sides(now: RunRecord, before: RunRecord) -> tuple[Side, Side]:
    return side_of(now), side_of(before)


def changed(record: RunRecord, **update: object) -> RunRecord:
    """The record with its first score changed."""
    first = record.scores[0].model_copy(update=update)
    return record.model_copy(update={"scores": (first, *record.scores[1:])})


def test_a_clear_loss_stops_the_gate_and_a_gain_does_not() -> None:
    before = run("before", {"control": noise(0)})
    worse, better = (run("now", {"control": noise(0) + change}) for change in (-0.1, 0.1))
    stopped = judge(*sides(worse, before), {})
    assert stopped.regressed
    assert stopped.judged[0].worse_by == pytest.approx(0.1)
    assert not judge(*sides(better, before), {}).regressed


def test_where_lower_is_better_a_rise_is_a_loss() -> None:
    before = run("before", {"copied": noise(0)}, direction="lower")
    after = run("now", {"copied": noise(0) + 0.1}, direction="lower")
    found = judge(*sides(after, before), {})
    assert found.regressed
    assert found.judged[0].worse_by == pytest.approx(0.1)


def test_a_significant_loss_within_the_margin_passes() -> None:
    before, after = run("before", {"control": noise(0)}), run("now", {"control": noise(0) - 0.02})
    assert judge(*sides(after, before), {}).regressed  # the default margin is 0.01
    passed = judge(*sides(after, before), {"control": 0.03})
    assert not passed.regressed
    assert passed.judged[0].p_value == pytest.approx(0.0, abs=1e-9)


def test_the_numbers_are_those_of_the_paired_t_test_over_patients() -> None:
    """30 patients of 4 tiles each are 30 blocks; 3 values share the 5% (Bonferroni's limit, Holm's p)."""
    a, b = noise(1), noise(2)
    others = {"x": noise(3), "y": noise(4)}
    found = judge(*sides(run("now", {"control": b, **others}), run("before", {"control": a, **others})), {})
    means = (a - b).reshape(30, 4).mean(1)
    error = means.std(ddof=1) / np.sqrt(30)
    mine = found.judged[0]
    assert mine.worse_by == pytest.approx(means.mean())
    assert mine.at_least == pytest.approx(means.mean() - stats.t.ppf(1 - 0.05 / 3, 29) * error, rel=1e-4)
    p_value = stats.t.sf(means.mean() / error, 29)
    assert mine.p_value == pytest.approx(min(1.0, max(3 * p_value, 2 * 0.5 if p_value > 0.5 else 0)), rel=1e-3)
    reach = stats.t.ppf(1 - 0.05 / 3, 29) * error
    assert mine.smallest_90 == pytest.approx(max(reach, 0.01) + stats.t.ppf(0.9, 29) * error, rel=1e-4)
    assert mine.smallest_80 is not None
    assert mine.smallest_90 is not None
    assert mine.smallest_80 < mine.smallest_90
    wanted = 572 * ((reach + stats.t.ppf(0.9, 29) * error) / 0.02) ** 2
    assert mine.prompts_needed == pytest.approx(wanted, rel=1e-3, abs=1)


def test_few_noisy_cases_are_said_to_be_too_few_and_many_quiet_ones_enough() -> None:
    noisy = judge(*sides(run("now", {"x": noise(1, spread=0.5)}), run("before", {"x": noise(2, spread=0.5)})), {})
    quiet = judge(*sides(run("now", {"x": noise(1, spread=1e-3)}), run("before", {"x": noise(2, spread=1e-3)})), {})
    assert [noisy.judged[0].enough, quiet.judged[0].enough] == [False, True]


def test_where_no_patient_differs_nothing_is_said_of_power() -> None:
    same = judge(*sides(run("now", {"x": noise(0)}), run("before", {"x": noise(0)})), {})
    mine = same.judged[0]
    assert (mine.regressed, mine.smallest_80, mine.smallest_90, mine.prompts_needed, mine.enough) == (
        False,
        None,
        None,
        None,
        None,
    )


def test_a_headline_without_contributions_is_stood_in_for_or_not_judged() -> None:
    def two(name: str) -> RunRecord:
        record = run(name, {"fid": noise(0), "plain": noise(1)})
        able = record.scores[0].values["mean"]
        unable = able.model_copy(
            update={"contributions": None, "contributions_note": "No paired difference: 64 dimensions are too many."}
        )
        both = {"distance": unable, "basis_distance": able.model_copy(update={"headline": False, "title": "Basis"})}
        values = (both, {"mean": unable})
        fid, plain = (s.model_copy(update={"values": v}) for s, v in zip(record.scores, values, strict=True))
        return record.model_copy(update={"scores": (fid, plain, run("z", {"z": noise(2)}).scores[0])})

    found = judge(*sides(two("now"), two("before")), {})
    assert [(each.key, each.name) for each in found.judged] == [
        ("fid[texture]", "basis_distance"),
        ("z[texture]", "mean"),
    ]
    assert found.judged[0].note == "stands in for Fid: 64 dimensions are too many"
    assert [(each.key, each.reason) for each in found.not_judged] == [("plain[texture]", "64 dimensions are too many")]


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (changed(run("now", {"x": noise(0)}), version=2), "task version 2, baseline 1"),
        (changed(run("now", {"x": noise(0)}), encoder_digest="0" * 64), "encoder texture 000000000000"),
        (changed(run("now", {"x": noise(0)}), n_images=119), "images 119, baseline 572"),
        (run("now", {"x": noise(0)}, seeds=2), "prompts and seeds 572 x 2, baseline 572 x 1"),
        (run("now", {"y": noise(0)}), "the run lacks it"),
        (
            changed(run("now", {"x": noise(0)}), values={}, status="not computed", reason="No weights."),
            "not computed: No weights.",
        ),
        (run("now", {"x": noise(0)}, cases(120, "other")), "other prompts"),
        (
            made_up.record(
                "now", some=[made_up.score("x", 2, "X", {"mean": made_up.value(0.5, "X", "higher")}, n_images=120)]
            ),
            "the record holds no contributions",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(after: RunRecord, reason: str) -> None:
    with pytest.raises(DataError, match="cannot be compared") as refused:
        judge(*sides(after, run("before", {"x": noise(0)})), {})
    assert reason in refused.value.message


def test_a_baseline_without_any_contributions_is_refused() -> None:
    with pytest.raises(DataError, match="no headline value"):
        judge(*sides(made_up.record("now"), made_up.record("before")), {})


def test_a_margin_for_what_is_not_gated_is_refused() -> None:
    records = run("now", {"x": noise(0)}), run("before", {"x": noise(0)})
    with pytest.raises(UsageError, match="not gated"):
        judge(*sides(*records), {"y": 0.1})


def test_damaged_contributions_are_named() -> None:
    record = run("now", {"x": noise(0)})
    value = record.scores[0].values["mean"]
    assert value.contributions is not None
    parts = value.contributions.model_copy(update={"parts": "AAA"})
    damaged = changed(record, values={"mean": value.model_copy(update={"contributions": parts})})
    with pytest.raises(DataError, match="damaged"):
        judge(*sides(damaged, run("before", {"x": noise(0)})), {})


def test_a_baseline_file_judges_as_its_run_does(tmp_path: Path) -> None:
    before, after = run("before", {"x": noise(1), "y": noise(2)}), run("now", {"x": noise(3), "y": noise(4)})
    file = tmp_path / "baseline.json"
    write_baseline(before, file)
    assert judge(side_of(after), load_side(file), {}) == judge(*sides(after, before), {})


def test_a_baseline_file_stays_small_whatever_n_is(tmp_path: Path) -> None:
    """100 blocks of float32 in base64 are 536 characters a value; the rest of a value is under 700."""
    sizes = []
    for count in (120, 4000):
        file = tmp_path / f"{count}.json"
        write_baseline(run("before", {"x": noise(1, count=count)}), file)
        sizes.append(file.stat().st_size)
    assert max(sizes) < 2200


def test_what_is_no_baseline_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    with pytest.raises(UsageError, match="no such file"):
        load_side(file)
    file.write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="not JSON"):
        load_side(file)
    file.write_text(json.dumps({"kind": "unipath-bench gate baseline", "n": "x"}), encoding="utf-8")
    with pytest.raises(UsageError, match="not a valid Baseline"):
        load_side(file)
