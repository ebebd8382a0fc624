"""Tiles: the same bytes everywhere, and every attribute where and how it should show."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from typing import get_args

import numpy as np
import pytest
from scipy import ndimage

from tests.studies.phantom.statistics import tile_statistics
from unipath_bench.core.errors import UsageError
from unipath_bench.phantom import CLASSES, Attributes, Stream, render, sample_attributes, slide_appearance
from unipath_bench.phantom.attributes import Architecture, CytologyType
from unipath_bench.phantom.findings import choose_dividing
from unipath_bench.phantom.layout import Cells

PLAIN = Attributes(
    cytology_type="epithelioid",
    hemorrhage="absent",
    architecture="solid",
    cellularity="moderate",
    pleomorphism="mild",
    mitotic_activity="low",
    necrosis="absent",
    lymphocytic_infiltrate="sparse",
    stroma="fibrous",
    deposit="none",
)
SEEDS = range(12)

# Digests of our own output: they say that it is the same on every machine and in every version, not that it is right.
# A change of any of them raises RENDERER.
GOLDEN = {
    (0, 64, 1.0): "241b14764df63dbd7c692f3e7601c501",
    (1, 64, 1.0): "0ed63af81db3d21bf88c72fa80f8c1be",
    (2, 64, 1.0): "7063fbe74182167dc0ab24104590069a",
    (3, 64, 1.0): "2f30a37ff6f6d1e83b6c179a86466d52",
    (4, 64, 1.0): "0b346f3fd9b7c4fe3f4ee99b00eff229",
    (5, 64, 1.0): "f073c73dd2c942942b6715a107dc81c0",
    (6, 96, 0.5): "ba4730cf3dce91cf1b8056cd9ccd0c7c",
    (7, 128, 0.5): "3936c137a34a2c30ea5277ee01a4d098",
    (8, 64, 0.75): "531695a03e287d16f371fbd91100f981",
    (9, 50, 1.3): "8a12406671578f9b61f89e51eda4b726",
    (10, 200, 1.0): "ccae71e56ed644eb85b196c365ce5213",
    (11, 64, 2.0): "d6329edb2f3be53c57e864d23dc42756",
    (12, 64, 1.0): "2fe54f99783a76f5e83c242cc9a83a44",
}


def tiles(**changes: str) -> np.ndarray:
    """Twelve tiles of the plain attributes with some replaced, on one slide: float64 (12, 64, 64, 3)."""
    attributes = Attributes.from_labels({**PLAIN.labels(), **changes})
    return np.stack([render(k, attributes, appearance=slide_appearance(0)) for k in SEEDS]).astype(float)


def pair(name: str, first: str, second: str, **others: str) -> tuple[np.ndarray, np.ndarray]:
    return tiles(**{name: first, **others}), tiles(**{name: second, **others})


@pytest.mark.parametrize("key", GOLDEN)
def test_golden_digests(key: tuple[int, int, float]) -> None:
    seed, size, scale = key
    image = render(seed, sample_attributes(Stream(seed, "golden")), size, scale)
    assert hashlib.sha256(image.tobytes()).hexdigest()[:32] == GOLDEN[key]


@pytest.mark.integration
def test_golden_digests_without_vector_instructions() -> None:
    """In a process in which numpy may use none but its baseline instructions, as on an older processor."""
    script = "\n".join(
        [
            "import hashlib, sys",
            "from unipath_bench.phantom import Stream, render, sample_attributes",
            f"for seed, size, scale in {list(GOLDEN)}:",
            "    image = render(seed, sample_attributes(Stream(seed, 'golden')), size, scale)",
            "    print(hashlib.sha256(image.tobytes()).hexdigest()[:32])",
        ]
    )
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": ",".join(found)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(GOLDEN.values())


def test_golden_tiles_cover_every_class() -> None:
    drawn = [sample_attributes(Stream(key[0], "golden")).labels() for key in GOLDEN]
    for name, classes in CLASSES.items():
        assert {row[name] for row in drawn} == set(classes)


def test_a_tile_is_a_pure_function_in_any_thread() -> None:
    bundles = [sample_attributes(Stream(k, "pure")) for k in range(6)]
    alone = [render(k, a) for k, a in enumerate(bundles)]
    found: dict[int, np.ndarray] = {}

    def draw(k: int) -> None:
        found[k] = render(k, bundles[k])

    workers = [threading.Thread(target=draw, args=(k,)) for k in reversed(range(6))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(found[k], alone[k]) for k in range(6))
    assert alone[0].dtype == np.uint8
    assert alone[0].shape == (64, 64, 3)


def test_seeds_and_slides_make_different_tiles() -> None:
    assert len({render(k, PLAIN).tobytes() for k in range(20)}) == 20
    looks = {render(1, PLAIN, appearance=slide_appearance(k)).tobytes() for k in range(5)}
    assert len(looks) == 5


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("cytology", get_args(CytologyType))
def test_every_combination_renders(architecture: Architecture, cytology: CytologyType) -> None:
    others = {name: classes[-1] for name, classes in CLASSES.items()}
    attributes = Attributes.from_labels({**others, "architecture": architecture, "cytology_type": cytology})
    image = render(3, attributes, 96, 0.5)
    assert image.shape == (96, 96, 3)
    assert image.std() > 10


@pytest.mark.parametrize(("size", "scale"), [(64, 2.1), (64, 0.2), (513, 1.0), (15, 2.0), (47, 1.0), (64, 0.5)])
def test_fields_out_of_range_are_refused(size: int, scale: float) -> None:
    with pytest.raises(UsageError, match="out of range"):
        render(0, PLAIN, size, scale)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_same_field_at_another_scale_is_the_same_tissue(seed: int) -> None:
    attributes = sample_attributes(Stream(seed, "scale"))
    coarse = render(seed, attributes, 64, 1.0).astype(float)
    fine = render(seed, attributes, 128, 0.5).astype(float).reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    other = render(seed + 50, attributes, 64, 1.0).astype(float)

    def likeness(image: np.ndarray) -> float:
        return float(np.corrcoef(coarse.mean(axis=2).ravel(), image.mean(axis=2).ravel())[0, 1])

    assert likeness(fine) > 0.9
    assert likeness(other) < 0.4


def test_large_field() -> None:
    image = render(0, PLAIN, 512, 0.5)
    assert image.shape == (512, 512, 3)
    quarters = [q.std() for half in np.split(image, 2) for q in np.split(half, 2, axis=1)]
    assert min(quarters) > 10


def test_hemorrhage_is_red() -> None:
    without, with_blood = pair("hemorrhage", "absent", "present")

    def red(images: np.ndarray) -> np.ndarray:
        # Erythrocytes let red through and stop green and blue alike; eosin stops green most, hematoxylin red.
        return ((images[..., 0] - images[..., 2] > 45) & (images[..., 0] > 150)).mean(axis=(1, 2))

    assert float(red(without).max()) < 0.01
    # Discs of radius 14.5 in 64 x 64 fill 16%, their rough outline and the gaps between the cells take or give some.
    assert float(red(with_blood).min()) > 0.05
    assert float(red(with_blood).mean()) == pytest.approx(0.16, abs=0.08)


@pytest.mark.integration
def test_a_finding_stays_in_its_focus() -> None:
    """Changing one finding leaves most of the tile byte for byte as it was."""
    for name, value in (("hemorrhage", "present"), ("necrosis", "present"), ("deposit", "melanin")):
        before, after = pair(name, CLASSES[name][0], value)
        same = (before == after).all(axis=3).mean(axis=(1, 2))
        assert float(same.min()) > 0.4, name
        assert float(same.max()) < 0.995, name


def test_mitoses_are_the_darkest_thing() -> None:
    low, high = pair("mitotic_activity", "low", "high")
    dark = [(images.max(axis=3) < 105).sum(axis=(1, 2)) for images in (low, high)]
    assert float(np.median(dark[0])) < 5
    # At least three figures of about 10 square micrometres each.
    assert int(dark[1].min()) > 20


def test_mitoses_come_in_the_number_that_is_stated() -> None:
    n = 40
    place = Stream(1, "cells")
    cells = Cells(place.uniform(n, 0, 64), place.uniform(n, 0, 64), np.ones(n, np.float32), np.zeros(n, np.float32))
    clear = np.full(n, -400.0, dtype=np.float32)
    counts = [len(choose_dividing(seed, cells, 64.0, clear)) for seed in range(60)]
    assert set(counts) == {4, 5, 6}
    for seed in range(10):
        chosen = choose_dividing(seed, cells, 64.0, clear)
        assert len(set(chosen.tolist())) == len(chosen)
        assert float(np.minimum(cells.x, cells.y)[chosen].min()) > 2.0
    # Three remain where the field is crowded with findings.
    assert len(choose_dividing(0, cells, 64.0, np.where(np.arange(n) < 34, 5.0, 0.5).astype(np.float32))) >= 3


def test_melanin_is_brown_and_psammoma_bodies_are_dark_and_round() -> None:
    plain, melanin = pair("deposit", "none", "melanin")
    stones = tiles(deposit="calcification")

    def brown(images: np.ndarray) -> np.ndarray:
        return ((images[..., 0] - images[..., 2] > 18) & (images.sum(axis=3) < 330)).sum(axis=(1, 2))

    assert int(brown(plain).max()) == 0
    assert int(brown(melanin).min()) >= 8
    for image in stones:
        dark = ndimage.binary_opening(image.sum(axis=2) < 420, np.ones((5, 5), bool))
        labels, count = ndimage.label(dark)
        assert count >= 1
        areas = np.asarray(ndimage.sum_labels(dark, labels, range(1, count + 1)))
        # A disc of radius 5.6 to 7 micrometres covers 98 to 154 pixels.
        assert 60 < max(areas) < 260


def test_necrosis_is_eosinophilic_and_loses_its_nuclei() -> None:
    without, with_necrosis = pair("necrosis", "absent", "present", cellularity="high", cytology_type="small_round")
    nuclei = [
        [tile_statistics(i.astype(np.uint8), 1.0)["nuclear area, share"] for i in s] for s in (without, with_necrosis)
    ]
    assert np.mean(nuclei[1]) < 0.85 * np.mean(nuclei[0])
    changed = (without != with_necrosis).any(axis=3)
    gone = with_necrosis[changed]
    assert gone[:, 0].mean() > without[changed][:, 0].mean() + 10


def test_lymphocytes_add_small_dark_nuclei() -> None:
    # In a single-cell tumour of low cellularity: few other nuclei.
    sparse, brisk = pair("lymphocytic_infiltrate", "sparse", "brisk", architecture="single_cell", cellularity="low")
    counts = [[tile_statistics(i.astype(np.uint8), 1.0)["nuclei per 1000 um2"] for i in s] for s in (sparse, brisk)]
    assert min(np.array(counts[1]) - np.array(counts[0])) > 0
    # Some 530 square micrometres of focus with one in 27: about 17 more in 4,096, that is 4 a thousand.
    assert np.mean(counts[1]) - np.mean(counts[0]) > 2.5


def test_stroma_types_have_their_colours() -> None:
    fibrous, myxoid, adipose = (
        tiles(stroma=s, architecture="single_cell", cellularity="low") for s in CLASSES["stroma"]
    )

    def share(images: np.ndarray, low: float) -> float:
        return float((images.min(axis=3) > low).mean())

    assert share(adipose, 225) > share(myxoid, 225) + 0.2
    assert share(adipose, 225) > share(fibrous, 225) + 0.2
    # Myxoid ground is bluish, fibrous ground pink.
    pinkness = [np.median(images[..., 0] - images[..., 2]) for images in (fibrous, myxoid)]
    assert pinkness[0] > 5 > pinkness[1]


def test_cellularity_orders_the_nuclei() -> None:
    counts = []
    for level in CLASSES["cellularity"]:
        images = tiles(cellularity=level, cytology_type="small_round")
        counts.append(np.mean([tile_statistics(i.astype(np.uint8), 1.0)["nuclei per 1000 um2"] for i in images]))
    assert counts[1] > 1.4 * counts[0] > 1.0
    # Where nuclei overlap, two may share a peak.
    assert counts[2] > 1.2 * counts[1]


def test_marked_pleomorphism_varies_the_size_of_nuclei() -> None:
    spread = []
    for images in pair("pleomorphism", "mild", "marked", cellularity="low"):
        areas = []
        for image in images:
            labels, count = ndimage.label(ndimage.binary_opening(image[..., 0] < 165))
            sizes = np.asarray(ndimage.sum_labels(labels > 0, labels, range(1, count + 1)))
            areas += [a for a in sizes if a > 12]
        spread.append((np.percentile(areas, 95) / np.median(areas), np.median(areas)))
    assert spread[1][0] > spread[0][0] * 1.15 or spread[1][1] > spread[0][1] * 1.3
    assert np.isfinite(spread).all()


def test_glands_have_round_lumens_and_papillae_free_space() -> None:
    solid, glandular, papillary = (tiles(architecture=a) for a in ("solid", "glandular", "papillary"))
    white = [float((images.min(axis=3) > 232).mean()) for images in (solid, glandular, papillary)]
    assert white[1] > white[0] + 0.05
    assert white[2] > white[0] + 0.10


def test_clear_cells_are_pale_and_spindle_nuclei_long() -> None:
    epithelioid, spindle, clear, small_round = (
        tiles(cytology_type=c, cellularity="low", stroma="myxoid")
        for c in ("epithelioid", "spindle", "clear", "small_round")
    )
    assert np.median(clear) > np.median(epithelioid) + 20

    def elongation(images: np.ndarray) -> float:
        ratios = []
        for image in images:
            labels, count = ndimage.label(ndimage.binary_opening(image[..., 0] < 160, np.ones((2, 2), bool)))
            for k in range(1, count + 1):
                y, x = np.nonzero(labels == k)
                if len(x) > 10:
                    small, large = np.linalg.eigvalsh(np.cov(np.stack([x, y])) + 0.08 * np.eye(2))
                    ratios.append(np.sqrt(large / small))
        return float(np.median(ratios))

    assert elongation(spindle) > 1.3 * elongation(small_round)
