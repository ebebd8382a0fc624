"""Properties of the texture features that hold for every image."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from unipath_bench.encoders.texture import texture_features

Image = npt.NDArray[np.uint8]

FIXED = settings(max_examples=25, deadline=None)


@st.composite
def images(draw: st.DrawFn) -> Image:
    """Noise, smooth fields, few grey levels, and constants, of 32 to 96 pixels a side."""
    height, width = draw(st.integers(32, 96)), draw(st.integers(32, 96))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low, high = sorted((draw(st.integers(0, 255)), draw(st.integers(0, 255))))
    sigma = draw(st.sampled_from([0.0, 1.0, 4.0]))
    field = rng.random((height, width, 3))
    if sigma:
        field = ndimage.gaussian_filter(field, (sigma, sigma, 0))
        field = (field - field.min()) / (np.ptp(field) or 1.0)
    if draw(st.booleans()):
        field = np.round(field)
    return np.rint(low + field * (high - low)).astype(np.uint8)


@FIXED
@given(images())
def test_finite_without_a_warning_and_deterministic(image: Image) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = texture_features(image)
    assert np.isfinite(features).all()
    assert features.tobytes() == texture_features(image.copy()).tobytes()


@FIXED
@given(images())
def test_mirrored_images_have_the_same_features(image: Image) -> None:
    # Smoothing is exact under a mirror; only the order of the sums changes.
    features = texture_features(image)
    for mirrored in (image[::-1], image[:, ::-1], image[::-1, ::-1]):
        np.testing.assert_allclose(texture_features(mirrored), features, rtol=1e-4, atol=2e-4)


@FIXED
@given(images())
def test_the_image_is_not_written_to(image: Image) -> None:
    before = image.tobytes()
    image.setflags(write=False)
    texture_features(image)
    assert image.tobytes() == before


@pytest.mark.parametrize("size", [(32, 32), (32, 1024), (1024, 33), (512, 512)])
@pytest.mark.parametrize("kind", ["white", "black", "noise"])
def test_every_size(size: tuple[int, int], kind: str) -> None:
    rng = np.random.default_rng(0)
    image = {
        "white": lambda: np.full((*size, 3), 255, np.uint8),
        "black": lambda: np.zeros((*size, 3), np.uint8),
        "noise": lambda: rng.integers(0, 256, (*size, 3), dtype=np.uint8),
    }[kind]()
    assert np.isfinite(texture_features(image)).all()


def test_quarter_turns_leave_the_features() -> None:
    """Rows are smoothed before columns, so a turn changes the last bit: on this fixed image nothing hangs on it."""
    field = ndimage.gaussian_filter(np.random.default_rng(5).random((96, 128, 3)), (2, 2, 0))
    image = np.rint(255 * (field - field.min()) / np.ptp(field)).astype(np.uint8)
    features = texture_features(image)
    for turns in (1, 2, 3):
        np.testing.assert_allclose(texture_features(np.rot90(image, turns)), features, rtol=1e-3, atol=1e-3)
