"""``data check``: it finds what was planted, and nothing where nothing was."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.color import hed_from_rgb, rgb_from_hed

from tests.suites.made_up import write_csv
from tests.suites.public_layouts import LAYOUTS, image
from unipath_bench.cli.app import invoke
from unipath_bench.suites.checking.hashing import SIDE, alikeness, hashes, near_pairs, orientations, thumbnail
from unipath_bench.suites.checking.scale import FEWEST, NUCLEUS, blob_diameter, estimate_scale

Output = pytest.CaptureFixture[str]
TILES = 56


def checked(capsys: Output, *arguments: str | Path, code: int) -> dict[str, Any]:
    assert invoke(["data", "check", *map(str, arguments), "--json"]) == code
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def finding(report: dict[str, Any], check: str) -> tuple[str, str]:
    found = next(item for item in report["findings"] if item["check"] == check)
    return found["verdict"], " ".join([found["summary"], *found["items"]])


def blobs(width: float, side: int = 128) -> np.ndarray:
    """Haematoxylin in Gaussian blobs of one standard deviation, far apart on clear glass: uint8 (side, side, 3)."""
    ys, xs = np.mgrid[:side, :side].astype(float)
    step = int(12 * width)
    density = np.zeros((side, side, 3))
    for y in range(step // 2, side, step):
        for x in range(step // 2, side, step):
            density[:, :, 0] += 0.6 * np.exp(-((ys - y) ** 2 + (xs - x) ** 2) / (2 * width**2))
    return np.round(255 * 10 ** -np.clip(density @ rgb_from_hed, 0, None)).astype(np.uint8)


@pytest.fixture(scope="module")
def real_copy(real_tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the real tiles, in their layout."""
    root = tmp_path_factory.mktemp("real")
    for split in ("train", "test"):
        with (real_tiles / split / "metadata.csv").open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        rows = rows[:: len(rows) // (TILES // 2)][: TILES // 2]
        for row in rows:
            (root / split / row["file_name"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(real_tiles / split / row["file_name"], root / split / row["file_name"])
        write_csv(root / split / "metadata.csv", rows)
    return root


def test_all_eight_orientations_of_an_image_are_its_copies() -> None:
    small = thumbnail(image(1, 96))
    assert small.shape == (SIDE, SIDE)
    codes = hashes(small)
    for turned, code in zip(orientations(small.astype(float)), codes, strict=True):
        assert alikeness(small, turned.astype(np.uint8)) == pytest.approx(1)
        assert int(np.bitwise_count(hashes(turned.astype(np.uint8))[0] ^ code)) <= 2
    assert len({turned.tobytes() for turned in orientations(small.astype(float))}) == 8


def test_pairs_are_found_among_others_and_plain_images_are_in_none() -> None:
    small = [thumbnail(image(seed, 64)) for seed in range(30)]
    blank = np.full((SIDE, SIDE), 240, np.uint8)
    stack = np.array([*small, small[4].T, np.clip(small[7] * 0.9 + 5, 0, 255).astype(np.uint8), blank, blank])
    pairs = [(pair.first, pair.second) for block in near_pairs(stack) for pair in block]
    assert pairs == [(4, 30), (7, 31)]


@pytest.mark.parametrize("width", [1.5, 2.5, 4.0])
def test_a_blob_answers_most_at_its_own_size(width: float) -> None:
    # The scale-normalised Laplacian of a Gaussian of standard deviation a is s^2 a^2 / t^2 (2 - x^2 / t) exp(-x^2 / 2t)
    # with t = s^2 + a^2; the integral of the square of its positive part, x^2 < 2t, is proportional to s^4 / t^3, which
    # is largest at s^2 = 2 a^2. The diameter 2 sqrt(2) s is then 4 a.
    assert blob_diameter(blobs(width)) == pytest.approx(4 * width, rel=0.08)
    assert np.allclose(hed_from_rgb @ rgb_from_hed, np.eye(3))


@pytest.mark.integration
def test_the_scale_is_the_nucleus_over_its_pixels_or_is_not_given() -> None:
    estimate = estimate_scale([blobs(2.5)] * FEWEST)
    assert estimate.microns_per_pixel == pytest.approx(NUCLEUS / 10, rel=0.08)
    assert "8 are needed" in estimate_scale([blobs(2.5)] * (FEWEST - 1)).reason
    assert estimate_scale([np.full((64, 64, 3), 230, np.uint8)] * 20).microns_per_pixel is None
    assert "do not agree" in estimate_scale([blobs(1.5)] * 10 + [blobs(4.5)] * 10).reason


@pytest.mark.integration
def test_sound_real_tiles_are_found_sound(real_copy: Path, capsys: Output) -> None:
    arguments: list[str | Path] = ["folder", "--data", real_copy, "--suite-arg", "microns_per_pixel=0.5"]
    report = checked(capsys, *arguments, code=0)
    assert report["samples"] == report["looked_at"] == TILES
    assert report["sizes"] == {"256 x 256": TILES}
    assert finding(report, "magnification")[0] == "ok"


@pytest.mark.integration
@pytest.mark.parametrize("scale", [0.25, 1.0])
def test_a_wrong_magnification_of_real_tiles_is_found(real_copy: Path, capsys: Output, scale: float) -> None:
    arguments: list[str | Path] = ["folder", "--data", real_copy, "--suite-arg", f"microns_per_pixel={scale}"]
    verdict, said = finding(checked(capsys, *arguments, code=4), "magnification")
    assert verdict == "wrong"
    assert "suggests about 0." in said


@pytest.mark.integration
def test_planted_copies_and_leakage_among_real_tiles_are_found(real_copy: Path, tmp_path: Path, capsys: Output) -> None:
    root = tmp_path / "tiles"
    shutil.copytree(real_copy, root)
    with (root / "train/metadata.csv").open(encoding="utf-8") as stream:
        train = list(csv.DictReader(stream))
    with (root / "test/metadata.csv").open(encoding="utf-8") as stream:
        test = list(csv.DictReader(stream))
    with Image.open(root / "train" / train[0]["file_name"]) as tile:
        turned = tile.transpose(Image.Transpose.ROTATE_90)
    planted = [
        {**train[0], "file_name": "turned.jpg", "group": "new-1"},
        {**train[5], "file_name": "copied.jpg", "group": "new-2", "label": "giardiasis_small_bowel"},
    ]
    turned.save(root / "test/turned.jpg", quality=60)
    shutil.copy(root / "train" / train[5]["file_name"], root / "test/copied.jpg")
    write_csv(root / "test/metadata.csv", [*test[:-1], {**test[-1], "group": train[9]["group"]}, *planted])
    report = checked(capsys, "folder", "--data", root, code=4)
    verdict, said = finding(report, "near duplicates across splits")
    assert (verdict, "turned.jpg" in said, train[0]["file_name"] in said) == ("wrong", True, True)
    assert said.startswith("1 pairs")
    verdict, said = finding(report, "exact duplicates across splits")
    assert (verdict, "copied.jpg" in said) == ("wrong", True)
    verdict, said = finding(report, "groups across splits")
    assert (verdict, train[9]["group"] in said) == ("wrong", True)
    if train[5]["label"] != "giardiasis_small_bowel":
        assert finding(report, "duplicates under different labels")[0] == "wrong"
    assert finding(report, "magnification")[0] == "not checked"


@pytest.mark.integration
def test_a_sound_phantom_is_found_sound_and_a_leaky_one_is_not(capsys: Output) -> None:
    sizes = [part for item in ("train=24", "test=12") for part in ("--suite-arg", item)]
    assert finding(checked(capsys, "phantom", *sizes, code=0), "magnification")[0] == "ok"
    report = checked(capsys, "tests.suites.leaky_phantom:LeakyPhantom", code=4)
    assert finding(report, "magnification")[0] == "wrong"
    for check in ("near duplicates across splits", "exact duplicates across splits"):
        verdict, said = finding(report, check)
        assert verdict == "wrong"
        assert said.startswith("1 ")


@pytest.mark.parametrize("name", ["nct-crc", "pcam"])
def test_a_public_set_is_compared_with_its_published_numbers(name: str, tmp_path: Path, capsys: Output) -> None:
    LAYOUTS[name](tmp_path)
    # The made-up images have blobs of about ten pixels, so the scale of the real set would be found wrong.
    report = checked(capsys, name, "--data", tmp_path, "--suite-arg", "microns_per_pixel=0.5", code=0)
    verdict, said = finding(report, "counts")
    assert verdict == "note"
    assert "published" in said
    assert finding(report, "groups across splits")[0] == ("ok" if name == "pcam" else "not checked")


def test_unreadable_and_odd_images_are_listed(tmp_path: Path, capsys: Output) -> None:
    root = tmp_path
    for split, seed in (("train", 0), ("test", 50)):
        (root / split).mkdir()
        for i in range(6):
            Image.fromarray(image(seed + i, 40)).save(root / split / f"{i}.png")
    Image.fromarray(image(99, 44)).save(root / "train/odd.png")
    (root / "test/cut.png").write_bytes((root / "test/0.png").read_bytes()[:200])
    report = checked(capsys, "folder", "--data", root, code=4)
    assert "cut.png" in finding(report, "images decode")[1]
    assert "odd.png: 44 x 44" in finding(report, "sizes")[1]


def test_the_terminal_says_the_same(tmp_path: Path, capsys: Output) -> None:
    LAYOUTS["nct-crc"](tmp_path)
    shutil.copy(tmp_path / "NCT-CRC-HE-100K/ADI/ADI-AAAF0.tif", tmp_path / "CRC-VAL-HE-7K/ADI/ADI-TCGA-COPY.tif")
    assert invoke(["data", "check", "nct-crc", "--data", str(tmp_path)]) == 4
    said = capsys.readouterr().out
    assert "wrong  exact duplicates across splits: 1 images" in said
    assert "ADI-TCGA-COPY.tif" in said


def test_splits_can_be_compared_in_an_encoder(tmp_path: Path, capsys: Output) -> None:
    LAYOUTS["nct-crc"](tmp_path)
    shutil.copy(tmp_path / "NCT-CRC-HE-100K/ADI/ADI-AAAF0.tif", tmp_path / "CRC-VAL-HE-7K/ADI/ADI-TCGA-COPY.tif")
    report = checked(capsys, "nct-crc", "--data", tmp_path, "--encoder", "texture", "--similarity", "0.999999", code=4)
    verdict, said = finding(report, "similar across splits in texture")
    assert verdict == "note"
    assert "ADI-TCGA-COPY.tif" in said


@pytest.mark.integration
def test_without_patients_the_splits_are_compared_by_embedding(real_copy: Path, tmp_path: Path, capsys: Output) -> None:
    root = tmp_path / "tiles"
    shutil.copytree(real_copy, root)
    for split in ("train", "test"):
        with (root / split / "metadata.csv").open(encoding="utf-8") as stream:
            rows = [{key: row[key] for key in ("file_name", "text", "label")} for row in csv.DictReader(stream)]
        if split == "train":
            name = rows[3]["file_name"]
        else:
            # A neighbour of a training tile: the same tissue, a quarter of the width further on.
            with Image.open(root / "train" / name) as tile:
                shifted = np.roll(np.asarray(tile.convert("RGB")), 64, axis=1)
            Image.fromarray(shifted).save(root / "test/neighbour.png")
            rows.append({**rows[0], "file_name": "neighbour.png"})
        write_csv(root / split / "metadata.csv", rows)
    report = checked(capsys, "folder", "--data", root, "--similarity", "0.98", code=0)
    assert finding(report, "groups across splits")[0] == "not checked"
    assert finding(report, "near duplicates across splits") == ("ok", "none")  # no copy, so thumbnails say nothing
    verdict, said = finding(report, "similar across splits in texture")
    assert (verdict, said.split()[0]) == ("note", "1")
    assert "neighbour.png" in said
    assert name in said


@pytest.mark.integration
def test_where_patients_are_known_nothing_is_embedded(tmp_path: Path, capsys: Output) -> None:
    LAYOUTS["pcam"](tmp_path)
    report = checked(capsys, "pcam", "--data", tmp_path, "--suite-arg", "microns_per_pixel=0.5", code=0)
    assert not [item for item in report["findings"] if "similar" in item["check"]]


@pytest.mark.integration
def test_splits_of_several_image_sizes_are_compared_or_it_is_said_why_not(tmp_path: Path, capsys: Output) -> None:
    for split, sides in (("train", (48, 64)), ("test", (64, 48))):
        (tmp_path / split).mkdir()
        for seed, side in enumerate(sides):
            Image.fromarray(image(9 if side == 64 else seed, side)).save(tmp_path / split / f"{seed}.png")
    arguments: list[str | Path] = ["folder", "--data", tmp_path, "--suite-arg", "size=any"]
    said = finding(checked(capsys, *arguments, code=4), "similar across splits in texture")[1]
    for part in ("train/1.png [train]", "test/0.png [test]", "(cosine 1.00)"):
        assert part in said
    Image.fromarray(image(1, 16)).save(tmp_path / "test/small.png")
    verdict, said = finding(checked(capsys, *arguments, code=4), "similar across splits in texture")
    assert verdict == "not checked"
    assert "16 x 16" in said


def test_data_that_are_not_there_are_exit_code_three(tmp_path: Path) -> None:
    assert invoke(["data", "check", "pcam", "--data", str(tmp_path)]) == 3
