"""Defects against closed forms and peers; the noise baseline against its definition."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.filters import gaussian
from skimage.metrics import mean_squared_error

from tests.generators.memory_suite import HEIGHT, WIDTH, MemorySuite, make_requests
from unipath_bench.contracts import Context, Request
from unipath_bench.core.errors import UsageError
from unipath_bench.generators._defects import DEFECTS, add_noise, blur, degrade, scale_stains, stain_matrix
from unipath_bench.generators.degraded import DegradedGenerator
from unipath_bench.generators.noise import NoiseGenerator
from unipath_bench.generators.replay import ReplayGenerator

Name = Literal["blur", "stain-shift", "noise", "jpeg"]


def ready(generator, suite: MemorySuite):
    generator.setup(Context(suite=suite))
    return generator


def tissue(seed: int = 0, size: int = 64) -> np.ndarray:
    """Smooth random fields of both stains, through Beer-Lambert: uint8 (size, size, 3)."""
    rng = np.random.default_rng(seed)
    fields = gaussian(rng.random((size, size, 2)), 3, channel_axis=-1)
    fields = (fields - fields.min()) / (fields.max() - fields.min())
    return np.rint(255 * 10.0 ** -(fields @ stain_matrix()[:2])).astype(np.uint8)


@pytest.mark.parametrize("defect", sorted(DEFECTS))
def test_strength_nought_is_the_real_baseline(suite: MemorySuite, defect: Name) -> None:
    requests = make_requests(suite)
    real = ready(ReplayGenerator(strategy="heldout"), suite).generate(requests)
    same = ready(DegradedGenerator(defect=defect, strength=0), suite).generate(requests)
    np.testing.assert_array_equal(np.stack(same), np.stack(real))


@pytest.mark.parametrize("defect", sorted(DEFECTS))
def test_a_greater_strength_is_a_greater_defect(defect: str) -> None:
    image = tissue()
    family = DEFECTS[defect]
    errors = [
        mean_squared_error(image, degrade(image, defect, family.default * share, seed=7)) for share in (0.25, 0.5, 1.0)
    ]
    assert 0 < errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("defect", sorted(DEFECTS))
def test_an_image_depends_on_its_request_alone(suite: MemorySuite, defect: Name) -> None:
    requests = make_requests(suite)
    forward = ready(DegradedGenerator(defect=defect), suite).generate(requests)
    generator = ready(DegradedGenerator(defect=defect), suite)
    backward = [generator.generate([r])[0] for r in reversed(requests)]
    np.testing.assert_array_equal(np.stack(forward), np.stack(backward[::-1]))


def test_the_noise_defect_is_seeded_by_the_request(suite: MemorySuite) -> None:
    generator = ready(DegradedGenerator(defect="noise"), suite)
    first = make_requests(suite)[0]
    one, other = generator.generate([first, replace(first, seed=first.seed + 1)])
    assert (one != other).any()


def test_blur_of_a_step_is_the_normal_distribution_function() -> None:
    """A step from 0 to 200 under a Gaussian of sigma 3 is 200 * Phi(d / sigma) at distance d from the edge."""
    from scipy.stats import norm

    image = np.zeros((8, 64, 3), np.uint8)
    image[:, 32:] = 200
    distance = np.arange(64) - 31.5
    expected = 200 * norm.cdf(distance / 3)
    np.testing.assert_allclose(blur(image, 3.0)[4, :, 1], expected, atol=1.0)  # rounding, and a sum for the integral


def test_blur_agrees_with_scikit_image_and_keeps_channels_apart() -> None:
    image = tissue(1)
    peer = gaussian(image.astype(float), 2.0, mode="reflect", channel_axis=-1, preserve_range=True)
    assert np.abs(blur(image, 2.0) - peer).max() <= 0.5 + 1e-9


@settings(max_examples=40, deadline=None)
@given(h=st.floats(0, 1.2), e=st.floats(0, 1.2), factor=st.floats(0.5, 1.6), other=st.floats(0.5, 1.6))
def test_stain_scaling_is_beer_lambert(h: float, e: float, factor: float, other: float) -> None:
    """A pixel of concentrations (h, e) has intensity 255 * 10 ** -(h H + e E); scaled, of (factor h, other e)."""
    stains = stain_matrix()[:2]
    pixel = 255 * 10.0 ** -(np.array([h, e]) @ stains)
    expected = 255 * 10.0 ** -(np.array([h * factor, e * other]) @ stains)
    found = scale_stains(np.rint(pixel).astype(np.uint8).reshape(1, 1, 3), factor, other).reshape(3)
    # Half a grey level of input error: a relative error of density per channel, mixed by the unmixing and mixing
    # matrices; the bound follows from the derivative of the map at the pixel, doubled for its curvature.
    full = stain_matrix()
    mixing = np.linalg.inv(full) @ np.diag([factor, other, 1.0]) @ full
    slope = np.abs(expected[None, :] * mixing / np.maximum(pixel[:, None], 1.0))
    assert (np.abs(found - expected) <= 0.5 + 2 * 0.5 * slope.sum(axis=0)).all()


def test_stain_scaling_leaves_white_and_the_identity_alone() -> None:
    white = np.full((2, 2, 3), 255, np.uint8)
    np.testing.assert_array_equal(scale_stains(white, 2.0, 0.5), white)
    image = tissue(2)
    np.testing.assert_array_equal(scale_stains(image, 1.0, 1.0), image)


def test_black_pixels_stay_finite() -> None:
    black = np.zeros((1, 1, 3), np.uint8)
    # Density log10(255) counts as the darkest: with both factors 1 the pixel comes back as intensity 1.
    np.testing.assert_array_equal(scale_stains(black, 1.0, 1.0), np.ones((1, 1, 3), np.uint8))


def test_stain_vectors_are_those_of_ruifrok_and_johnston() -> None:
    """Against scikit-image, which rounds the same published vectors to two digits."""
    from skimage.color import rgb_from_hed

    peer = rgb_from_hed[:2] / np.linalg.norm(rgb_from_hed[:2], axis=1, keepdims=True)
    np.testing.assert_allclose(stain_matrix()[:2], peer, atol=0.01)
    np.testing.assert_allclose(stain_matrix() @ stain_matrix()[2], [0, 0, 1], atol=1e-12)


def test_noise_has_its_sigma_and_its_seed() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    noisy = add_noise(grey, 10.0, seed=3).astype(float) - 128
    # 49,152 values: the standard error of the mean is 10 / 222 = 0.045, of the deviation 0.032; five of each.
    assert abs(noisy.mean()) < 0.23
    assert abs(noisy.std() - np.sqrt(100 + 1 / 12)) < 0.16  # 1/12: rounding
    np.testing.assert_array_equal(add_noise(grey, 10.0, 3), add_noise(grey, 10.0, 3))
    assert (add_noise(grey, 10.0, 3) != add_noise(grey, 10.0, 4)).any()


def test_jpeg_is_what_pillow_writes_at_that_quality() -> None:
    image = tissue(3)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=30, subsampling="4:2:0")
    np.testing.assert_array_equal(degrade(image, "jpeg", 70, seed=0), np.asarray(Image.open(buffer)))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"defect": "blurr"}, "'blur'"),
        ({"defect": "blur", "strength": -1}, "0 to 100"),
        ({"defect": "jpeg", "strength": 100}, "0 to 99"),
        ({"defect": "noise", "strength": "much"}, "number"),
        ({"defect": "noise", "strength": float("nan")}, "number"),
    ],
)
def test_wrong_arguments_are_refused_with_the_range(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError) as caught:
        DegradedGenerator(**arguments)  # type: ignore[arg-type]
    assert named in caught.value.remedy


def test_the_card_records_the_strength_in_use() -> None:
    assert DegradedGenerator(defect="stain-shift").card.arguments == {"defect": "stain-shift", "strength": 0.5}


class Plain(MemorySuite):
    """Training tiles of one known colour distribution: 100 or 140 in red in equal parts, 50 green, 200 blue."""

    def load(self, sample):
        if sample.split != "train":
            raise AssertionError("the noise baseline may look at training tiles only")
        image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        image[...] = (100, 50, 200)
        image[::2, :, 0] = 140
        return image


def test_noise_baseline_has_the_colours_of_training_and_no_tissue() -> None:
    suite = Plain({"train": {"a": 3}, "test": {"a": 2}, "heldout": {"a": 2}})
    image = ready(NoiseGenerator(), suite).generate([Request("test/a/000.png", "", 11, 0, 128, 128)])[0]
    # Red: mean 120, deviation 20 (Bernoulli of 100 and 140); 16,384 values give standard errors of 0.16 and 0.11.
    assert image.shape == (128, 128, 3)
    assert abs(image[..., 0].mean() - 120) < 0.8
    assert abs(image[..., 0].std() - 20) < 0.6
    assert set(np.unique(image[..., 1])) == {50}
    assert set(np.unique(image[..., 2])) == {200}


def test_noise_baseline_depends_on_the_seed_alone(suite: MemorySuite) -> None:
    requests = make_requests(suite)
    generator = ready(NoiseGenerator(), suite)
    forward = generator.generate(requests)
    np.testing.assert_array_equal(np.stack(forward), np.stack(generator.generate(requests[::-1]))[::-1])
    assert len({image.tobytes() for image in forward}) == len(requests)


def test_noise_baseline_takes_heldout_colours_where_there_is_no_training() -> None:
    suite = MemorySuite({"heldout": {"a": 4}, "test": {"a": 2}})
    pixels = np.stack([suite.load(s) for s in suite.samples() if s.split == "heldout"]).reshape(-1, 3)
    request = Request("test/a/000.png", "", 5, 0, 200, 200)
    image = ready(NoiseGenerator(), suite).generate([request])[0].reshape(-1, 3).astype(float)
    # Colours uniform on 60..250: mean 155, deviation 55. Clipping at 255 (1.8 deviations) takes 55 * 0.014 = 0.8 off
    # the mean of the noise; its standard error over 40,000 values is 0.3.
    np.testing.assert_allclose(image.mean(axis=0), pixels.mean(axis=0), atol=2.5)


@pytest.mark.parametrize("generator", [NoiseGenerator(), DegradedGenerator(defect="blur")])
def test_a_suite_without_real_images_beside_its_prompts_is_named(generator) -> None:
    remedy = generator.missing(Context(suite=MemorySuite({"test": {"a": 1}})))
    assert remedy is not None
    assert "split named" in remedy
