"""Encoders through the command line: local saves of every loader kind, absent ones, doctor, verify."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.encoders.small_saves import save, small_clip, small_keep, small_open_clip, small_timm, small_vision
from unipath_bench.cli.app import invoke
from unipath_bench.encoders.pattern import pattern_digest, pattern_images
from unipath_bench.encoders.spec import EncoderSpec

KINDS = {
    "timm": small_timm("virchow2"),
    "vision": small_vision(),
    "clip": small_clip(),
    "open_clip": small_open_clip(),
    "keep": small_keep(),
}

NO_SOCKETS = """
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError("a socket was asked for")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from unipath_bench.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A YAML file of each loader kind, with its weights in a folder beside it."""
    root = tmp_path_factory.mktemp("encoders")
    written = {}
    for kind, spec in KINDS.items():
        save(spec, root / kind)
        written[kind] = _write(spec, root / kind, root / f"{kind}.yaml")
    return written


def _write(spec: EncoderSpec, folder: Path, path: Path) -> Path:
    facts = spec.model_dump(mode="json", exclude_unset=True, exclude={"hub_id", "revision", "sha256", "gated"})
    path.write_text(yaml.safe_dump({**facts, "path": str(folder)}))
    return path


def _blocked(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", NO_SOCKETS, *map(str, arguments)],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "OMP_NUM_THREADS": "1", **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Places of weights in which there is nothing."""
    places = {
        "UNIPATH_BENCH_WEIGHTS": str(tmp_path / "none"),
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_CACHE": str(tmp_path / "hf"),
        "TORCH_HOME": str(tmp_path / "torch"),
    }
    for key, value in places.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    return places


@pytest.mark.integration
@pytest.mark.parametrize("kind", KINDS)
def test_a_local_save_is_verified_offline(
    kind: str,
    files: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a socket was asked for"))
    out = tmp_path / "features.json"
    assert invoke(["encoders", "verify", str(files[kind]), "--offline", "--write", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found == json.loads(out.read_text())
    assert "no published digest" in printed.err
    assert np.array(found["features"]).shape == (4, KINDS[kind].dimension)
    assert invoke(["encoders", "verify", str(files[kind]), "--expect", str(out)]) == 0
    assert "Agrees with" in capsys.readouterr().out


@pytest.mark.integration
def test_features_that_differ_are_refused(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "features.json"
    assert invoke(["encoders", "verify", str(files["vision"]), "--write", str(out)]) == 0
    content = json.loads(out.read_text())
    rows = np.array(content["features"])
    step = 0.01 * np.sqrt((rows**2).mean())
    content["features"][2][1] += step
    out.write_text(json.dumps(content))
    assert invoke(["encoders", "verify", str(files["vision"]), "--expect", str(out)]) == 4
    assert "1.00e-02" in capsys.readouterr().err
    assert invoke(["encoders", "verify", str(files["vision"]), "--expect", str(out), "--tolerance", "0.02"]) == 0
    content["encoder_digest"] = "0" * 64
    out.write_text(json.dumps(content))
    assert invoke(["encoders", "verify", str(files["vision"]), "--expect", str(out)]) == 4
    assert "of another encoder" in capsys.readouterr().err


@pytest.mark.integration
def test_a_run_in_a_users_own_encoder_with_sockets_blocked(
    files: dict[str, Path], small_tiles: Path, tmp_path: Path
) -> None:
    done = _blocked(
        "run",
        "--model",
        "real",
        "--suite",
        "folder",
        "--data",
        small_tiles,
        "--tasks",
        "frechet-distance",
        "--encoder",
        files["vision"],
        "--offline",
        "--out",
        tmp_path,
        "--json",
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    (score,) = record["scores"]
    assert score["key"] == f"frechet-distance[{KINDS['vision'].name}]"  # the name in the file, not the file's place
    assert str(files["vision"].parent) not in json.dumps(record["plan"])
    assert record["plan"]["encoders"][KINDS["vision"].name]["revision"].startswith("sha256:")


@pytest.mark.integration
def test_a_run_in_a_users_own_encoder_on_real_tiles(files: dict[str, Path], real_tiles: Path, tmp_path: Path) -> None:
    done = _blocked(
        "run",
        "--model",
        "real",
        "--suite",
        "folder",
        "--data",
        real_tiles,
        "--tasks",
        "kernel-distance",
        "--n",
        "64",
        "--encoder",
        files["timm"],
        "--offline",
        "--out",
        tmp_path,
        "--json",
    )
    assert done.returncode == 0, done.stderr
    (score,) = json.loads(done.stdout)["scores"]
    assert (score["key"], score["n_images"]) == (f"kernel-distance[{KINDS['timm'].name}]", 64)


@pytest.mark.integration
def test_an_absent_hub_encoder_ends_the_run_with_code_3_and_the_remedy_in_five_seconds(
    small_tiles: Path, tmp_path: Path, nothing: dict[str, str]
) -> None:
    command = (
        "run",
        "--model",
        "real",
        "--suite",
        "folder",
        "--data",
        small_tiles,
        "--tiers",
        "1",
        "--encoder",
        "uni2-h",
        "--out",
        tmp_path,
    )
    before = os.times()
    done = _blocked(*command, env=nothing)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert done.returncode == 3, done.stderr
    for part in ("'uni2-h' is not available", "https://huggingface.co/MahmoodLab/UNI2-h", "HF_TOKEN", "hf download"):
        assert part in done.stderr
    assert spent < 5, f"{spent:.1f} s of processor time"
    assert not (tmp_path / "store").exists()


def test_doctor_says_which_would_load_and_why_not(
    files: dict[str, Path], nothing: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    save(small_clip(), Path(nothing["UNIPATH_BENCH_WEIGHTS"]) / "plip")
    assert invoke(["doctor", "--encoders", "--offline", "--json"]) == 0
    states = {state["name"]: state for state in json.loads(capsys.readouterr().out)}
    assert states["plip"]["remedy"] is None  # the right files; whether they are the pinned ones shows at loading
    assert states["plip"]["place"] == "UNIPATH_BENCH_WEIGHTS"
    assert states["texture"]["remedy"] is None
    assert "curl -L" in states["inception-v3"]["remedy"]
    assert (states["virchow2"]["loader"], states["virchow2"]["dimension"], states["virchow2"]["gated"]) == (
        "timm",
        2560,
        True,
    )
    assert "HF_TOKEN" in states["virchow2"]["remedy"]
    assert "--trust-remote-code" in states["conch-v1.5"]["remedy"]


def test_show_prints_a_specification(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["encoders", "show", "prov-gigapath"]) == 0
    facts = yaml.safe_load(capsys.readouterr().out)
    assert (facts["resize_to"], facts["input_size"], facts["loader"]) == (256, 224, "timm")
    assert invoke(["encoders", "show", "texture", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "texture"
    assert invoke(["encoders", "show", "unni"]) == 2
    assert "'uni'" in capsys.readouterr().err


def test_the_test_images_are_those_of_the_formula() -> None:
    images = pattern_images()
    assert images.shape == (4, 256, 256, 3)
    for k, y, x, c in ((0, 0, 0, 0), (1, 255, 3, 2), (3, 17, 200, 1), (2, 128, 61, 0)):
        rings = ((x - 30 * k) ** 2 + (y - 50 * c) ** 2) // (64 * (k + 1))
        assert images[k, y, x, c] == ((k + 1) * x + (c + 1) * y + rings) % 256
    assert len(pattern_digest()) == 64
