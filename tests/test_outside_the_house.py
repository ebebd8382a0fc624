"""A user's own encoder (YAML) and own generator (``module:attr``), both outside the repository, on real tiles."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from unipath_bench.core.digest import pixel_digest
from unipath_bench.pipeline.store import FeatureShardSet

pytestmark = pytest.mark.integration

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
SIDE = 32
OPTIONS: dict[str, Any] = {"img_size": SIDE, "depth": 2}
GENERATOR = '''
"""Somebody's generator: a ground whose colour the prompt decides, with dark discs that the seed places."""

import hashlib

import numpy as np

from unipath_bench import Generator, GeneratorCard


class Discs(Generator):
    card = GeneratorCard(name="discs", revision="1", licence="MIT", conditions_on=("prompt",))

    def generate(self, requests):
        return [self.paint(r) for r in requests]

    def paint(self, r):
        random = np.random.default_rng(r.seed)
        shade = hashlib.sha256(r.prompt.encode()).digest()
        image = np.full((r.height, r.width, 3), (200 + shade[0] % 40, 140 + shade[1] % 80, 200), np.uint8)
        ys, xs = np.mgrid[: r.height, : r.width]
        for _ in range(30):
            y, x = random.uniform(0, r.height), random.uniform(0, r.width)
            image[(ys - y) ** 2 + (xs - x) ** 2 < 25] = (95, 60, 140)
        return image
'''


def some_tiles(source: Path, target: Path, groups: int = 4, each: int = 3) -> Path:
    """Real tiles of every label: of each split the first groups, and of each of them the first tiles."""
    for split in ("train", "test"):
        with (source / split / "metadata.csv").open(encoding="utf-8") as stream:
            rows = sorted(csv.DictReader(stream), key=lambda row: (row["label"], row["group"], row["file_name"]))
        members: dict[str, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            members[row["label"]][row["group"]].append(row)
        kept = [row for of in members.values() for found in list(of.values())[:groups] for row in found[:each]]
        for row in kept:
            path = target / split / row["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / split / row["file_name"], path)
        with (target / split / "metadata.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["file_name", "text", "label", "group"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)
    return target


def network() -> Any:
    torch.manual_seed(0)
    return timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0, **OPTIONS).eval()


@pytest.fixture(scope="module")
def house(real_tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing of this project in it: tiles, weights, a specification and a module."""
    folder = tmp_path_factory.mktemp("elsewhere")
    assert Path(__file__).parents[1] not in folder.parents
    some_tiles(real_tiles, folder / "tiles")
    (folder / "somebodys_model.py").write_text(GENERATOR, encoding="utf-8")
    save_file(network().state_dict(), folder / "somebodys-vit.safetensors")
    spec = {
        "name": "somebodys-vit",
        "title": "Somebody's ViT",
        "loader": "timm",
        "path": "somebodys-vit.safetensors",
        "architecture": "vit_tiny_patch16_224",
        "options": OPTIONS,
        "pooling": "class",
        "dimension": 192,
        "input_size": SIDE,
        "resize": "bicubic",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "licence": "theirs",
    }
    (folder / "somebodys-vit.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return folder


@pytest.mark.timeout(1800)
def test_both_run_on_real_tiles_from_the_command_line(house: Path, cli: Cli) -> None:
    tasks = "frechet-distance,kernel-distance,image-to-image-recall,attribute-control,synthetic-training,memorisation"
    arguments = [
        "--model",
        "somebodys_model:Discs",
        "--suite",
        "folder",
        "--data",
        "tiles",
        "--encoder",
        "somebodys-vit.yaml",
        "--encoder",
        "judge=somebodys-vit.yaml",
        "--tasks",
        tasks,
        "--offline",
        "--out",
        "out",
        "--json",
    ]
    environment = {"PYTHONPATH": str(house), "OMP_NUM_THREADS": "1"}
    finished = cli("run", *arguments, cwd=house, env=environment, timeout=900)
    assert finished.returncode == 0, finished.stderr
    record = json.loads(finished.stdout)
    assert record["plan"]["model"]["name"] == "discs"
    assert record["plan"]["encoders"]["somebodys-vit"]["dimension"] == 192
    scores = {score["task"]: score for score in record["scores"]}
    assert set(scores) == set(tasks.split(","))
    for score in scores.values():
        assert (score["status"], score["encoder"]) == ("computed", "somebodys-vit"), score["reason"]
        assert all(np.isfinite(value["value"]) for value in score["values"].values())
    # Flat colour is no tissue: farther from it than one real tile that answers every prompt.
    distance = scores["kernel-distance"]["values"]["distance"]
    assert distance["value"] > distance["good_end"]

    # The features of a real tile are those of the network, called without this project.
    tile = next(path for path in sorted((house / "tiles/test").rglob("*.jpg")))
    with Image.open(tile) as opened:
        pixels = np.asarray(opened.convert("RGB"))
        small = np.asarray(opened.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    with torch.no_grad():
        tensor = torch.from_numpy(small.astype(np.float32) / 255).permute(2, 0, 1)[None]
        expected = network().forward_features((tensor - 0.5) / 0.5)[0, 0].numpy()
    found = stored(house / "out/store/features")[pixel_digest(pixels)]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)

    again = cli("run", *arguments, cwd=house, env=environment, timeout=900)
    assert again.returncode == 0, again.stderr
    repeated = json.loads(again.stdout)
    assert repeated["scores"] == record["scores"]
    assert (repeated["timing"]["images_generated"], repeated["timing"]["images_embedded"]) == (0, 0)


def stored(folder: Path) -> dict[str, np.ndarray]:
    """Feature vectors by the digest of the pixels."""
    files = sorted(folder.rglob("*.safetensors"))
    shards = [FeatureShardSet(path.parent).parse(path) for path in files]
    return {pixels: row for shard in shards for pixels, row in zip(shard.pixel_digests, shard.matrix, strict=True)}
