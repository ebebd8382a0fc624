"""Quality control: each bound is broken by the fault it is for, and by no good tile."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from reference_model.curation.quality import REASONS, Bounds, Measures, faults, measure
from tests.reference_model.test_curation_made_up import stained_tile
from unipath_bench.suites.folder import FolderSuite

GOOD = Measures(tissue=0.8, focus=-0.1, pen=0.0, dark=0.0, contrast=40.0, chroma=38.0, clipped=0.0)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.round(gaussian_filter(image.astype(float), (sigma, sigma, 0))).astype(np.uint8)


def test_a_checkerboard_is_measured_by_hand() -> None:
    # Grey levels 100 and 180 on alternating pixels: luma has variance 40^2. The four-neighbour Laplacian inside is
    # 4 * (other - own) = +-320; with edge pixels doubled outward an edge pixel has three differing neighbours and a
    # corner two: +-240, +-160. Of 8 x 8 pixels 36 are inside, 24 on an edge, 4 in a corner; the mean is 0.
    board = (np.indices((8, 8)).sum(axis=0) % 2).astype(np.uint8) * 80 + 100
    got = measure(np.repeat(board[..., None], 3, axis=2))
    detail = (36 * 320**2 + 24 * 240**2 + 4 * 160**2) / 64
    assert got.focus == pytest.approx(math.log10(detail / (40**2 + 1)))
    assert got.contrast == pytest.approx(40)
    assert (got.tissue, got.chroma, got.dark, got.pen, got.clipped) == (1, 0, 0, 0, 0)


def test_shares_are_counted_by_hand() -> None:
    image = np.full((10, 10, 3), 240, np.uint8)  # glass
    image[:4] = (200, 120, 180)  # 40 pixels of tissue, spread 80
    image[4] = (40, 40, 42)  # 10 dark pixels, spread 2: denser than glass, so tissue too
    image[5, :5] = (30, 90, 200)  # 5 pixels of blue ink: hue 219 degrees, saturation 0.85; green 90 is "tissue"
    image[6, :2] = (255, 120, 180)  # 2 over-exposed pixels of tissue, spread 135
    image[7, 0] = (0, 230, 230)  # 1 pixel with a channel at 0: hue 180, ink too; green 230 is no tissue
    got = measure(image)
    assert got.tissue == pytest.approx((40 + 10 + 5 + 2) / 100)
    assert got.dark == pytest.approx(0.10)
    assert got.pen == pytest.approx(0.06)
    assert got.clipped == pytest.approx(0.03)
    assert got.chroma == pytest.approx((40 * 80 + 10 * 2 + 5 * 170 + 2 * 135) / 57)


@pytest.mark.parametrize(
    ("measure_name", "bad", "reason"),
    [
        ("tissue", 0.1, "little tissue"),
        ("contrast", 2.0, "near-uniform"),
        ("focus", -1.8, "out of focus"),
        ("pen", 0.1, "pen"),
        ("dark", 0.4, "dark artefact"),
        ("chroma", 3.0, "no stain"),
        ("clipped", 0.2, "clipped"),
    ],
)
def test_each_bound_has_its_reason(measure_name: str, bad: float, reason: str) -> None:
    values = {name: getattr(GOOD, name) for name in GOOD.__slots__}
    assert faults(GOOD, Bounds()) == []
    found = faults(Measures(**{**values, measure_name: bad}), Bounds())
    assert [(f.reason, f.value) for f in found] == [(reason, bad)]


def test_all_faults_are_told_in_their_order() -> None:
    worst = Measures(tissue=0, focus=-9, pen=1, dark=1, contrast=0, chroma=0, clipped=1)
    assert tuple(f.reason for f in faults(worst, Bounds())) == REASONS


@pytest.mark.parametrize("seed", range(3))
def test_made_up_faults_are_found(seed: int) -> None:
    tile = stained_tile(seed, 60, size=128)
    bounds = Bounds()
    assert faults(measure(tile), bounds) == []
    inked = tile.copy()
    inked[20:50] = (20, 160, 60)
    grey = np.repeat(tile.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    folded = tile.copy()
    folded[:, :40] //= 6
    cases = {
        "little tissue": np.clip(tile[:32, :32].repeat(4, 0).repeat(4, 1) // 16 + 238, 0, 255).astype(np.uint8),
        "near-uniform": np.full_like(tile, (200, 120, 180)),
        "out of focus": blurred(tile, 2.5),
        "pen": inked,
        "dark artefact": folded,
        "no stain": grey,
        "clipped": np.clip(tile.astype(int) * 2 - 190, 0, 255).astype(np.uint8),
    }
    for reason, image in cases.items():
        assert reason in [f.reason for f in faults(measure(image), bounds)], reason


def test_blur_lowers_focus_and_contrast_does_not() -> None:
    tile = stained_tile(1, 40, size=96)
    values = [measure(blurred(tile, sigma)).focus for sigma in (0.5, 1.0, 1.5, 2.0, 3.0)]
    assert values == sorted(values, reverse=True)
    faint = np.round((tile.astype(float) - 200) * 0.5 + 200).astype(np.uint8)
    assert measure(faint).focus == pytest.approx(measure(tile).focus, abs=0.02)


@pytest.mark.integration
def test_the_bounds_are_sane_on_real_tiles(real_tiles: Path) -> None:
    assert os.environ["UNIPATH_BENCH_REAL_DATA"]
    suite = FolderSuite(real_tiles)
    tiles = [suite.load(s) for s in suite.samples()[::40]]
    dropped = [t for t in tiles if faults(measure(t), Bounds())]
    assert len(dropped) <= 0.02 * len(tiles)
    found = [[f.reason for f in faults(measure(blurred(t, 2.0)), Bounds())] for t in tiles]
    assert sum("out of focus" in reasons for reasons in found) == len(tiles)
