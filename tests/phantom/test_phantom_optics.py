"""Exposure against the Beer-Lambert law, worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from unipath_bench.phantom import slide_appearance
from unipath_bench.phantom.fields import Grid
from unipath_bench.phantom.optics import EOSIN, HEMATOXYLIN, HEMOGLOBIN, MELANIN, Appearance, Densities, expose

GRID = Grid(48, 1.0)
IDEAL = Appearance(
    hematoxylin=HEMATOXYLIN,
    eosin=EOSIN,
    hematoxylin_strength=1.0,
    eosin_strength=1.0,
    white=(250.0, 240.0, 230.0),
    blur=0.0,
    noise=0.0,
)


def flat(value: float) -> np.ndarray:
    return np.full((48, 48), value, dtype=np.float32)


def test_glass_is_white() -> None:
    image = expose(Densities(flat(0.0), flat(0.0)), IDEAL, GRID, 0)
    assert image.shape == (48, 48, 3)
    assert image.dtype == np.uint8
    assert (image == np.array([250, 240, 230])).all()


@pytest.mark.parametrize(("h", "e"), [(0.5, 0.0), (0.0, 0.4), (1.2, 0.3), (3.0, 2.0)])
def test_stained_sections_follow_beer_lambert(h: float, e: float) -> None:
    image = expose(Densities(flat(h), flat(e), flat(0.2), flat(0.1)), IDEAL, GRID, 0)
    for channel in range(3):
        depth = h * HEMATOXYLIN[channel] + e * EOSIN[channel] + 0.2 * HEMOGLOBIN[channel] + 0.1 * MELANIN[channel]
        assert abs(int(image[5, 5, channel]) - IDEAL.white[channel] * math.exp(-depth)) <= 0.5 + 1e-3


def test_strength_multiplies_density() -> None:
    strong = expose(Densities(flat(0.5), flat(0.2)), replace(IDEAL, hematoxylin_strength=2.0), GRID, 0)
    assert np.array_equal(strong, expose(Densities(flat(1.0), flat(0.2)), IDEAL, GRID, 0))


def test_blur_keeps_the_light_and_spreads_it() -> None:
    density = flat(0.0)
    density[24, 24] = 40.0
    image = expose(Densities(density, flat(0.0)), replace(IDEAL, blur=0.1), GRID, 0).astype(float)
    lost = (250.0 - image[..., 0]).sum()
    # One black pixel, spread by (0.1, 0.8, 0.1) along both axes: 64% of its light is lost there, 8% beside it.
    assert lost == pytest.approx(250.0, abs=3)
    assert image[24, 24, 0] == pytest.approx(250 * (1 - 0.64), abs=1)
    assert image[24, 25, 0] == image[23, 24, 0] == pytest.approx(250 * (1 - 0.08), abs=1)
    assert image[23, 23, 0] == pytest.approx(250 * (1 - 0.01), abs=1)


def test_noise_has_the_deviation_that_it_states() -> None:
    image = expose(Densities(flat(0.5), flat(0.3)), replace(IDEAL, noise=3.0), GRID, 7).astype(float)
    for channel in range(3):
        # Rounding adds a variance of 1/12; n = 2,304 values, so the deviation is within some 6%.
        assert image[..., channel].std() == pytest.approx(math.sqrt(9.0 + 1 / 12), rel=0.07)


def test_slides_differ_and_stay_near_the_mean_stain() -> None:
    looks = [slide_appearance(k) for k in range(200)]
    assert len({look.hematoxylin for look in looks}) == 200
    assert {look.white for look in looks} == {(250.0, 247.0, 251.0), (246.0, 240.0, 245.0), (252.0, 251.0, 253.0)}
    for look in looks:
        assert max(abs(a - b) for a, b in zip(look.hematoxylin, HEMATOXYLIN, strict=True)) <= 0.05
        assert max(abs(a - b) for a, b in zip(look.eosin, EOSIN, strict=True)) <= 0.05
        assert 0.0 <= look.blur <= 0.2
    assert slide_appearance(5) == looks[5]
