"""Hand-derived values of the texture encoder's statistics, on made-up tiles."""

from __future__ import annotations

from math import log, log10, pi, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from skimage.measure import regionprops

from unipath_bench.core.errors import DataError
from unipath_bench.encoders.texture import DIMENSIONS, TextureEncoder, texture_features
from unipath_bench.encoders.texture.__main__ import table
from unipath_bench.encoders.texture._features import texture_statistics_of
from unipath_bench.encoders.texture._nuclear import NO_NUCLEI
from unipath_bench.encoders.texture._optics import STAINS, optical_density, separate_stains, tissue_weight
from unipath_bench.encoders.texture._regions import count_blobs, label_nuclei, measure, nuclear_mask
from unipath_bench.encoders.texture._scales import lowpasses, smooth
from unipath_bench.encoders.texture._texture import DENSITY_FLOOR, texture_statistics
from unipath_bench.encoders.texture._units import UNITS

PINK = (235, 200, 220)
PURPLE = (80, 60, 140)


def discs(
    centres: list[tuple[int, int]], radius: float, size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Purple discs on pink: the tile (size, size, 3) and the mask that was drawn."""
    rows, columns = np.mgrid[:size, :size]
    mask = np.zeros((size, size), dtype=bool)
    for row, column in centres:
        mask |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return np.where(mask[..., None], np.array(PURPLE, np.uint8), np.array(PINK, np.uint8)), mask


GRID = [(20 + 40 * i, 20 + 40 * j) for i in range(5) for j in range(5)]
"""25 places, 40 pixels apart, in a tile of 200 pixels."""


def constant(value: int | tuple[int, int, int], size: int = 64) -> npt.NDArray[np.uint8]:
    return np.full((size, size, 3), value, dtype=np.uint8)


class TestOptics:
    def test_optical_density_of_known_greys(self) -> None:
        # -log10((v + 1) / 256): 255 -> 0; 127 -> log10(2); 63 -> log10(4); 0 -> log10(256).
        image = np.zeros((2, 2, 3), dtype=np.uint8)
        image[0, 0], image[0, 1], image[1, 0] = (255, 127, 63), (127, 127, 127), (63, 255, 0)
        density = optical_density(image)
        assert density.shape == (3, 2, 2)
        assert density.dtype == np.float32
        np.testing.assert_allclose(density[:, 0, 0], [0.0, log10(2), log10(4)], atol=1e-6)
        np.testing.assert_allclose(density[:, 1, 0], [log10(4), 0.0, log10(256)], atol=1e-6)

    def test_deconvolution_recovers_a_mix(self) -> None:
        wanted = np.array([0.5, 0.2, 0.0])
        density = (wanted @ STAINS).astype(np.float32).reshape(3, 1, 1) * np.ones((1, 4, 4), np.float32)
        np.testing.assert_allclose(separate_stains(density)[:, 0, 0], wanted, atol=1e-6)

    def test_deconvolution_survives_eight_bits(self) -> None:
        # One grey level at value v is 1 / (ln(10) (v + 1)) in density; here v >= 91, so half a level is under 0.0024.
        wanted = np.array([0.3, 0.2, 0.0])
        grey = np.rint(256 * 10 ** -(wanted @ STAINS) - 1).astype(np.uint8)
        assert grey.min() >= 91
        found = separate_stains(optical_density(np.broadcast_to(grey, (2, 2, 3))))[:, 0, 0]
        # The error is at most half a level times the largest column sum of the unmixing matrix.
        bound = 0.0024 * np.abs(np.linalg.inv(STAINS)).sum(axis=0).max()
        np.testing.assert_allclose(found, wanted, atol=bound)

    def test_residual_is_orthogonal_and_vectors_are_unit(self) -> None:
        np.testing.assert_allclose(STAINS @ STAINS[2], [0, 0, 1], atol=1e-12)
        np.testing.assert_allclose((STAINS**2).sum(axis=1), 1.0)

    def test_glass_is_no_tissue_and_stain_is(self) -> None:
        assert tissue_weight(optical_density(constant(250))).max() == 0.0  # density 0.0085
        assert tissue_weight(optical_density(constant(PURPLE))).min() == 1.0


class TestScales:
    @pytest.mark.parametrize("level", range(5))
    def test_impulse_response_has_the_documented_width(self, level: int) -> None:
        # The variance of (1, 2, 1)/4 with holes 2^j is 4^j / 2; of levels 0..J together (4^(J+1) - 1) / 6.
        impulse = np.zeros((129, 129), dtype=np.float32)
        impulse[64, 64] = 1.0
        response = lowpasses(impulse)[level].astype(np.float64)
        offset = np.arange(129) - 64.0
        assert response.sum() == pytest.approx(1.0, rel=1e-5)
        for marginal in (response.sum(axis=0), response.sum(axis=1)):
            assert (marginal * offset**2).sum() == pytest.approx((4 ** (level + 1) - 1) / 6, rel=1e-5)

    def test_edges_are_mirrored(self) -> None:
        # Mirrored at the pixel's own edge, the ramp 0, 1, 2 ... has first neighbours 0 and 1: (0 + 2*0 + 1) / 4.
        plane = np.tile(np.arange(8, dtype=np.float32)[:, None], (1, 8))
        np.testing.assert_allclose(smooth(plane, 1)[:, 3], [0.25, 1, 2, 3, 4, 5, 6, 6.75])


class TestRegions:
    def test_moments_agree_with_scikit_image(self) -> None:
        rng = np.random.default_rng(3)
        labels, count = label_nuclei(smooth(smooth(rng.normal(size=(96, 96)).astype(np.float32), 1), 2) > 0.1)
        intensity = rng.random((96, 96)).astype(np.float32)
        regions = measure(labels, count, intensity)
        peers = regionprops(labels, intensity_image=intensity)
        assert count == len(peers) > 10
        np.testing.assert_array_equal(regions.area, [p.area for p in peers])
        np.testing.assert_allclose(regions.centroid, [p.centroid for p in peers])
        np.testing.assert_allclose(regions.mean, [p.intensity_mean for p in peers], rtol=1e-6)
        np.testing.assert_allclose(regions.deviation, [p.image_intensity[p.image].std() for p in peers], rtol=1e-5)
        # scikit-image's moments are of points; ours of unit squares, 1/12 larger.
        np.testing.assert_allclose(regions.major, [p.inertia_tensor_eigvals[0] + 1 / 12 for p in peers])
        np.testing.assert_allclose(regions.minor, [p.inertia_tensor_eigvals[1] + 1 / 12 for p in peers])

    def test_rectangle(self) -> None:
        # 12 x 4 unit squares: variances 12^2/12 and 4^2/12, eccentricity sqrt(1 - 1/9), ellipse 4 pi (48/12) = 16 pi.
        labels = np.zeros((40, 40), dtype=np.int32)
        labels[10:22, 5:9] = 1
        region = measure(labels, 1, np.ones((40, 40), np.float32))
        assert region.major[0] == pytest.approx(12.0)
        assert region.minor[0] == pytest.approx(4 / 3)
        assert region.eccentricity[0] == pytest.approx(sqrt(8 / 9))
        assert region.fill[0] == pytest.approx(3 / pi)
        assert region.interior[0]
        np.testing.assert_allclose(region.elongation[0], [12 - 4 / 3, 0.0], atol=1e-12)

    def test_touching_the_edge(self) -> None:
        labels = np.zeros((40, 40), dtype=np.int32)
        labels[:5, 10:15], labels[20:25, 20:25], labels[30:35, 35:] = 1, 2, 3
        np.testing.assert_array_equal(measure(labels, 3, np.ones((40, 40), np.float32)).interior, [False, True, False])

    def test_specks_are_dropped_and_numbers_closed_up(self) -> None:
        mask = np.zeros((40, 40), dtype=bool)
        mask[2:5, 2:7] = True  # 15 pixels, one too few
        mask[20:24, 20:24] = True  # 16
        labels, count = label_nuclei(mask)
        assert count == 1
        np.testing.assert_array_equal(np.argwhere(labels == 1).min(axis=0), [20, 20])
        assert (labels > 0).sum() == 16

    def test_blobs_count_plateaus_once_and_ignore_low_ones(self) -> None:
        plane = np.zeros((20, 20), dtype=np.float32)
        plane[3:5, 3:5] = 0.3
        plane[10, 10] = 0.4
        plane[15, 15] = 0.1  # too clear
        plane[15, 3] = 0.3  # no darker than its surroundings
        surroundings = np.zeros((20, 20), dtype=np.float32)
        surroundings[15, 3] = 0.29
        assert count_blobs(plane, surroundings) == 2


class TestDiscGrid:
    tile, drawn = discs(GRID, 7, 200)

    def test_every_disc_is_one_round_nucleus_of_its_area(self) -> None:
        red = optical_density(self.tile)[0]
        labels, count = label_nuclei(nuclear_mask(red, lowpasses(red)[4], smooth(smooth(red, 1), 1)))
        regions = measure(labels, count, red)
        assert count == len(GRID)
        np.testing.assert_allclose(regions.centroid, GRID, atol=1e-9)
        # The threshold lies below half of the step, so the outline moves out by under one pixel.
        one, wider = self.drawn.sum() / 25, np.ceil(pi * 8**2)
        assert np.all((regions.area >= one) & (regions.area <= wider))
        np.testing.assert_allclose(regions.eccentricity, 0.0, atol=1e-6)
        np.testing.assert_allclose(regions.fill, 1.0, atol=0.02)

    def test_statistics(self) -> None:
        found = texture_statistics_of(self.tile)
        assert found["nuclear_count"] == pytest.approx(sqrt(25 * 1e4 / 200**2))
        assert found["blob_count"] == pytest.approx(found["nuclear_count"])
        # One pseudo-nucleus beside the 25: neighbours at 40 px; 40 over half of sqrt(40000 / 25) = 20 is 2.
        assert found["nuclear_spacing"] == pytest.approx((25 * log(40) + NO_NUCLEI["nuclear_spacing"]) / 26)
        assert found["nuclear_regularity"] == pytest.approx((25 * 2 + NO_NUCLEI["nuclear_regularity"]) / 26)
        assert found["nuclear_eccentricity"] == pytest.approx(NO_NUCLEI["nuclear_eccentricity"] / 26, abs=1e-6)
        # All of one size and one density: only the pseudo-observation spreads.
        assert found["nuclear_area_spread"] == pytest.approx(NO_NUCLEI["nuclear_area_spread"] / sqrt(26), abs=1e-6)
        assert found["nuclear_alignment"] == pytest.approx(0.0, abs=1e-9)

    def test_discs_cut_by_the_edge_count_half(self) -> None:
        tile, _ = discs([(0, 60), (60, 0), (60, 60)], 8, 120)
        assert texture_statistics_of(tile)["nuclear_count"] == pytest.approx(sqrt((0.5 + 0.5 + 1) * 1e4 / 120**2))

    def test_more_nuclei_move_count_fraction_and_spacing(self) -> None:
        few = texture_statistics_of(discs(GRID[::4], 7, 200)[0])
        many = texture_statistics_of(self.tile)
        assert many["nuclear_count"] > few["nuclear_count"]
        assert many["nuclear_fraction"] > few["nuclear_fraction"]
        assert many["nuclear_spacing"] < few["nuclear_spacing"]

    def test_parallel_ellipses_align_and_crossed_ones_do_not(self) -> None:
        rows, columns = np.mgrid[:160, :160]

        def tile(turned: bool) -> npt.NDArray[np.uint8]:
            mask = np.zeros((160, 160), dtype=bool)
            for k, (row, column) in enumerate([(40, 40), (40, 120), (120, 40), (120, 120)]):
                a, b = (4, 12) if turned and k % 2 else (12, 4)
                mask |= ((rows - row) / a) ** 2 + ((columns - column) / b) ** 2 <= 1
            return np.where(mask[..., None], np.array(PURPLE, np.uint8), np.array(PINK, np.uint8))

        assert texture_statistics_of(tile(turned=False))["nuclear_alignment"] > 0.7
        assert texture_statistics_of(tile(turned=True))["nuclear_alignment"] == pytest.approx(0.0, abs=1e-6)


class TestEmptyTiles:
    @pytest.mark.parametrize("value", [255, 0, 128, PINK])
    def test_no_nuclei_gives_the_stated_values(self, value: int | tuple[int, int, int]) -> None:
        found = texture_statistics_of(constant(value))
        for name, stated in NO_NUCLEI.items():
            assert found[name] == pytest.approx(stated, abs=1e-12), name
        assert found["nuclear_count"] == found["blob_count"] == found["nuclear_fraction"] == 0.0

    def test_white(self) -> None:
        found = texture_statistics_of(constant(255))
        assert found["background"] == 1.0
        assert found["hematoxylin_mean"] == found["eosin_mean"] == found["residual_mean"] == 0.0
        assert found["red_share"] == pytest.approx(1 / 3)

    @pytest.mark.parametrize("value", [255, 0, PURPLE])
    def test_flat_tiles_have_no_texture(self, value: int | tuple[int, int, int]) -> None:
        found = texture_statistics_of(constant(value))
        for name, number in found.items():
            if "_band" in name:
                assert number == pytest.approx(log(DENSITY_FLOOR), abs=1e-3), name
        assert found["sparsity"] == pytest.approx(log(3), abs=1e-3)
        assert found["coherence"] == pytest.approx(0.0, abs=1e-3)
        assert found["nonuniform_patterns"] == 0.0


class TestTexture:
    flat = constant(128, 256)

    def test_white_noise(self) -> None:
        # x less its (1, 2, 1)/4 smoothing has energy 1 - 2 (1/2)^2 + (3/8)^2 = 0.640625 of x's; Gaussian kurtosis is 3.
        sigma = 0.1
        noise = np.random.default_rng(0).normal(0, sigma, (3, 256, 256)).astype(np.float32)
        found = texture_statistics(self.flat, noise)
        assert found["hematoxylin_band1"] == pytest.approx(0.5 * log(0.640625 * sigma**2 + DENSITY_FLOOR**2), abs=0.01)
        assert found["residual_band1"] == pytest.approx(found["hematoxylin_band1"], abs=0.02)
        assert found["sparsity"] == pytest.approx(log(3), abs=0.1)
        assert found["anisotropy"] < 0.05

    @pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 1), (1, 1), (2, -1)])
    def test_stripes_of_any_direction_are_coherent(self, rows: int, columns: int) -> None:
        y, x = np.mgrid[:256, :256]
        wave = 0.3 * np.sin(2 * pi * (rows * y + columns * x) / 32).astype(np.float32)
        found = texture_statistics(self.flat, np.stack([wave] * 3))
        assert found["anisotropy"] > 0.95
        assert found["coherence"] > 0.9

    def test_a_checkerboard_is_half_nonuniform(self) -> None:
        # A bright pixel sees bright corners and dark sides: eight transitions. A dark one sees nothing darker: none.
        board = np.indices((66, 66)).sum(axis=0) % 2
        image = np.repeat((board * 200).astype(np.uint8)[..., None], 3, axis=2)
        found = texture_statistics(image, np.zeros((3, 66, 66), np.float32))
        assert found["nonuniform_patterns"] == 0.5


class TestContract:
    def test_table_of_dimensions(self) -> None:
        names = [d.name for d in DIMENSIONS]
        assert len(set(names)) == len(names) <= 42
        assert set(names) == set(UNITS) == set(texture_statistics_of(constant(PINK)))
        assert all(d.scale > 0 and d.transform in {"none", "sqrt", "ln"} for d in DIMENSIONS)
        assert table() in (Path(__file__).parents[2] / "docs" / "texture-encoder.md").read_text(encoding="utf-8")

    def test_location_and_scale_are_applied_in_order(self) -> None:
        tile, _ = discs(GRID, 7, 200)
        raw, vector = texture_statistics_of(tile), texture_features(tile)
        assert vector.dtype == np.float32
        for value, dimension in zip(vector, DIMENSIONS, strict=True):
            assert value == pytest.approx((raw[dimension.name] - dimension.location) / dimension.scale, rel=1e-5)

    def test_encoder_is_the_core_on_each_image(self) -> None:
        rng = np.random.default_rng(1)
        images = rng.integers(0, 256, (5, 48, 40, 3), dtype=np.uint8)
        encoder = TextureEncoder()
        features = encoder.embed_images(images)
        assert features.shape == (5, encoder.card.dimension)
        assert features.dtype == np.float32
        for image, row in zip(images, features, strict=True):
            assert row.tobytes() == texture_features(image).tobytes()
        assert encoder.embed_images(images[2:3]).tobytes() == features[2:3].tobytes()
        assert encoder.embed_images(images[:0]).shape == (0, encoder.card.dimension)

    def test_memory_layout_does_not_matter(self) -> None:
        image = np.random.default_rng(2).integers(0, 256, (40, 56, 3), dtype=np.uint8)
        turned = np.asfortranarray(image)
        wider = np.concatenate([image, image], axis=1)[:, :56]
        assert texture_features(image).tobytes() == texture_features(turned).tobytes()
        assert texture_features(image).tobytes() == texture_features(wider).tobytes()

    @pytest.mark.parametrize(
        "images",
        [
            np.zeros((2, 64, 64, 3), np.float32),
            np.zeros((64, 64, 3), np.uint8),
            np.zeros((2, 64, 64, 4), np.uint8),
            np.zeros((2, 3, 64, 64), np.uint8),
            np.zeros((2, 31, 64, 3), np.uint8),
        ],
    )
    def test_bad_batches_are_refused(self, images: npt.NDArray[np.uint8]) -> None:
        with pytest.raises(DataError, match=r"The texture encoder got"):
            TextureEncoder().embed_images(images)

    @pytest.mark.parametrize(
        "image", [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3)), np.zeros((8, 64, 3), np.uint8)]
    )
    def test_bad_tiles_are_refused(self, image: npt.NDArray[np.uint8]) -> None:
        with pytest.raises(ValueError, match="a tile"):
            texture_features(image)
