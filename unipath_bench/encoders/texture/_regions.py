"""Nuclei as connected regions: segmentation, moments, spacing.

Hematoxylin is told from eosin and erythrocytes by the optical density of the red channel, in which those two
hardly absorb (the red component of eosin is 0.07 against hematoxylin's 0.65): that is steadier across
scanners than the deconvolved hematoxylin plane. Lengths are pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from unipath_bench.encoders.texture._optics import Plane

FloatArray = npt.NDArray[np.float64]

NUCLEAR_DENSITY = 0.20
"""Least optical density in red (smoothed, sigma 1 pixel) of a nuclear pixel."""
NUCLEAR_CONTRAST = 0.05
"""Least excess of that density over its surroundings (sigma 13 pixels): keeps dark cytoplasm out."""
SMALLEST_NUCLEUS = 16
"""Regions of fewer pixels are specks, not nuclei."""
PIXEL_VARIANCE = 1.0 / 12.0
"""Second moment of a unit square: makes the moments those of filled pixels, so a one-pixel line has a
width."""


def nuclear_mask(red: Plane, surroundings: Plane, smoothed: Plane) -> npt.NDArray[np.bool_]:
    """Nuclear pixels; bool (H, W).

    ``smoothed`` and ``surroundings`` are the red optical density ``red`` at sigma 1 and 13 pixels. The
    thresholds are fixed, so a blank tile has no nuclei, and a fainter stain has fewer rather than others.
    """
    if red.shape != smoothed.shape or red.shape != surroundings.shape:
        raise ValueError(f"planes differ in shape: {red.shape}, {smoothed.shape}, {surroundings.shape}")
    return (smoothed > NUCLEAR_DENSITY) & (smoothed - surroundings > NUCLEAR_CONTRAST)


@dataclass(frozen=True)
class Regions:
    """Measurements of N regions, float64 (N,) each unless said otherwise."""

    area: FloatArray
    """Pixels."""
    centroid: FloatArray
    """Row and column, pixels; (N, 2)."""
    major: FloatArray
    """Larger eigenvalue of the second central moments, squared pixels."""
    minor: FloatArray
    """Smaller eigenvalue."""
    elongation: FloatArray
    """Major minus minor, as the vector (rows minus columns, twice the mixed moment) of doubled angle; (N,
    2)."""
    mean: FloatArray
    """Mean of the intensity plane within the region."""
    deviation: FloatArray
    """Standard deviation of the intensity plane within the region."""
    interior: npt.NDArray[np.bool_]
    """True where the region does not touch the edge of the tile."""

    def __len__(self) -> int:
        return len(self.area)

    @property
    def eccentricity(self) -> FloatArray:
        """Eccentricity of the ellipse of equal second moments.

        It is sqrt(1 - minor / major): 0 for a disc, always below 1.
        """
        return np.sqrt(np.clip(1.0 - self.minor / self.major, 0.0, 1.0))

    @property
    def fill(self) -> FloatArray:
        """Area divided by that of the ellipse of equal second moments, 4 pi sqrt(major minor).

        It lies in (0, 1]: 1 for an ellipse, 3 / pi for a rectangle, less for notched or branching shapes.
        """
        return self.area / (4.0 * np.pi * np.sqrt(self.major * self.minor))


def label_nuclei(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], int]:
    """Number the four-connected regions of at least :data:`SMALLEST_NUCLEUS` pixels 1 .. N.

    Returns the labels, int32 (H, W) with 0 outside the regions, and N.
    """
    labels, count = ndimage.label(mask)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    keep = areas >= SMALLEST_NUCLEUS
    keep[0] = False
    number = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return number[labels], int(keep.sum())


def measure(labels: npt.NDArray[np.int32], count: int, intensity: Plane) -> Regions:
    """Moments of regions 1 .. ``count`` of ``labels`` (H, W), all at once by weighted counts.

    Coordinates are taken from the nearest pixel to each centroid, so that the sums are of small whole
    numbers: exact, and the same for a mirrored or turned region.
    """
    flat = np.flatnonzero(labels)
    region = labels.ravel()[flat] - 1
    row, column = np.divmod(flat, labels.shape[1])

    def total(weights: npt.NDArray[np.generic] | None = None) -> FloatArray:
        return np.bincount(region, weights, minlength=count).astype(np.float64)

    area = total()
    centroid = np.stack([total(row) / area, total(column) / area], axis=1)
    origin = np.rint(centroid).astype(np.int64)
    y, x = row - origin[region, 0], column - origin[region, 1]
    mean_y, mean_x = total(y) / area, total(x) / area
    yy = total(y * y) / area - mean_y**2 + PIXEL_VARIANCE
    xx = total(x * x) / area - mean_x**2 + PIXEL_VARIANCE
    xy = total(x * y) / area - mean_x * mean_y
    spread = np.hypot(yy - xx, 2.0 * xy)
    major = (yy + xx + spread) / 2.0
    minor = np.maximum((yy + xx - spread) / 2.0, PIXEL_VARIANCE)

    value = intensity.ravel()[flat].astype(np.float64)
    mean = total(value) / area
    deviation = np.sqrt(np.maximum(total((value - mean[region]) ** 2) / area, 0.0))

    interior = np.ones(count + 1, dtype=np.bool_)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        interior[edge] = False
    return Regions(
        area=area,
        centroid=centroid,
        major=major,
        minor=minor,
        elongation=np.stack([yy - xx, 2.0 * xy], axis=1),
        mean=mean,
        deviation=deviation,
        interior=interior[1:],
    )


def nearest_distances(centroids: FloatArray) -> FloatArray:
    """Return the distance from each of N points to the nearest other one, in pixels: (N,).

    For fewer than two points the result is empty, (0,).
    """
    if len(centroids) < 2:
        return np.empty(0)
    distances, _ = cKDTree(centroids).query(centroids, k=2)
    return np.asarray(distances, dtype=np.float64)[:, 1]


BLOB_DENSITY = 0.15
"""Least red optical density of a blob's peak, at sigma 2.1 pixels."""
BLOB_CONTRAST = 0.04
"""Least excess of that density over its surroundings (sigma 13 pixels)."""


def count_blobs(smoothed: Plane, surroundings: Plane) -> int:
    """Local maxima of ``smoothed`` (H, W) that are dark, and darker than ``surroundings``; a plateau counts once.

    Counts nuclei that touch, which regions merge. Smoothing with a tent keeps the single peak of a convex disc.
    """
    padded = np.pad(smoothed, 1, constant_values=-np.inf)
    height, width = smoothed.shape
    peak = (smoothed > BLOB_DENSITY) & (smoothed - surroundings > BLOB_CONTRAST)
    for dy in range(3):
        for dx in range(3):
            if (dy, dx) != (1, 1):
                peak &= smoothed >= padded[dy : dy + height, dx : dx + width]
    return int(ndimage.label(peak, structure=np.ones((3, 3)))[1])
