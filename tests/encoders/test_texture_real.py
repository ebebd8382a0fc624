"""What the texture features are good for, on the real tiles (skipped where they are not at hand)."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from unipath_bench.encoders.texture import DIMENSIONS, texture_features

pytestmark = pytest.mark.integration

Tile = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

PER_CLASS = 64
NAMES = [d.name for d in DIMENSIONS]


@dataclass(frozen=True)
class Tiles:
    images: list[Tile]
    features: Matrix
    labels: list[str]
    groups: list[str]


def embed(images: list[Tile]) -> Matrix:
    return np.stack([texture_features(image) for image in images]).astype(np.float64)


def load(folder: Path, per_class: int | None = PER_CLASS) -> Tiles:
    """The first ``per_class`` tiles (None: all) of each class in a shuffled order."""
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    by_label: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for k in np.random.default_rng(0).permutation(len(rows)):
        by_label[rows[k]["label"]].append(rows[k])
    chosen = [row for label in sorted(by_label) for row in by_label[label][:per_class]]
    images = [np.asarray(Image.open(folder / row["file_name"])) for row in chosen]
    return Tiles(images, embed(images), [r["label"] for r in chosen], [r["group"] for r in chosen])


@pytest.fixture(scope="module")
def train(real_tiles: Path) -> Tiles:
    return load(real_tiles / "train")


@pytest.fixture(scope="module")
def test(real_tiles: Path) -> Tiles:
    return load(real_tiles / "test")


def split_by_group(tiles: Tiles) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Two disjoint halves, every other group of each class in each."""
    side = {}
    for label in sorted(set(tiles.labels)):
        groups = sorted({g for g, own in zip(tiles.groups, tiles.labels, strict=True) if own == label})
        side.update({group: k % 2 for k, group in enumerate(np.random.default_rng(1).permutation(groups))})
    of = np.array([side[group] for group in tiles.groups])
    return np.flatnonzero(of == 0), np.flatnonzero(of == 1)


