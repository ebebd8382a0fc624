"""Every family of diffusers pipelines, tiny and random, from a local folder through all four tiers."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.generators.tiny_pipelines import FAMILIES
from unipath_bench.cli.app import invoke
from unipath_bench.schema.record import RunRecord

pytestmark = pytest.mark.integration

PER_CLASS = {"train": 16, "test": 6}
PROMPTS = 12


@pytest.fixture(scope="module")
def some_real_tiles(real_tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few of the real tiles of every class, in their layout."""
    root = tmp_path_factory.mktemp("real")
    for split, count in PER_CLASS.items():
        with (real_tiles / split / "metadata.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        chosen = []
        for label in sorted({row["label"] for row in rows}):
            of_class = [row for row in rows if row["label"] == label]
            chosen += of_class[:: len(of_class) // count][:count]
        for row in chosen:
            (root / split / row["file_name"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(real_tiles / split / row["file_name"], root / split / row["file_name"])
        with (root / split / "metadata.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(chosen[0]))
            writer.writeheader()
            writer.writerows(chosen)
    return root


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all runs, so that real tiles are embedded once."""
    return tmp_path_factory.mktemp("runs")


def evaluate(family: str, tiles: Path, factor: int, folder: Path, out: Path, *more: str) -> RunRecord:
    """Save the tiny pipeline, describe it by a card and run it through the command line; the record of the run."""
    save, call = FAMILIES[family]
    card = {
        "name": f"tiny-{family}",
        "adapter": "diffusers",
        "revision": "1",
        "licence": "none",
        "arguments": {"model": str(save(folder / "model", factor)), "steps": 1, "call_arguments": call},
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    arguments = ["--model", str(folder / "card.yaml"), "--suite", "folder", "--data", str(tiles), "--tiers", "1-4"]
    assert invoke(["run", *arguments, "--offline", "--out", str(out), *more]) == 0
    (document,) = (out / "runs").glob(f"tiny-{family}-{tiles.name}-*/record.json")
    return RunRecord.model_validate(json.loads(document.read_text()))


def check(record: RunRecord, family: str, prompts: int) -> None:
    assert record.plan.model.name == f"tiny-{family}"
    assert record.plan.counts["generated"] == prompts
    assert {s.tier for s in record.scores if s.status == "computed"} == {1, 2, 3, 4}
    for score in record.scores:
        assert score.status == "computed" or score.reason


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_runs_through_all_tiers_on_real_tiles(
    family: str, some_real_tiles: Path, tmp_path: Path, out: Path
) -> None:
    check(evaluate(family, some_real_tiles, 8, tmp_path, out, "--n", str(PROMPTS)), family, PROMPTS)


def test_a_family_runs_through_all_tiers_on_made_up_tiles(small_tiles: Path, tmp_path: Path, out: Path) -> None:
    check(evaluate("flux", small_tiles, 4, tmp_path, out, "--n", "16"), "flux", 16)
