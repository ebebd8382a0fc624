"""``curate run`` and ``curate report``, called as the command line calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from reference_model.curation.cli import app
from tests.reference_model.test_curation_made_up import heap
from unipath_bench import UsageError
from unipath_bench.suites.folder import FolderSuite
from unipath_bench.suites.parquet import ParquetSuite


def call(*arguments: object) -> str:
    result = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return heap(tmp_path_factory.mktemp("heap"), train=8, test=3)


@pytest.mark.integration
def test_a_run_writes_set_report_and_sheets(tiles: Path, tmp_path: Path) -> None:
    told = call("run", "--data", tiles, "--out", tmp_path, "--target", 6, "--clusters", 2)
    assert "6 of 18 images kept" in told
    assert "out of focus" in told
    assert f"--suite folder --data {tmp_path / 'dataset'}" in told
    kept = FolderSuite(tmp_path / "dataset").samples()
    originals = {s.id: s for s in FolderSuite(tiles).samples()}
    assert len(kept) == 6
    assert all(s.prompt == originals[s.id].prompt for s in kept)
    assert call("report", tmp_path) in told
    assert json.loads(call("report", tmp_path, "--json"))["kept"] == 6
    sheets = {p.name for p in (tmp_path / "report").glob("*.png")}
    assert sheets >= {"dropped-out-of-focus.png", "dropped-pen.png", "dropped-same-picture.png"}
    with Image.open(tmp_path / "report" / "dropped-same-picture.png") as sheet:
        assert sheet.size == (8 * 128, 128 + 14)  # two drops and the two images they are copies of, in one row


def test_parquet_in_and_out_with_a_function_that_captions(tiles: Path, tmp_path: Path) -> None:
    call("run", "--data", tiles, "--out", tmp_path / "one", "--encoder", "none", "--format", "parquet", "--no-sheets")
    call(
        "run",
        "--suite",
        "parquet",
        "--data",
        tmp_path / "one" / "dataset",
        "--out",
        tmp_path / "two",
        "--bound",
        "least_tissue=0",
        "--hash-distance",
        -1,
        "--similarity",
        2,
        "--captioner",
        "tests.reference_model.test_curation_made_up:by_environment",
        "--captioner-arg",
        "word=field",
        "--format",
        "parquet",
    )
    one, two = ParquetSuite(tmp_path / "one" / "dataset"), ParquetSuite(tmp_path / "two" / "dataset")
    assert [s.id for s in one.samples()] == [s.id for s in two.samples()]
    assert {s.prompt for s in two.samples()} == {"a field of 96 pixels"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "zip"), "zip"),
        (("--bound", "least_fun=1"), "least_fun"),
        (("--captioner", "x"), "captioner"),
        (("--split", "dev"), "dev"),
        (("--encoder", "none", "--target", "3"), "Sampling"),
    ],
)
def test_wrong_usage_is_told(tiles: Path, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call("run", "--data", tiles, "--out", tmp_path, *arguments)
