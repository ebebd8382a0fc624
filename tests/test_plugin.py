"""A third-party package, installed on its own, used through the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

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
    assert {"name": "mixed", "target": "bench_plugin.loader:LOADER", "provider": "bench-plugin 0.1.0"} in rows[
        "loaders"
    ]
    assert {r["name"] for r in rows["executors"]} == {"backwards", "local", "processes", "ray"}
    assert {r["name"] for r in rows["outputs"]} == {"mlflow", "report", "stopwatch"}
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
    assert gap["value"] > gap["good_end"] > 0
    assert scores["frechet-distance[texture]"]["status"] == "computed"


def test_its_executor_loader_and_output_are_part_of_a_run(
    cli, plugin: dict[str, str], small_tiles: Path, tmp_path: Path
) -> None:
    save_file({"matrix": torch.eye(3)[:, [0, 1, 2, 0]] + 1}, tmp_path / "weights.safetensors")
    facts = {"name": "mine", "loader": "mixed", "pooling": "mean", "dimension": 4, "path": "weights.safetensors"}
    recipe = {"input_size": 32, "resize": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3, "licence": "MIT"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**facts, **recipe}))
    common = ["run", "--model", "stripes", "--suite", "folder", "--data", small_tiles, "--no-mlflow"]
    common += ["--tasks", "frechet-distance", "--encoder", "mine.yaml"]
    done = cli(*common, "--executor", "backwards", "--out", "a", cwd=tmp_path, env=plugin)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "a" / "runs").iterdir()
    lines = [" ".join(line.split()[:2]) for line in done.stdout.splitlines()]
    assert lines[-4:] == [
        f"Record a/runs/{folder.name}/record.json",
        f"Report a/runs/{folder.name}/report.html",
        "MLflow not",
        f"Stopwatch a/runs/{folder.name}/stopwatch.txt",
    ]
    assert (folder / "stopwatch.txt").read_text().startswith(f"{folder.name}: ")
    forwards = cli(*common, "--out", "b", "--json", cwd=tmp_path, env=plugin)
    scores = json.loads(forwards.stdout)["scores"]
    assert {score["status"] for score in scores} == {"computed"}
    assert scores == json.loads((folder / "record.json").read_text())["scores"]


def test_what_its_executor_and_loader_do_not_take_is_refused(
    cli, plugin: dict[str, str], small_tiles: Path, tmp_path: Path
) -> None:
    common = ["run", "--model", "stripes", "--suite", "folder", "--data", small_tiles, "--no-mlflow"]
    name = "bench_plugin.executor:Backwards"
    refused = cli(*common, "--executor", name, "--workers", "3", cwd=tmp_path, env=plugin)
    assert refused.returncode == 2
    assert f"--executor {name} has one worker" in " ".join(refused.stderr.split())
    near = cli(*common, "--executor", "backward", cwd=tmp_path, env=plugin)
    assert near.returncode == 2
    assert "Did you mean 'backwards'" in near.stderr
    (tmp_path / "mine.yaml").write_text("name: mine\nlike: uni\nloader: mixed\npath: weights.bin\n")
    pooling = cli(*common, "--encoder", "mine.yaml", cwd=tmp_path, env=plugin)
    assert pooling.returncode == 2
    assert "the loader mixed offers mean" in " ".join(pooling.stderr.split())


def test_its_command_is_a_subcommand(cli, plugin: dict[str, str], tmp_path: Path) -> None:
    assert cli("hello", "world", cwd=tmp_path, env=plugin).stdout == "hello from a plugin\n"
    assert "hello" in cli("--help", cwd=tmp_path, env=plugin).stdout


def test_without_it_nothing_of_it_is_known(cli, tmp_path: Path) -> None:
    refused = cli("run", "--model", "stripes", cwd=tmp_path)
    assert refused.returncode == 2
    assert "stripes" in refused.stderr
