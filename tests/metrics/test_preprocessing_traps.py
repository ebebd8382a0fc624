"""How far each trap of preprocessing moves a Frechet distance: the same real tiles, processed in two ways.

The true distance is 0, since both sets are the same tissue. The yardstick is the distance between two disjoint halves
of the tiles, no patient in both, which is what a reader would call sampling noise. Parmar, Zhang and Zhu ("On aliased
resizing and surprising subtleties in GAN evaluation", CVPR 2022) found the order: aliasing moves the number most,
then JPEG, then rounding to 8 bits.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from unipath_bench.core.images import resize, resize_float
from unipath_bench.metrics.frechet import frechet_distance
from unipath_bench.metrics.units import split_by_unit

TILES = 160
SIZE = 72
"""Pixels after the resize; the tiles have 256, so the factor is no whole number."""

Batch = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Features = npt.NDArray[np.float64]


def random_features(pixels: Floats | Batch) -> Features:
    """Features of grey levels that need not be whole numbers: (N, H, W, 3) in 0 to 255 to (N, 24).

    Mean and standard deviation, over the tile, of 12 random 5 x 5 filters that sum to zero, so that they answer to
    detail and not to colour: a network of one layer whose weights are drawn and not learnt.
    """
    generator = torch.Generator().manual_seed(0)
    filters = torch.randn(12, 3, 5, 5, generator=generator, dtype=torch.float64)
    filters -= filters.mean((1, 2, 3), keepdim=True)
    batch = torch.from_numpy(np.asarray(pixels, np.float64).transpose(0, 3, 1, 2) / 255)
    rows = []
    for part in batch.split(32):
        response = torch.nn.functional.conv2d(part, filters).relu()
        rows.append(torch.cat([response.mean((2, 3)), response.std((2, 3))], dim=1))
    return torch.cat(rows).numpy()


@dataclass(frozen=True, eq=False)
class Tiles:
    images: Batch
    groups: npt.NDArray[np.int64]

    @cached_property
    def ours(self) -> Features:
        """Features of the tiles on our own path."""
        return random_features(pinned(self.images))

    @cached_property
    def noise(self) -> float:
        """Mean over four cuts by patient of the distance between the halves, as our own path processes them."""
        cuts = [split_by_unit(self.groups, seed) for seed in range(4)]
        return float(np.mean([frechet_distance(self.ours[a], self.ours[b]) for a, b in cuts]))

    @cached_property
    def aliasing(self) -> float:
        """Distance that the missing antialias makes."""
        return frechet_distance(self.ours, random_features(aliased(self.images)))

    @cached_property
    def rounding(self) -> float:
        """Distance that rounding to 8 bits after the resize makes."""
        exact, whole = rounded(self.images)
        return frechet_distance(random_features(exact), random_features(whole))

    @cached_property
    def jpeg(self) -> dict[int, float]:
        """Distance that JPEG between the resize and the encoder makes, by quality."""
        ours = pinned(self.images)
        return {q: frechet_distance(self.ours, random_features(through_jpeg(ours, q))) for q in (75, 95)}


@pytest.fixture(scope="module")
def tiles(real_tiles: Path) -> Tiles:
    """Tiles of the test split in a shuffled order."""
    with (real_tiles / "test" / "metadata.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    chosen = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:TILES]]
    images = np.stack([np.asarray(Image.open(real_tiles / "test" / row["file_name"])) for row in chosen])
    _, groups = np.unique([row["group"] for row in chosen], return_inverse=True)
    return Tiles(images, groups.astype(np.int64))


def pinned(images: Batch) -> Batch:
    """The project's own path: Pillow's antialiased bicubic on 8 bits, once."""
    return resize(images, SIZE, "bicubic")


def aliased(images: Batch) -> Batch:
    """The trap of torch's default: bicubic without antialias, which skips most pixels of a smaller image."""
    pixels = torch.from_numpy(images.transpose(0, 3, 1, 2)).float()
    small = torch.nn.functional.interpolate(pixels, (SIZE, SIZE), mode="bicubic", align_corners=False, antialias=False)
    return small.clamp(0, 255).round().byte().numpy().transpose(0, 2, 3, 1)


def through_jpeg(images: Batch, quality: int) -> Batch:
    """Stored as JPEG between the resize and the encoder."""

    def stored(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    return np.stack([stored(image) for image in images])


def rounded(images: Batch) -> tuple[Floats, Batch]:
    """The resize in floating point, and the same rounded to 8 bits."""
    exact = resize_float(images, SIZE, "bicubic").clip(0, 255)
    return exact, np.rint(exact).astype(np.uint8)


@pytest.mark.integration
def test_the_pinned_path_is_pillows_to_the_byte_and_moves_nothing(tiles: Tiles) -> None:
    pillow = np.stack(
        [np.asarray(Image.fromarray(i).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for i in tiles.images]
    )
    np.testing.assert_array_equal(pinned(tiles.images), pillow)
    # Equal pixels are equal features, and of equal sets the distance is 0 but for the rounding of its last digit.
    spread = float(np.trace(np.cov(tiles.ours, rowvar=False)))
    assert abs(frechet_distance(tiles.ours, random_features(pillow))) <= 1e-12 * spread


def test_lossless_storage_moves_nothing(tiles: Tiles) -> None:
    for image in pinned(tiles.images[:40]):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        np.testing.assert_array_equal(np.asarray(Image.open(buffer)), image)


@pytest.mark.integration
def test_leaving_out_the_antialias_moves_the_distance_beyond_sampling_noise(tiles: Tiles) -> None:
    assert tiles.aliasing > tiles.noise


@pytest.mark.integration
def test_jpeg_of_quality_95_is_visible(tiles: Tiles) -> None:
    assert tiles.jpeg[95] > 1e-3 * tiles.noise
    assert tiles.jpeg[75] > tiles.jpeg[95]


@pytest.mark.integration
def test_rounding_to_8_bits_after_the_resize_is_visible(tiles: Tiles) -> None:
    exact, whole = rounded(tiles.images)
    # An error that is uniform in -1/2 to 1/2 has the variance 1/12; pixels of flat glass, whose value is whole before,
    # have none, so it is a little less. Small, and nevertheless not nothing.
    assert 0.9 / 12 < np.mean((exact - whole) ** 2) < 1.01 / 12
    assert tiles.rounding > 1e-8 * float(np.trace(np.cov(tiles.ours, rowvar=False)))


def test_the_order_of_the_traps(tiles: Tiles) -> None:
    assert 0 < tiles.rounding < tiles.jpeg[95] < tiles.aliasing
