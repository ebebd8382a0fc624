"""A third-party package, installed on its own, used through the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which the plugin is installed, in a folder of its own."""
    target = tmp_path_factory.mktemp("site")
    wheels = tmp_path_factory.mktemp("wheels")
    build: list[str | Path] = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, PLUGIN]
    subprocess.run(build, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "zipfile", "-e", next(wheels.glob("*.whl")), target], check=True)
    return {"PYTHONPATH": os.pathsep.join([str(target)])}


def test_its_parts_are_listed_with_their_provider(cli, plugin: dict[str, str], tmp_path: Path) -> None:
    rows = json.loads(cli("list", "--json", cwd=tmp_path, env=plugin).stdout)
    assert {"name": "stripes", "provider": "bench-plugin 0.1.0"}.items() <= next(
        r for r in rows["models"] if r["name"] == "stripes"
    ).items()
    assert "mean-colour" in {r["name"] for r in rows["encoders"]}
    assert "colour_gap" in {r["name"] for r in rows["metrics"]}
    assert "colour-gap" in {r["name"] for r in rows["tasks"]}


def test_its_generator_encoder_metric_and_task_run(
    cli, plugin: dict[str, str], small_tiles: Path, tmp_path: Path
) -> None:
    done = cli(
        "run",
        "--model",
        "stripes",
        "--model-arg",
        "period=6",
        "--suite",
        "folder",
        "--data",
        small_tiles,
        "--tasks",
        "colour-gap,frechet-distance",
        "--json",
        cwd=tmp_path,
        env=plugin,
    )
    assert done.returncode == 0, done.stderr
    scores = {s["key"]: s for s in json.loads(done.stdout)["scores"]}
    gap = scores["colour-gap[mean-colour]"]["values"]["gap"]
    assert gap["value"] > gap["floor"] > 0
    assert scores["frechet-distance[texture]"]["status"] == "computed"


def test_its_command_is_a_subcommand(cli, plugin: dict[str, str], tmp_path: Path) -> None:
    assert cli("hello", "world", cwd=tmp_path, env=plugin).stdout == "hello from a plugin\n"
    assert "hello" in cli("--help", cwd=tmp_path, env=plugin).stdout


def test_without_it_nothing_of_it_is_known(cli, tmp_path: Path) -> None:
    refused = cli("run", "--model", "stripes", cwd=tmp_path)
    assert refused.returncode == 2
    assert "stripes" in refused.stderr
