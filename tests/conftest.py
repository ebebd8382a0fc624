"""Shared fixtures: the real tiles where they are at hand, a small folder of made-up tiles, and the command line."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REAL_DATA = "UNIPATH_BENCH_REAL_DATA"


@pytest.fixture(scope="session")
def real_tiles() -> Path:
    """Folder of the real H&E tiles; skips the test where the environment variable does not name it."""
    folder = os.environ.get(REAL_DATA)
    if not folder:
        pytest.skip(f"{REAL_DATA} does not name the folder of real tiles")
    return Path(folder)


def stained_tile(seed: int, nuclei: int, size: int = 48) -> np.ndarray:
    """A made-up tile: pink ground with dark discs, uint8 (size, size, 3)."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), (230, 190, 215), float) + rng.normal(0, 6, (size, size, 3))
    ys, xs = np.mgrid[:size, :size]
    for _ in range(nuclei):
        y, x, r = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(2, 4)
        image[(ys - y) ** 2 + (xs - x) ** 2 < r**2] = (95, 60, 140)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def small_tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An imagefolder of 48 px tiles: 80 training and 40 test tiles in two classes, groups of eight, two paraphrases."""
    root = tmp_path_factory.mktemp("small_tiles")
    wording = {"sparse": "few nuclei", "dense": "many nuclei"}
    for split, count in (("train", 80), ("test", 40)):
        rows = []
        for i in range(count):
            label = ("sparse", "dense")[i % 2]
            name = f"{label}/{split}{i:03d}.png"
            path = root / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(stained_tile(1000 * (split == "test") + i, 3 if label == "sparse" else 20)).save(path)
            rows.append(
                {
                    "file_name": name,
                    "text": f"Tissue with {wording[label]}",
                    "label": label,
                    "group": f"{split}-{i // 8}",
                    "paraphrases": f"{wording[label]} in tissue|H&E, {wording[label]}",
                }
            )
        with (root / split / "metadata.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return root


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Run the real command line in a process of its own: ``cli("run", "--model", "real", cwd=..., env={...})``."""

    def call(
        *arguments: str | Path,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "unipath_bench", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return call
