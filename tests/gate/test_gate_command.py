"""``gate`` and ``compare --html`` as a user meets them: exit codes, what is printed, what is written."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest

from tests import made_up_records as made_up
from tests.gate.made_up_runs import run
from unipath_bench.cli.app import invoke
from unipath_bench.gate.baseline import Baseline
from unipath_bench.gate.speed import REFERENCE
from unipath_bench.schema.record import RunRecord


def folder(path: Path, record: RunRecord) -> str:
    path.mkdir()
    (path / "record.json").write_text(record.model_dump_json(), encoding="utf-8")
    made_up.exhibits().save(path / "exhibits")
    return str(path)


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, str]:
    """A run, the same a little better, the same much worse, and one of another suite."""
    values = 0.5 + 0.1 * np.random.default_rng(0).normal(size=120)
    found = {
        name: folder(tmp_path / name, run(name, {"control": values + change}))
        for name, change in (("before", 0.0), ("better", 0.05), ("worse", -0.2))
    }
    found["other"] = folder(tmp_path / "other", run("other", {"control": values}, suite_revision="else"))
    return found


@pytest.mark.integration
def test_exit_codes(runs: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    before = runs["before"]
    assert invoke(["gate", runs["better"], "--against", before]) == 0
    assert "Passed" in capsys.readouterr().out
    assert invoke(["gate", runs["worse"], "--against", before]) == 5
    text = " ".join(capsys.readouterr().out.split())
    assert "Regressed: control[texture]: Control is worse by 0.2" in text
    assert "Holm (1979)" in text
    assert invoke(["gate", runs["worse"], "--against", before, "--margin", "control=0.3"]) == 0
    assert invoke(["gate", runs["other"], "--against", before]) == 4
    assert "suite revision" in capsys.readouterr().err
    assert invoke(["gate", before]) == 2
    assert invoke(["gate", before, "--against", before, "--tolerance", "0.1"]) == 2
    assert invoke(["gate", before, "--against", before, "--margin", "clip-score=1"]) == 2


@pytest.mark.parametrize("columns", ["80", "200"])
def test_on_a_narrow_console_every_value_keeps_its_name_and_outcome(
    runs: dict[str, str], columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert invoke(["gate", runs["worse"], "--against", runs["before"]]) == 5
    line = next(line for line in capsys.readouterr().out.splitlines() if "control[texture]" in line)
    assert "regressed" in line
    assert " 0.2" in line
    assert "…" not in line


def test_a_baseline_file_and_json(runs: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "baselines" / "tiny.json"
    assert invoke(["gate", runs["before"], "--write-baseline", str(file)]) == 0
    document = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.validate(document, Baseline.model_json_schema())
    capsys.readouterr()
    assert invoke(["gate", runs["worse"], "--against", str(file), "--json"]) == 5
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["regressed"]
    assert verdict["judged"][0]["worse_by"] == pytest.approx(0.2)


def test_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {}
    for name, time in (("before", 1.0), ("slow", 2.0)):
        entries = [{"name": REFERENCE, "stats": {"min": 1.0}}, {"name": "kid", "stats": {"min": time}}]
        files[name] = tmp_path / f"{name}.json"
        files[name].write_text(json.dumps({"benchmarks": entries}), encoding="utf-8")
    before, slow = str(files["before"]), str(files["slow"])
    assert invoke(["gate", "--speed", before, "--against", before]) == 0
    assert invoke(["gate", "--speed", slow, "--against", before]) == 5
    assert "kid: +100.0%" in capsys.readouterr().out
    assert invoke(["gate", "--speed", slow, "--against", before, "--tolerance", "1.5"]) == 0
    assert invoke(["gate", "--speed", slow, "--against", before, "--reference", "absent"]) == 4
    assert invoke(["gate", "--speed", slow, "--against", before, "--margin", "kid=1"]) == 2


def test_compare_writes_one_page_that_asks_nothing_of_the_network(
    runs: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert invoke(["compare", runs["before"], runs["worse"], "--html", str(page), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    pair = document["rows"][0]["pairs"][0]
    assert pair["difference"] == pytest.approx(0.2)
    assert (pair["significant"], pair["better"]) == (True, 0)
    html = page.read_text(encoding="utf-8")
    assert html.count("<img") == 4 * 3  # four prompts: the real image and one of each run
    assert 'src="http' not in html
    assert "<script" not in html
    assert "A is better" in html


def test_a_page_without_images_and_with_other_suites(runs: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    records = [f"{runs[name]}/record.json" for name in ("before", "better", "other")]
    assert invoke(["compare", *records, "--html", str(page)]) == 0
    assert "suite revision differ" in page.read_text(encoding="utf-8")
