"""What a tired user types: every mistake has an exit code, names the thing, and says what to do. Never a traceback."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unipath_bench.cli.app import invoke

Output = pytest.CaptureFixture[str]


def refuse(capsys: Output, code: int, *arguments: str | Path) -> str:
    """Run a command that must fail with ``code``; returns what it printed on standard error, white space folded."""
    assert invoke([str(a) for a in arguments]) == code
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    assert code == 2 or "What to do:" in printed
    return " ".join(printed.split())


@pytest.fixture
def tiles(small_tiles: Path, tmp_path: Path) -> Path:
    """A copy of the small tiles that a test may spoil."""
    return Path(shutil.copytree(small_tiles, tmp_path / "tiles"))


def run(data: Path, out: Path, *more: str | Path) -> list[str | Path]:
    return ["run", "--model", "tests.adapters:Painter", "--suite", "folder", "--data", data, "--out", out, *more]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, "No generator was named"),
        (["run", "--model", "memorizer"], 2, "Did you mean 'memoriser'"),
        (["run", "--model", "real", "--suite", "foldr"], 2, "'folder'"),
        (["run", "--model", "real", "--tiers", "5"], 2, "Tiers are 1 to 4"),
        (["run", "--model", "real", "--tiers", "3-1"], 2, "Write 1-3"),
        (["run", "--model", "real", "--tasks", "frechet-distanze"], 2, "frechet-distance"),
        (["run", "--model", "real", "--encoder", "textur"], 2, "'texture'"),
        (["run", "--model", "real", "--encoder", "jury=texture"], 2, "Roles are"),
        (["run", "--model", "real", "--model-arg", "steps"], 2, "KEY=VALUE"),
        (["run", "--model", "no_module_like_this:Thing"], 2, "no module 'no_module_like_this'"),
        (["run", "--model", "tests.adapters:Thing"], 2, "no attribute 'Thing'"),
        (["run", "--model", "tests.adapters:NO_GENERATOR"], 2, "Generator"),
        (["run", "--model", "tests.adapters:Painter", "--model-arg", "colour=red"], 2, "colour"),
        (["run", "--model", "absent.yaml"], 2, "absent.yaml"),
        (["run", "--model", "real", "--images", "."], 2, "--images goes with --model folder"),
        (["run", "--model", "real", "--suite", "folder"], 2, "--data"),
        (["run", "--model", "real", "--suite", "folder", "--data", "no/such/folder"], 2, "no/such/folder"),
        (["run", "--model", "real", "--n", "100000"], 2, "--n is 100000"),
        (["show", "memorizer"], 2, "Did you mean 'memoriser'"),
        (["list", "modles"], 2, "Did you mean 'models'"),
        (["schema", "RunRekord"], 2, "Did you mean 'RunRecord'"),
        (["report", "no/such/run"], 2, "no such file"),
        (["compare", "one/run"], 2, "two runs or more"),
        (["ui", "--out", "no/such/folder"], 2, "no tracked runs"),
        (["rum"], 2, "No such command"),
        (["run", "--sedes", "2"], 2, "No such option"),
    ],
)
def test_usage(capsys: Output, arguments: list[str], code: int, message: str) -> None:
    assert message in refuse(capsys, code, *arguments)


@pytest.mark.integration
def test_a_card_with_a_wrong_key(capsys: Output, tmp_path: Path) -> None:
    card = tmp_path / "card.yaml"
    card.write_text("name: x\nadapter: tests.adapters:Painter\nrevison: '1'\nlicence: MIT\n")
    printed = refuse(capsys, 2, "run", "--model", card)
    assert "revison: unknown key; did you mean 'revision'?" in printed
    assert "card.yaml" in printed


def test_a_task_with_a_wrong_key(capsys: Output, tmp_path: Path) -> None:
    task = tmp_path / "task.yaml"
    task.write_text("name: x\ntear: 1\n")
    assert "tear: unknown key; did you mean 'tier'?" in refuse(capsys, 2, "run", "--model", "real", "--tasks", task)


def test_an_empty_folder(capsys: Output, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty" in refuse(capsys, 4, *run(tmp_path / "empty", tmp_path / "out"))


@pytest.mark.integration
def test_one_truncated_image_among_many_and_all_bad_ones_at_once(capsys: Output, tiles: Path, tmp_path: Path) -> None:
    names = [
        "sparse/train004.png",
        "dense/train005.png",
        "dense/train007.png",
        "sparse/train010.png",
        "dense/train011.png",
    ]
    paths = [tiles / "train" / name for name in names]
    paths[0].write_bytes(paths[0].read_bytes()[:-200])
    Image.fromarray(np.full((48, 48), 40000, np.uint16)).save(paths[1])
    Image.fromarray(np.zeros((48, 48), np.uint8)).save(paths[2])
    Image.open(tiles / "test" / "dense" / "test001.png").convert("P").save(paths[3])
    Image.fromarray(np.zeros((47, 48, 3), np.uint8)).save(paths[4])
    out = tmp_path / "out"
    printed = refuse(capsys, 4, *run(tiles, out))
    assert all(name in printed for name in names)
    assert not list(out.rglob("*.parquet"))


@pytest.mark.integration
def test_a_cmyk_jpeg(capsys: Output, tiles: Path, tmp_path: Path) -> None:
    path = tiles / "train" / "sparse" / "train004.png"
    Image.new("CMYK", (48, 48)).save(path, format="JPEG")
    printed = refuse(capsys, 4, *run(tiles, tmp_path / "out"))
    assert "train004.png" in printed
    assert "CMYK" in printed


def test_a_caption_for_a_missing_image(capsys: Output, tiles: Path, tmp_path: Path) -> None:
    (tiles / "test" / "dense" / "test003.png").unlink()
    assert "test003.png" in refuse(capsys, 4, *run(tiles, tmp_path / "out"))


def test_captions_in_latin_1(capsys: Output, tiles: Path, tmp_path: Path) -> None:
    path = tiles / "test" / "metadata.csv"
    path.write_bytes(path.read_text().replace("Tissue with few", "Gew\u00e4bchen, few", 1).encode("latin-1"))
    printed = refuse(capsys, 4, *run(tiles, tmp_path / "out"))
    assert "metadata.csv" in printed
    assert "UTF-8" in printed


def test_two_samples_with_one_id(capsys: Output, tiles: Path, tmp_path: Path) -> None:
    path = tiles / "test" / "metadata.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1]]) + "\n")
    assert "test000.png" in refuse(capsys, 4, *run(tiles, tmp_path / "out"))


def test_groups_that_straddle_a_split(capsys: Output, tiles: Path, tmp_path: Path) -> None:
    path = tiles / "test" / "metadata.csv"
    path.write_text(path.read_text().replace("test-2", "train-3"))
    assert "train-3: test, train" in refuse(capsys, 4, *run(tiles, tmp_path / "out"))


def test_a_folder_that_cannot_be_written(capsys: Output, small_tiles: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file in the folder's place")
    assert "not a folder" in refuse(capsys, 3, *run(small_tiles, tmp_path / "out"))


def test_no_write_permission(capsys: Output, small_tiles: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; tests/pipeline/test_store.py covers the error itself")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert "No permission" in refuse(capsys, 3, *run(small_tiles, locked / "out"))


@pytest.mark.integration
def test_a_full_disk(capsys: Output, small_tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from unipath_bench.pipeline.store import SampleShardSet

    def full(self: SampleShardSet, path: Path, rows: object) -> None:
        path.write_bytes(b"half a shard")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SampleShardSet, "write", full)
    out = tmp_path / "out"
    printed = refuse(capsys, 3, *run(small_tiles, out))
    assert "no space left" in printed
    assert not [p for p in out.rglob("*") if p.suffix in (".parquet", ".tmp")]


@pytest.mark.integration
def test_an_adapter_that_fails(capsys: Output, small_tiles: Path, tmp_path: Path) -> None:
    arguments = run(small_tiles, tmp_path / "out")
    arguments[2] = "tests.adapters:Faulty"
    printed = refuse(capsys, 4, *arguments, "--model-arg", "fault=raises", "--model-arg", "at=20")
    assert "the cat stepped on the cable" in printed
    assert "finished images are kept" in printed


@pytest.mark.integration
def test_debug_shows_the_traceback(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIPATH_BENCH_DEBUG", "")
    assert invoke(["--debug", "run", "--model", "memorizer"]) == 2
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("UNIPATH_BENCH_DEBUG", "")


def test_a_bug_of_ours_exits_with_1_and_says_so(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("unipath_bench.cli.health.examine", broken)
    assert invoke(["doctor"]) == 1
    printed = capsys.readouterr().err
    assert "ZeroDivisionError: ours" in printed
    assert "This is a bug in UniPath-Bench" in printed
