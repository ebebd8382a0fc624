"""Defects of tissue against closed forms, on fields whose content is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

from unipath_bench.audit.tissue import FIELD_MICRONS, PLATE_MICRONS, add_mitoses, enlarge, remove_nuclei
from unipath_bench.core.arrays import RGBImage

GROUND = (236, 196, 216)
CYTOPLASM = (214, 170, 205)
NUCLEUS = (92, 62, 140)
MICRONS = 0.5


def tissue(places: list[tuple[int, int]], size: int = 160, radius: int = 6) -> RGBImage:
    """Discs of nuclear colour in pale cytoplasm on pink ground: three classes of haematoxylin, as in tissue."""
    image = np.full((size, size, 3), GROUND, np.uint8)
    ys, xs = np.mgrid[:size, :size]
    for y, x in places:
        distance = np.hypot(ys - y, xs - x)
        image[distance < 2 * radius] = CYTOPLASM
        image[distance < radius] = NUCLEUS
    return image


def dark_regions(image: RGBImage) -> int:
    """Connected regions as dark as nuclei, by scikit-image."""
    return int(label(image[..., 0] < 130).max())


LATTICE = [(y, x) for y in range(20, 160, 30) for x in range(20, 160, 30)]


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 1.0])
def test_exactly_the_share_of_the_nuclei_is_gone(share: float) -> None:
    image = tissue(LATTICE)
    assert dark_regions(image) == 25
    assert dark_regions(remove_nuclei(image, share, 3, MICRONS)) == 25 - round(25 * share)


def test_what_is_gone_stays_gone_and_the_rest_is_untouched() -> None:
    image = tissue(LATTICE)
    few, more = (remove_nuclei(image, share, 3, MICRONS) for share in (0.2, 0.6))
    gone, also = (few != image).any(-1), (more != image).any(-1)
    assert not (gone & ~also).any()
    # Only nuclei and their rim of dilation are painted over: at most 1 pixel beyond the discs and the smoothing.
    ys, xs = np.mgrid[:160, :160]
    nearest = np.min([np.hypot(ys - y, xs - x) for y, x in LATTICE], axis=0)
    assert nearest[also].max() < 6 + 4


@pytest.mark.integration
def test_a_nucleus_is_filled_with_what_surrounds_it() -> None:
    filled = remove_nuclei(tissue([(80, 80)]), 1.0, 0, MICRONS)[80, 80].astype(int)
    low, high = np.minimum(GROUND, CYTOPLASM), np.maximum(GROUND, CYTOPLASM)
    assert ((filled >= low - 1) & (filled <= high + 1)).all()


@pytest.mark.parametrize("colour", [(255, 255, 255), (120, 80, 150), (0, 0, 0)])
def test_a_flat_tile_has_no_nuclei(colour: tuple[int, int, int]) -> None:
    flat = np.full((48, 48, 3), colour, np.uint8)
    np.testing.assert_array_equal(remove_nuclei(flat, 1.0, 0, MICRONS), flat)


def test_one_mitosis_has_the_area_of_its_plate() -> None:
    size = int(FIELD_MICRONS / MICRONS)
    blank = np.full((size, size, 3), 245, np.uint8)
    # Figures that are cut off at the border have less: of twenty seeds the median is whole.
    areas = [float((add_mitoses(blank, 1.0, seed, MICRONS)[..., 0] < 130).sum()) for seed in range(20)]
    assert np.median(areas) * MICRONS**2 == pytest.approx(np.pi * PLATE_MICRONS[0] * PLATE_MICRONS[1], rel=0.1)


@given(seed=st.integers(0, 2**32), more=st.integers(2, 9))
@settings(max_examples=20, deadline=None)
def test_more_mitoses_contain_the_fewer(seed: int, more: int) -> None:
    blank = np.full((64, 64, 3), 240, np.uint8)
    one, many = (add_mitoses(blank, float(figures), seed, 1.0) for figures in (1, more))
    assert (one != blank).any()
    # Where a second cell clears the tissue around it the first plate is a little lighter, and still dark.
    dark, also = one[..., 0] < 100, many[..., 0] < 110
    assert not (dark & ~also).any()


def test_mitoses_are_counted_by_area_and_never_none() -> None:
    blank = np.full((256, 256, 3), 245, np.uint8)
    # 256 pixels of half a micrometre are 2 x 2 fields: four figures at one a field, which rarely touch.
    counts = [dark_regions(add_mitoses(blank, 1.0, seed, MICRONS)) for seed in range(10)]
    assert max(counts) == 4
    assert dark_regions(add_mitoses(blank[:64, :64], 0.01, 5, MICRONS)) <= 1
    assert (add_mitoses(blank[:64, :64], 0.01, 5, MICRONS) != 245).any()


def test_enlarging_by_one_is_the_identity() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(enlarge(image, 1.0), image)


def test_enlarging_divides_a_slope_and_keeps_the_middle() -> None:
    ramp = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[None, :, None], 100, axis=0).repeat(3, axis=2)
    twice = enlarge(ramp, 2.0)
    assert twice.shape == ramp.shape
    # The value at pixel centre x of the result is that of the source at 50 + (x - 50) / 2: a slope of 2 becomes 1.
    inside = slice(10, 90)
    expected = 2 * (50 + (np.arange(100) + 0.5 - 50) / 2 - 0.5)
    np.testing.assert_allclose(twice[50, inside, 0], expected[inside], atol=1.0)
