"""The scripts beside the boards: filling one, and validating what a pull request changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.leaderboard.forging import Arena

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


def call(script: str, *arguments: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script with this interpreter's commands first in the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [ROOT / "leaderboards" / script, *arguments],
        cwd=cwd,
        env={**os.environ, "PATH": path, **env},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def git(*arguments: str, cwd: Path) -> str:
    name = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", *name, *arguments], cwd=cwd, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_board_is_filled_and_what_changed_is_validated(arena: Arena, tmp_path: Path) -> None:
    """One baseline on the tiny suite; then the entry as a pull request, sound and with a forged record."""
    checkout = tmp_path / "checkout"
    board = checkout / "leaderboards" / "tiny"
    shutil.copytree(arena.board, board)
    git("init", "-q", cwd=checkout)
    git("add", ".", cwd=checkout)
    git("commit", "-qm", "a board", cwd=checkout)
    base = git("rev-parse", "HEAD", cwd=checkout)
    suite = "--suite phantom --suite-arg train=64 --suite-arg test=32 --tasks clip-score,kernel-distance,memorisation"
    suite += " --tasks image-to-image-recall"
    fill = ("fill.sh", tmp_path / "runs", tmp_path / "archives", "noise")
    settings = {"BOARD": str(board), "N": "32", "SUITE": suite, "TITLE": "White noise"}
    filled = call(*fill, cwd=tmp_path, **settings)
    assert filled.returncode == 0, filled.stderr
    assert "an oracle" in filled.stdout
    entry = json.loads((board / "entries" / "noise" / "entry.json").read_text())
    assert (entry["name"], entry["submitter"]) == ("noise", "The UniPath-Bench developers")
    assert entry["title"] == "White noise"
    again = call(*fill, cwd=tmp_path, **settings)
    assert (again.returncode, "noise: is an entry already" in again.stdout) == (0, True), again.stderr

    git("add", ".", cwd=checkout)
    git("commit", "-qm", "an entry", cwd=checkout)
    sound = call("validate-changed.sh", checkout, base, cwd=tmp_path)
    assert (sound.returncode, "tiny-noise: accepted" in sound.stdout) == (0, True), sound.stdout + sound.stderr

    record = board / "entries" / "noise" / "record.json"
    record.write_text(record.read_text().replace('"device": "cpu"', '"device": "cuda"'))
    (board / "entries" / "noise" / "deep").mkdir()
    (board / "entries" / "noise" / "deep" / "evil.py").write_text("print('hello')")
    git("add", ".", cwd=checkout)
    git("commit", "-qm", "forged", cwd=checkout)
    forged = call("validate-changed.sh", checkout, base, cwd=tmp_path)
    assert forged.returncode == 4
    assert "tiny-noise: refused" in forged.stdout
    assert "record.json is not the archive's" in forged.stdout
    assert "leaderboards/tiny/entries/noise/deep/evil.py" in forged.stdout
