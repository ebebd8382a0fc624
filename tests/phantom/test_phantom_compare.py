"""Statistics against hand-made images, and the comparison command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.studies.phantom.compare import contact_sheet, format_table, main, phantom_tiles, real_tiles
from tests.studies.phantom.statistics import STATISTICS, compare, tile_statistics
from unipath_bench.core.errors import DataError
from unipath_bench.phantom.optics import EOSIN, HEMATOXYLIN


def section(h: np.ndarray, e: float) -> np.ndarray:
    """Pixels of a section of hematoxylin density ``h`` and eosin density ``e`` under glass at 250."""
    depth = h[..., None] * np.array(HEMATOXYLIN) + e * np.array(EOSIN)
    return np.round(250.0 * np.exp(-depth)).astype(np.uint8)


def test_unmixing_gives_the_densities_back() -> None:
    found = tile_statistics(section(np.full((64, 64), 0.8), 0.3), 1.0)
    # Rounding to whole pixel values moves a density by about 1 / (2 * 100).
    assert found["hematoxylin, mean"] == pytest.approx(0.8, abs=0.02)
    assert found["eosin, mean"] == pytest.approx(0.3, abs=0.02)
    assert found["nuclear area, share"] == 1.0
    assert found["gradient, mean"] == found["luma, standard deviation"] == 0.0
    assert found["correlation at 2 um"] == 1.0


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_nuclei_are_counted(step: float) -> None:
    n = int(64 / step)
    y, x = (np.mgrid[:n, :n] + 0.5) * step
    h = np.zeros((n, n))
    for cy, cx in ((10, 10), (10, 40), (30, 25), (50, 12), (52, 50)):
        h[(y - cy) ** 2 + (x - cx) ** 2 < 9.0] = 1.2
    found = tile_statistics(section(h, 0.1), step)
    assert found["nuclei per 1000 um2"] == pytest.approx(5 / 4.096)
    assert found["nuclear area, share"] == (h > 0).mean()


def test_texture_of_a_grating() -> None:
    wave = 128 + 60 * np.cos(2 * np.pi * np.arange(64) / 8)
    image = np.repeat(np.round(np.tile(wave, (64, 1)))[..., None], 3, axis=2).astype(np.uint8)
    found = tile_statistics(image, 1.0)
    # Along x a cosine of period 8: cos(2 pi 2/8) = 0 at a lag of 2 over whole periods, up to the two columns that are
    # lost; along y constant: the mean of both is one half.
    assert found["correlation at 2 um"] == pytest.approx(0.5, abs=0.03)
    assert found["luma, standard deviation"] == pytest.approx(60 / np.sqrt(2), rel=0.01)
    assert found["saturation, mean"] == 0.0


def test_white_noise_has_a_flat_spectrum_and_smooth_noise_a_steep_one() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 1)).repeat(3, axis=2).astype(np.uint8)
    assert tile_statistics(noise, 1.0)["spectral slope"] == pytest.approx(0.0, abs=0.3)
    blocks = noise[:8, :8].repeat(8, axis=0).repeat(8, axis=1)
    assert tile_statistics(blocks, 1.0)["spectral slope"] < -1.5


def test_a_set_compares_well_with_itself_and_badly_with_black() -> None:
    tiles = phantom_tiles(16, 64, 1.0, 0)
    assert all(row.within and row.share >= 0.85 for row in compare(tiles, tiles, 1.0))
    rows = compare(tiles, np.zeros_like(tiles), 1.0)
    assert not any(row.within for row in rows if row.name.endswith("mean") and row.name != "eosin, mean")
    assert len(rows) == len(STATISTICS) == format_table(rows).count("\n") - 1


def test_contact_sheet_puts_real_left_and_phantom_right() -> None:
    real, phantom = np.full((4, 8, 8, 3), 10, np.uint8), np.full((4, 8, 8, 3), 200, np.uint8)
    sheet = contact_sheet(real, phantom, columns=2, rows=2, zoom=1)
    assert sheet.shape == (20, 46, 3)
    assert (sheet[1:9, 1:9] == 10).all()
    assert (sheet[1:9, 27:35] == 200).all()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k, tile in enumerate(phantom_tiles(6, 136, 0.5, 3)):
        place = tmp_path / ("a" if k < 2 else "b")
        place.mkdir(exist_ok=True)
        Image.fromarray(tile).save(place / f"{k}.png")
    return tmp_path


@pytest.mark.integration
def test_real_tiles_are_balanced_box_averages(folder: Path) -> None:
    tiles = real_tiles(folder, 4, 64, 1.0, 0.5, seed=1)
    assert tiles.shape == (4, 64, 64, 3)
    assert np.array_equal(tiles, real_tiles(folder, 4, 64, 1.0, 0.5, seed=1))
    # Two of each directory: each tile is the box average of some crop of a file of its directory.
    for k, tile in enumerate(tiles):
        crops = [np.asarray(Image.open(p)) for p in sorted((folder / "ab"[k % 2]).iterdir())]
        best = min(
            float(np.abs(c[t : t + 128, s : s + 128].reshape(64, 2, 64, 2, 3).mean((1, 3)) - tile).max())
            for c in crops
            for t in range(9)
            for s in range(9)
        )
        # Pillow rounds after each axis: a value may be off by one half twice.
        assert best <= 1.0


def test_what_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="holds 6 images, 7 are asked for"):
        real_tiles(folder, 7, 64, 1.0, 0.5, 0)
    with pytest.raises(DataError, match="a crop of 256 is needed"):
        real_tiles(folder, 6, 128, 1.0, 0.5, 0)
    (folder / "a" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"0\.png"):
        real_tiles(folder, 6, 64, 1.0, 0.5, 0)


@pytest.mark.integration
def test_the_command_prints_a_table_and_draws_a_sheet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "sheet.png"
    assert main([str(folder), "--n", "6", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in STATISTICS)
    assert Image.open(out).size == (2 * (2 * 8 * 66 + 6), 2 * 8 * 66)
    assert main([str(folder / "a"), "--n", "600"]) == 4
    assert "600 are asked for" in capsys.readouterr().out


@pytest.mark.integration
def test_statistics_lie_within_those_of_real_tissue(real_tiles: Path) -> None:
    rows = compare(real_tiles_of(real_tiles), phantom_tiles(160, 64, 1.0, 5), 1.0)
    outside = [row.name for row in rows if not row.real[0] <= row.phantom[1] <= row.real[2]]
    assert not outside
    assert np.mean([row.share for row in rows]) > 0.9


def real_tiles_of(folder: Path) -> np.ndarray:
    return real_tiles(folder, 160, 64, 1.0, 0.5, 5)
