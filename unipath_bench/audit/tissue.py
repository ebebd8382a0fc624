"""Defects that only tissue can have: a wrong scale, nuclei that are missing, mitoses that are not there.

Every function takes and returns uint8 RGB, shape (H, W, 3). A greater amount contains the smaller one: the nuclei that
are gone at 20% are gone at 40% too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_multiotsu

from unipath_bench.core.arrays import RGBImage
from unipath_bench.generators._defects import HAEMATOXYLIN, stain_matrix

Field = npt.NDArray[np.float64]

_LEVELS = 64
"""Steps in which haematoxylin density is cut into classes."""

_TAPER = 2.5
"""Standard deviations at which the Gaussian of the filling ends."""

NUCLEUS_MICRONS = 6.0
"""Diameter of a small nucleus: the scale of smoothing and filling."""

PLATE_MICRONS = (4.3, 1.4)
"""Half axes of a metaphase plate seen from the side."""

HALO_MICRONS = 5.5
"""Radius of the cleared cytoplasm around a dividing cell."""

CHROMATIN_DENSITY = 1.1
"""Optical density (base 10) that condensed chromosomes add along the haematoxylin direction."""

FIELD_MICRONS = 64.0
"""Side of the field that mitoses are counted in."""


def enlarge(image: RGBImage, factor: float) -> RGBImage:
    """The middle of the image, enlarged by ``factor`` >= 1 (Pillow, Lanczos) to the size it had: a scale error."""
    height, width, _ = image.shape
    half = (0.5 - 0.5 / factor) * width, (0.5 - 0.5 / factor) * height
    box = (half[0], half[1], width - half[0], height - half[1])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS, box=box))


def remove_nuclei(image: RGBImage, share: float, seed: int, microns_per_pixel: float) -> RGBImage:
    """Paint over a random ``share`` (0 to 1) of the nuclei with what surrounds them.

    Nuclear is what lies in the highest of three classes (Otsu's criterion) of the haematoxylin density, by colour
    deconvolution with the fixed vectors of Ruifrok & Johnston and smoothed over a sixth of a nucleus; each nuclear
    pixel belongs to the nearest local maximum. The optical density inside is replaced by the Gaussian-weighted mean of
    the density outside, so the patch is smoother than tissue: the defect is not free of blur.
    """
    density = optical_density(image)
    sigma = max(0.5, NUCLEUS_MICRONS / 6 / microns_per_pixel)
    haematoxylin = ndimage.gaussian_filter(density @ np.linalg.inv(stain_matrix())[:, 0], sigma, mode="reflect")
    owners, nuclear = _nuclei(haematoxylin, microns_per_pixel)
    count = int(owners.max(initial=0))
    order = np.random.Generator(np.random.PCG64(seed)).permutation(count) + 1
    gone = nuclear & np.isin(owners, order[: round(share * count)])
    if not gone.any():
        return image
    gone = ndimage.binary_dilation(gone, iterations=max(1, round(0.7 / microns_per_pixel)))
    return _painted_over(image, density, gone, ~nuclear & ~gone, NUCLEUS_MICRONS / microns_per_pixel)


def add_mitoses(image: RGBImage, figures: float, seed: int, microns_per_pixel: float) -> RGBImage:
    """Paint ``figures`` metaphase plates a field of 64 x 64 micrometres, each in a cleared cell, at random places.

    At least one for any ``figures`` above 0. Plates are dark ellipses in the haematoxylin direction.
    """
    height, width, _ = image.shape
    fields = height * width * (microns_per_pixel / FIELD_MICRONS) ** 2
    count = max(1, round(figures * fields))
    halo, plate = np.zeros((height, width)), np.zeros((height, width))
    reach = int(HALO_MICRONS / microns_per_pixel) + 2
    draws = np.random.Generator(np.random.PCG64(seed)).random((count, 3))
    for down, across, turn in draws.tolist():
        row, column = int(down * height), int(across * width)
        near = (
            slice(max(0, row - reach), min(height, row + reach + 1)),
            slice(max(0, column - reach), min(width, column + reach + 1)),
        )
        rows, columns = np.mgrid[near]
        y, x = (rows - row) * microns_per_pixel, (columns - column) * microns_per_pixel
        halo[near] = np.maximum(halo[near], _disc(y, x, (HALO_MICRONS, HALO_MICRONS), turn, microns_per_pixel))
        plate[near] = np.maximum(plate[near], _disc(y, x, PLATE_MICRONS, turn, microns_per_pixel))
    haematoxylin = np.asarray(HAEMATOXYLIN) / np.linalg.norm(HAEMATOXYLIN)
    cleared = optical_density(image) * (1 - 0.6 * halo[..., None])
    return transmitted(cleared + plate[..., None] * CHROMATIN_DENSITY * haematoxylin)


def optical_density(image: RGBImage) -> Field:
    """``-log10(I / 255)``, float64 (H, W, 3); intensity 0 counts as 1."""
    return np.asarray(-np.log10(np.maximum(image, 1) / 255.0))


def transmitted(density: Field) -> RGBImage:
    """The inverse of :func:`optical_density`."""
    return np.clip(np.rint(255.0 * np.power(10.0, -density)), 0, 255).astype(np.uint8)


def _nuclei(haematoxylin: Field, microns_per_pixel: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """For each pixel the number of its nearest nucleus, from 1, and whether it is nuclear; a flat field has none."""
    nothing = np.zeros(haematoxylin.shape, np.int64), np.zeros(haematoxylin.shape, np.bool_)
    levels = np.digitize(haematoxylin, np.linspace(haematoxylin.min(), haematoxylin.max(), _LEVELS)).astype(np.uint8)
    if len(np.unique(levels)) < 3:
        return nothing
    edge = threshold_multiotsu(levels, classes=3)[-1]  # type: ignore[no-untyped-call]  # scikit-image has no types
    nuclear = levels > edge
    window = 2 * max(1, round(NUCLEUS_MICRONS / 2 / microns_per_pixel)) + 1
    peaks = nuclear & (haematoxylin == ndimage.maximum_filter(haematoxylin, window, mode="nearest"))
    numbers, count = ndimage.label(peaks)
    if not count:
        return nothing
    nearest = ndimage.distance_transform_edt(~peaks, return_distances=False, return_indices=True)
    return numbers[tuple(nearest)].astype(np.int64), nuclear


def _disc(y: Field, x: Field, axes: tuple[float, float], turn: float, microns_per_pixel: float) -> Field:
    """Cover, 0 to 1, of an ellipse at the origin with these half axes (micrometres), turned by ``turn`` half circles.

    The border falls over about one pixel.
    """
    cosine, sine = np.cos(np.pi * turn), np.sin(np.pi * turn)
    distance = np.hypot((x * cosine + y * sine) / axes[0], (y * cosine - x * sine) / axes[1])
    return np.asarray(np.clip((1 - distance) * axes[1] / microns_per_pixel + 0.5, 0, 1))


def _painted_over(
    image: RGBImage, density: Field, gone: npt.NDArray[np.bool_], background: npt.NDArray[np.bool_], sigma: float
) -> RGBImage:
    """``gone`` filled with the Gaussian-weighted mean of ``background``; where none is near, with its overall mean."""
    weight = ndimage.gaussian_filter(background.astype(np.float64), sigma, mode="reflect", truncate=_TAPER)
    known = np.where(background[..., None], density, 0.0)
    mean = ndimage.gaussian_filter(known, (sigma, sigma, 0.0), mode="reflect", truncate=_TAPER)
    overall = density[background].mean(axis=0) if background.any() else density.mean(axis=(0, 1))
    near = weight > 1e-3
    filled = np.where(near[..., None], mean / np.maximum(weight, 1e-3)[..., None], overall)
    painted = image.copy()
    painted[gone] = transmitted(filled)[gone]
    return painted
