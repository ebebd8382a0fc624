"""A package outside the project, on a board by the commands that the documentation gives."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.html_pages import Page
from tests.leaderboard.forging import board_of
from unipath_bench.schema.base import load_yaml
from unipath_bench.schema.board import Board
from unipath_bench.schema.record import RunRecord

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
DOCUMENTED = ROOT / "docs" / "leaderboard.md"
SMALL = (
    "--suite-arg train=64 --suite-arg test=32 --tasks kernel-distance,clip-score,image-to-image-recall,memorisation "
    "--n 32"
)
"""What the test puts in the place of the documented --n 256, so that it takes seconds."""


def documented_commands() -> list[list[str]]:
    """The commands of the section for submitters, one a line, with continuation lines joined."""
    section = DOCUMENTED.read_text(encoding="utf-8").partition("## Submit a run")[2]
    block = section.partition("```bash\n")[2].partition("```")[0].replace("\\\n", " ")
    lines = [line.partition("  #")[0].strip() for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which the package of tests/plugin is installed, in a folder of its own."""
    target, wheels = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("wheels")
    source = ROOT / "tests" / "plugin"
    build: list[str | Path] = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, source]
    subprocess.run(build, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "zipfile", "-e", next(wheels.glob("*.whl")), target], check=True)
    return {"PYTHONPATH": os.pathsep.join([str(target)])}


def test_run_submit_validate_add_rank_and_build(cli, plugin: dict[str, str], tmp_path: Path) -> None:
    """The documented commands, with a smaller suite and a board for it."""
    commands = documented_commands()
    assert [" ".join(words[1:3]) for words in commands] == [
        "run --model",
        "submit runs/runs/RUN",
        "leaderboard validate",
        "leaderboard add",
        "leaderboard rank",
        "leaderboard build",
    ]
    run, submit, validate, add, rank, build = (words[1:] for words in commands)
    place = run.index("--n")
    run[place : place + 2] = shlex.split(SMALL)
    ran = cli(*run, "--json", cwd=tmp_path, env=plugin)
    assert ran.returncode == 0, ran.stderr
    record = RunRecord.model_validate_json(ran.stdout)
    board = tmp_path / "leaderboards" / "phantom"
    board.mkdir(parents=True)
    rules = board_of(record).model_copy(update={"name": "phantom"})
    (board / "board.yaml").write_text(yaml.safe_dump(rules.model_dump(mode="json")))
    assert load_yaml(Board, board / "board.yaml") == rules

    def call(words: list[str], *more: str) -> str:
        filled = [word.replace("runs/runs/RUN", f"runs/runs/{record.name}") for word in words]
        done = cli(*filled, *more, cwd=tmp_path, env=plugin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call(submit)
    report = json.loads(call(validate, "--json", "--cache", "cache"))
    assert report["verdict"] == "accepted"
    assert {check["status"] for check in report["checks"]} == {"passed"}
    assert next(c["detail"] for c in report["checks"] if c["name"] == "regenerated") == "4 of 4 equal"
    call(add, "--cache", "cache")
    entry = json.loads((board / "entries" / "stripes-1" / "entry.json").read_text())
    assert entry["archive_sha256"] == report["sha256"]
    (row,) = json.loads(call(rank, "--json"))["rows"]
    assert (row["name"], row["model"], row["rank"], row["reasons"]) == ("stripes-1", "stripes", 1, [])
    call(build)
    standings = Page((tmp_path / "site" / "phantom" / "index.html").read_text(encoding="utf-8"))
    assert standings.rows["standings"][1][0].strip() == "1"
    assert "models/stripes-1.html" in {link.get("href") for link in standings.all("a")}
    own = Page((tmp_path / "site" / "phantom" / "models" / "stripes-1.html").read_text(encoding="utf-8"))
    for said in ("A. Stranger", entry["archive_sha256"], record.run_id):
        assert said in own.text
    assert (tmp_path / "site" / "phantom" / "models" / "stripes-1.webp").is_file()  # the enclosed images


def test_the_adapter_in_the_archive_is_the_package(cli, plugin: dict[str, str], tmp_path: Path) -> None:
    code = (
        "from unipath_bench.leaderboard.submission.provenance import describe_adapter\n"
        "from types import SimpleNamespace as N\n"
        "print(describe_adapter(N(model=N(adapter=''), model_spec='stripes')).model_dump_json())\n"
    )
    environment = {**os.environ, **plugin}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert (found["target"], found["package"], found["version"]) == (
        "bench_plugin.generator:Stripes",
        "bench-plugin",
        "0.1.0",
    )
    assert found["files"] == len(list((ROOT / "tests/plugin/src/bench_plugin").glob("*.py")))
