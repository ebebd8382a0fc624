"""``leaderboard build``, from boards on the disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.leaderboard.site.made_up_boards import made_up_board
from tests.leaderboard.site.test_site_pages import read
from unipath_bench.cli.app import invoke
from unipath_bench.core.errors import EXIT_DONE, EXIT_USAGE


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    """One board with four entries, the first with a picture, as a pull request would leave it."""
    made = made_up_board(4)
    folder = tmp_path / "boards" / "made-up"
    for number, (name, behind) in enumerate(sorted(made.entries.items())):
        entry = folder / "entries" / name
        entry.mkdir(parents=True)
        (entry / "entry.json").write_text(behind.entry.model_dump_json(), encoding="utf-8")
        (entry / "record.json").write_text(behind.record.model_dump_json(), encoding="utf-8")
        if number == 0:
            Image.new("RGB", (64, 32), (231, 190, 214)).save(entry / "samples.png")
    (folder / "board.yaml").write_text(yaml.safe_dump(json.loads(made.board.model_dump_json())), encoding="utf-8")
    return folder.parent


@pytest.mark.integration
def test_the_site_of_the_boards_in_a_folder(boards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "site"
    assert invoke(["leaderboard", "build", "--boards", str(boards), "--out", str(out)]) == EXIT_DONE
    assert str(out / "index.html") in capsys.readouterr().out
    assert len(read(out / "made-up" / "index.html").rows["standings"]) == 1 + 4
    assert sorted(p.name for p in (out / "made-up" / "models").iterdir()) == [
        "model-000-r1.html",
        "model-000-r1.webp",
        "model-000-r2.html",
        "model-001-r1.html",
        "model-001-r2.html",
    ]


def test_a_folder_without_boards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["leaderboard", "build", "--boards", str(tmp_path), "--out", str(tmp_path / "site")]
    assert invoke(arguments) == EXIT_USAGE
    assert "There is no board" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "site").exists()
