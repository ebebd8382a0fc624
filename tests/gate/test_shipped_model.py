"""unipath-tiny and its baselines, which ``tests/baselines/write.sh`` writes: every change is gated against them."""

from __future__ import annotations

import json
from configparser import ConfigParser
from pathlib import Path

import pytest

from unipath_bench.core.errors import EXIT_DONE, EXIT_REGRESSION
from unipath_bench.core.registries import ENCODERS
from unipath_bench.gate.baseline import Baseline, load_side
from unipath_bench.gate.judging import judge
from unipath_bench.schema.base import parse_json
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.suites.card import load_suite

ROOT = Path(__file__).parents[2]
WHOLE = ROOT / "tests" / "baselines" / "unipath-tiny.json"
"""256 prompts and all tasks: what the workflows gate against."""
QUICK = WHOLE.with_name("unipath-tiny-64.json")
"""What is gated against here."""


@pytest.mark.parametrize("path", [WHOLE, QUICK], ids=lambda path: path.stem)
def test_a_run_of_today_can_be_compared_with_the_baseline(path: Path) -> None:
    """Else the gate would end with 4: a task, an encoder or the suite has changed, and the baseline with it."""
    baseline, tasks = parse_json(Baseline, path), load_tasks()
    assert (baseline.model, baseline.suite_kind) == ("unipath", "phantom")
    assert baseline.suite_revision == load_suite("phantom", None, {}).revision
    for score in baseline.scores:
        assert score.version == tasks[score.task].version, score.key
        assert score.encoder_digest == ENCODERS.get(score.encoder or "")().card.digest(), score.key


def test_the_workflows_gate_every_task_of_the_phantom() -> None:
    side = load_side(WHOLE)
    phantom = {name for name, spec in load_tasks().items() if spec.suites != "tissue" and spec.encoder is not None}
    assert {score.task for score in side.scores} == phantom
    verdict = judge(side, side, {})
    assert (len(verdict.judged), verdict.not_judged, verdict.regressed) == (len(phantom), (), False)
    baseline = WHOLE.relative_to(ROOT).as_posix()
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    commands = tox["testenv:gate"]["commands"]
    assert f"--model unipath --suite phantom --tiers 1-4 --n {side.prompts} " in commands
    assert f"{{posargs:{baseline}}}" in commands
    for name in ("gate", "gpu"):
        workflow = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
        assert f'git show "$BASE:{baseline}" > "$RUNNER_TEMP/baseline.json"' in workflow
        assert '$TOX run -e gate -- "$RUNNER_TEMP/baseline.json"' in workflow


@pytest.mark.integration
@pytest.mark.timeout(3600)
def test_the_shipped_weights_pass_and_a_damaged_model_is_stopped(cli, tmp_path: Path) -> None:
    """The model as it is, and drawn in two steps of its sampler instead of thirty."""
    baseline = parse_json(Baseline, QUICK)
    asked = ["--suite", "phantom", "--n", str(baseline.n), "--tasks", ",".join(score.task for score in baseline.scores)]

    def gate(*model: str) -> tuple[int, dict]:
        ran = cli(
            "run",
            "--model",
            "unipath",
            *model,
            *asked,
            "--offline",
            "--out",
            "runs",
            "--json",
            cwd=tmp_path,
            timeout=1800,
        )
        assert ran.returncode == EXIT_DONE, ran.stderr
        run = tmp_path / "runs" / "runs" / json.loads(ran.stdout)["name"]
        gated = cli("gate", run, "--against", QUICK, "--json", cwd=tmp_path)
        return gated.returncode, json.loads(gated.stdout)

    code, verdict = gate()
    assert (code, [each["key"] for each in verdict["judged"] if each["regressed"]]) == (EXIT_DONE, [])
    assert len(verdict["judged"]) == len(baseline.scores)
    code, verdict = gate("--model-arg", "steps=2")
    assert (code, verdict["regressed"]) == (EXIT_REGRESSION, True)
