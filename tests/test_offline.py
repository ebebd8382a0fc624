"""Without a network: the default and a local pipeline run, and what is not there is named at once.

Each command runs in a process of its own in which every way out is blocked and written down, so that a silent attempt
is seen too. Times are processor times: they do not depend on what else the machine does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[1]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LIMIT = 5.0
"""Seconds of processor time within which a missing model is named."""

BLOCKED = """
import json, socket, sys, time
from pathlib import Path

note, *arguments = sys.argv[1:]
attempts = []
connect = socket.socket.connect


def refuse(*what, **more):
    attempts.append(repr(what))
    raise OSError("the network is blocked")


def local_only(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        refuse(address)
    return connect(self, address)


socket.socket.connect = socket.socket.connect_ex = local_only
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refuse

from unipath_bench.cli.app import invoke

code = invoke(arguments)
found = {"attempts": attempts, "seconds": time.process_time(), "torch": "torch" in sys.modules}
Path(note).write_text(json.dumps(found))
sys.exit(code)
"""


@dataclass(frozen=True)
class Outcome:
    """What a command without a network did."""

    code: int
    printed: str
    errors: str
    attempts: Sequence[str]
    seconds: float
    torch: bool


@pytest.fixture
def blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command line without a network and with an empty hub cache."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str | Path) -> Outcome:
        note = tmp_path / "note.json"
        done = subprocess.run(
            [sys.executable, "-c", BLOCKED, str(note), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert note.is_file(), done.stderr
        found = json.loads(note.read_text())
        return Outcome(done.returncode, done.stdout, done.stderr, found["attempts"], found["seconds"], found["torch"])

    return call


def test_the_default_runs_offline(blocked, tmp_path: Path) -> None:
    done = blocked(
        "run",
        "--model",
        "unipath",
        "--model-arg",
        "steps=1",
        "--suite-arg",
        "train=32",
        "--suite-arg",
        "test=32",
        "--tasks",
        "precision-recall",
        "--n",
        "8",
        "--offline",
        "--out",
        tmp_path / "out",
    )
    assert done.code == 0, done.errors
    assert done.attempts == []


def test_a_local_diffusers_pipeline_runs_offline(blocked, small_tiles: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from tests.generators.tiny_pipelines import save_unet_pipeline; save_unet_pipeline(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "tiny"], check=True, capture_output=True, cwd=ROOT)
    done = blocked(
        "run",
        "--model",
        "diffusers",
        "--model-arg",
        f"model={tmp_path / 'tiny'}",
        "--model-arg",
        "steps=1",
        "--suite",
        "folder",
        "--data",
        small_tiles,
        "--tasks",
        "precision-recall",
        "--n",
        "8",
        "--offline",
        "--out",
        tmp_path / "out",
    )
    assert done.code == 0, done.errors
    assert done.attempts == []


def test_a_hub_id_that_is_not_in_the_cache_is_named_at_once(blocked, small_tiles: Path, tmp_path: Path) -> None:
    done = blocked(
        "run",
        "--model",
        "diffusers",
        "--model-arg",
        "model=owner/tiny",
        "--model-arg",
        f"revision={COMMIT}",
        "--suite",
        "folder",
        "--data",
        small_tiles,
        "--offline",
        "--out",
        tmp_path / "out",
    )
    assert done.code == 3, done.errors
    assert "What to do:" in done.errors
    assert f"hf download owner/tiny --revision {COMMIT}" in " ".join(done.errors.split())
    assert "Traceback" not in done.errors
    assert done.attempts == []
    assert not done.torch
    assert done.seconds < LIMIT


def test_without_offline_the_blocked_network_is_named_too(blocked, small_tiles: Path, tmp_path: Path) -> None:
    done = blocked(
        "run",
        "--model",
        "diffusers",
        "--model-arg",
        "model=owner/tiny",
        "--model-arg",
        f"revision={COMMIT}",
        "--suite",
        "folder",
        "--data",
        small_tiles,
        "--tasks",
        "precision-recall",
        "--n",
        "8",
        "--out",
        tmp_path / "out",
    )
    assert done.code == 3, done.errors
    assert "What to do:" in done.errors
    assert "owner/tiny" in done.errors
    assert "Traceback" not in done.errors
    assert any("huggingface.co" in attempt for attempt in done.attempts)