@pytest.fixture(scope="module")
def halves(train: Tiles) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The two halves of the training tiles; the second one is to be degraded."""
    return split_by_group(train)


def frechet(a: Matrix, b: Matrix) -> float:
    """Squared Frechet distance of two Gaussians fitted to rows: |mean gap|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2)."""
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return float(((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * cross)


def to_bytes(values: npt.NDArray[np.floating]) -> Tile:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def blur(sigma: float) -> Callable[[Tile], Tile]:
    return lambda tile: to_bytes(ndimage.gaussian_filter(tile.astype(np.float64), (sigma, sigma, 0)))


def noise(sigma: float) -> Callable[[Tile], Tile]:
    return lambda tile: to_bytes(tile + np.random.default_rng(0).normal(0, sigma, tile.shape))


def stain_shift(strength: float) -> Callable[[Tile], Tile]:
    """Scale the optical density of red up and of blue down."""
    factor = np.array([1 + strength, 1.0, 1 - strength])
    return lambda tile: to_bytes(256 * ((tile + 1.0) / 256) ** factor - 1)


def jpeg(quality: int) -> Callable[[Tile], Tile]:
    def recompress(tile: Tile) -> Tile:
        stream = io.BytesIO()
        Image.fromarray(tile).save(stream, "JPEG", quality=quality)
        return np.asarray(Image.open(stream))

    return recompress


@pytest.fixture(scope="module")
def floor(train: Tiles, halves: tuple[npt.NDArray[np.int64], ...]) -> float:
    return frechet(train.features[halves[0]], train.features[halves[1]])


def distance(train: Tiles, halves: tuple[npt.NDArray[np.int64], ...], degrade: Callable[[Tile], Tile]) -> float:
    degraded = embed([degrade(train.images[k]) for k in halves[1]])
    return frechet(train.features[halves[0]], degraded)


def test_units_are_of_order_one(train: Tiles) -> None:
    """On a class-balanced sample the units still hold: no dimension dominates."""
    mean, spread = train.features.mean(axis=0), train.features.std(axis=0)
    for name, m, s in zip(NAMES, mean, spread, strict=True):
        assert abs(m) < 1.0, name
        assert 0.5 < s < 2.0, name


def test_classes_are_told_apart(train: Tiles, test: Tiles) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(train.features, train.labels)
    assert f1_score(test.labels, model.predict(test.features), average="weighted") > 0.8  # chance: 0.25


def test_a_copy_is_its_own_nearest_neighbour(train: Tiles, test: Tiles) -> None:
    bank = np.concatenate([train.features, test.features])
    for k, features in enumerate(embed(test.images[::8])):
        squared = ((bank - features) ** 2).sum(axis=1)
        assert squared.argmin() == len(train.features) + 8 * k
        assert squared.min() == 0.0
        assert np.sort(squared)[1] > 0.5**2


GRADED = {
    "blur": (blur, (0.75, 2.0), 20),
    "noise": (noise, (4.0, 16.0), 15),
    "stain": (stain_shift, (0.06, 0.2), 5),
}
"""Defect, strengths in rising order, and how many times the floor the last one must reach."""


@pytest.mark.parametrize("name", GRADED)
def test_distance_grows_with_the_defect_far_above_the_floor(
    train: Tiles, halves: tuple[npt.NDArray[np.int64], ...], floor: float, name: str
) -> None:
    defect, strengths, times = GRADED[name]
    distances = [floor, *(distance(train, halves, defect(s)) for s in strengths)]
    assert np.all(np.diff(distances) > 0), distances
    assert distances[-1] > times * floor


def test_recompression_shows(train: Tiles, halves: tuple[npt.NDArray[np.int64], ...], floor: float) -> None:
    assert distance(train, halves, jpeg(20)) > 2 * floor


def test_turned_and_mirrored_tiles_keep_their_features(train: Tiles) -> None:
    for tile, features in zip(train.images[::16], train.features[::16], strict=True):
        for other in (np.rot90(tile), np.rot90(tile, 3), tile[::-1], tile[:, ::-1], tile.transpose(1, 0, 2)):
            np.testing.assert_allclose(texture_features(other), features, rtol=0, atol=1e-3)


def test_painting_nuclei_out_lowers_the_nuclear_dimensions(train: Tiles) -> None:
    """Pixels dark in red, and two pixels around, become the tile's median colour."""
    fraction, count, blobs = (NAMES.index(n) for n in ("nuclear_fraction", "nuclear_count", "blob_count"))
    lost = []
    for tile, features in zip(train.images[::16], train.features[::16], strict=True):
        dark = ndimage.binary_dilation(ndimage.gaussian_filter(tile[..., 0].astype(float), 1) < 150, iterations=2)
        plain = tile.copy()
        plain[dark] = np.median(tile[~dark], axis=0)
        lost.append(features - texture_features(plain))
    assert np.min(lost, axis=0)[fraction] > 1
    assert np.min(lost, axis=0)[count] > 0
    assert np.mean(lost, axis=0)[blobs] > 1


@pytest.mark.slow
def test_figures_on_all_tiles(real_tiles: Path) -> None:
    """Prints the figures of docs/texture-encoder.md: run with ``-m slow -s``."""
    train, test = load(real_tiles / "train", per_class=None), load(real_tiles / "test", per_class=None)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(train.features, train.labels)
    score = f1_score(test.labels, model.predict(test.features), average="weighted")
    first, second = split_by_group(train)
    second = np.random.default_rng(0).choice(second, 300, replace=False)
    floor = frechet(train.features[first], train.features[second])
    print(f"\nweighted F1 {score:.3f}; largest |value| on train {np.abs(train.features).max():.1f}")
    print(f"Frechet distance, {len(first)} real tiles against 300 others of other groups: {floor:.1f}")
    ladders: dict[str, tuple[Callable[..., Callable[[Tile], Tile]], tuple[float, ...]]] = {
        "gaussian blur, sigma in px": (blur, (0.5, 1, 2, 4)),
        "gaussian noise, sigma in grey levels": (noise, (2, 4, 8, 16, 32)),
        "stain shift, relative": (stain_shift, (0.03, 0.06, 0.1, 0.2, 0.3)),
        "JPEG, quality": (jpeg, (90, 75, 50, 20, 10)),
    }
    for name, (defect, strengths) in ladders.items():
        distances = [
            frechet(train.features[first], embed([defect(s)(train.images[k]) for k in second])) for s in strengths
        ]
        print(name, ", ".join(f"{s:g}: {d:.1f}" for s, d in zip(strengths, distances, strict=True)))
        if defect is not jpeg:
            assert np.all(np.diff([floor, *distances]) > 0)
    assert score > 0.88
