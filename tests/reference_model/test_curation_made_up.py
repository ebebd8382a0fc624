"""A heap of made-up tiles with known faults and copies, and captioners; and that the faults are what they claim."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from unipath_bench import Sample
from unipath_bench.suites.folder import FolderSuite

FAULTS = {
    "blurred": "out of focus",
    "uniform": "near-uniform",
    "inked": "pen",
    "grey": "no stain",
    "broken": "unreadable",
}
COPIES = {"train/copy.png": "train/good03.png", "train/leak.png": "test/good00.png"}


def stained_tile(seed: int, nuclei: int, size: int = 96) -> np.ndarray:
    """Pink ground with dark discs, uint8 (size, size, 3)."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), (225, 180, 210), float) + rng.normal(0, 6, (size, size, 3))
    ys, xs = np.mgrid[:size, :size]
    for _ in range(nuclei):
        y, x, r = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(2, 6)
        image[(ys - y) ** 2 + (xs - x) ** 2 < r**2] = (95, 60, 140)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def faulty(name: str) -> np.ndarray:
    tile = stained_tile(900, 40)
    if name == "blurred":
        return np.round(gaussian_filter(tile.astype(float), (2.5, 2.5, 0))).astype(np.uint8)
    if name == "uniform":
        return np.full_like(tile, (200, 120, 180))
    if name == "inked":
        tile[30:60] = (20, 160, 60)
        return tile
    return np.repeat(tile.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)


def heap(root: Path, *, train: int = 14, test: int = 4) -> Path:
    """An image folder: good tiles, the faulty ones of :data:`FAULTS` in train, the copies of :data:`COPIES`."""
    images = {f"train/good{i:02d}.png": stained_tile(i, 10 + 3 * i) for i in range(train)}
    images |= {f"test/good{i:02d}.png": stained_tile(500 + i, 12 + 3 * i) for i in range(test)}
    images |= {copy: np.clip(images[original].astype(int) + 3, 0, 255) for copy, original in COPIES.items()}
    images |= {f"train/{name}.png": faulty(name) for name in FAULTS}
    for name, image in images.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.astype(np.uint8)).save(root / name)
    broken = root / "train" / "broken.png"
    broken.write_bytes(broken.read_bytes()[:-200])
    for split in ("train", "test"):
        names = sorted(p.name for p in (root / split).iterdir())
        with (root / split / "metadata.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file_name", "text", "label", "group"])
            writer.writerows([n, f"Tissue, {n}", "ab"[i % 2], f"{split}-{i // 3}"] for i, n in enumerate(names))
    return root


class Scribe:
    """Captions by the mean colour; counts its calls and stops the process's work where it is told to."""

    def __init__(self, stop_at: int = -1, refuse: str = "") -> None:
        self.calls: list[str] = []
        self.stop_at = stop_at
        self.refuse = refuse
        self.fingerprint = {"captioner": "scribe"}

    def caption(self, image: np.ndarray, sample: Sample) -> str:
        if len(self.calls) == self.stop_at:
            raise KeyboardInterrupt
        self.calls.append(sample.id)
        return "" if sample.id == self.refuse else f"mean {image.mean():.2f}, once {sample.prompt!r}"


SCRIBE = Scribe()


def by_environment(image: np.ndarray, sample: Sample, word: str = "tile") -> str:
    """A function for ``--captioner module:attribute``."""
    return f"{os.environ.get('CURATION_TEST_WORD', 'a')} {word} of {image.shape[0]} pixels"


def test_the_heap_is_readable_but_for_the_broken_tile(tmp_path: Path) -> None:
    suite = FolderSuite(heap(tmp_path))
    assert {s.id for s in suite.samples()} >= {*COPIES, *COPIES.values(), *(f"train/{n}.png" for n in FAULTS)}
    assert len(suite.samples()) == 14 + 4 + len(COPIES) + len(FAULTS)
