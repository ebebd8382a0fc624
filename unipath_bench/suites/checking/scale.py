"""Microns per pixel from the size of nuclei: a rough figure, good for finding a scale that is wrong by a factor of two.

The haematoxylin density (Ruifrok and Johnston 2001, :data:`skimage.color.hed_from_rgb`) is filtered by scale-normalised
Laplacians of Gaussians (Lindeberg 1998); the scale at which its dark blobs answer most strongly is their typical
diameter, 2 sqrt(2) sigma. Dividing :data:`NUCLEUS` by it gives microns per pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.color import hed_from_rgb

from unipath_bench.core.arrays import RGBImage

NUCLEUS = 5.0
"""Diameter in micrometres at which blobs answer most: medians of 4.1, 4.5, 5.3 and 6.1 in four diagnoses of real H&E at
0.5 microns per pixel, of which this is about the geometric mean. Smaller than a nucleus, whose inside is uneven."""
FACTOR = 1.5
"""A declared scale that is off the estimate by more than this is wrong; less is within what tissues differ by."""
FEWEST = 8
"""Images with an estimate that a verdict needs."""
SPREAD = 2.5
"""Upper by lower quartile of the images' estimates above which they do not agree on a scale."""
FAINT = 0.005
"""Haematoxylin density (base 10, root mean square) that blobs must answer with: empty glass has none."""

_SIGMAS = np.geomspace(1.0, 14.0, 20)
_STEP = float(_SIGMAS[1] / _SIGMAS[0])
_LARGEST = 256
_LEAST_SIDE = 32


@dataclass(frozen=True)
class ScaleEstimate:
    """What the nuclei say. ``microns_per_pixel`` is None where they say nothing, and ``reason`` why."""

    microns_per_pixel: float | None
    low: float = 0.0
    """Lower quartile over images."""
    high: float = 0.0
    images: int = 0
    reason: str = ""


def estimate_scale(images: Sequence[RGBImage]) -> ScaleEstimate:
    """Median over uint8 (H, W, 3) images; each is looked at in its middle 256 x 256 pixels."""
    diameters = [d for d in map(blob_diameter, images) if d is not None]
    if len(diameters) < FEWEST:
        return ScaleEstimate(
            None,
            images=len(diameters),
            reason=f"only {len(diameters)} of {len(images)} images have blobs of one size; {FEWEST} are needed",
        )
    low, middle, high = (float(NUCLEUS / q) for q in np.quantile(diameters, (0.75, 0.5, 0.25)))
    if high / low > SPREAD:
        return ScaleEstimate(
            None, low, high, len(diameters), f"the images do not agree: {low:.2f} to {high:.2f} between quartiles"
        )
    return ScaleEstimate(middle, low, high, len(diameters))


def blob_diameter(image: RGBImage) -> float | None:
    """Diameter in pixels at which the dark blobs of an image answer most strongly; None where none is strongest.

    That is where the image is under 32 pixels a side, the blobs are fainter than :data:`FAINT`, or the answer grows up
    to the smallest or largest scale looked at (2.8 and 40 pixels).
    """
    if min(image.shape[:2]) < _LEAST_SIDE:
        return None
    density = _haematoxylin(_middle(image))
    strengths = [_strength(density, float(sigma)) for sigma in _SIGMAS]
    best = int(np.argmax(strengths))
    if best in (0, len(_SIGMAS) - 1) or strengths[best] < FAINT**2:
        return None
    return float(2 * np.sqrt(2) * _SIGMAS[0] * _STEP ** (best + _peak(*strengths[best - 1 : best + 2])))


def _peak(before: float, top: float, after: float) -> float:
    """Where the parabola through three equidistant values is highest, from -0.5 to 0.5 of a step."""
    bend = before - 2 * top + after
    return 0.0 if bend == 0 else 0.5 * (before - after) / bend


def _strength(density: npt.NDArray[np.float64], sigma: float) -> float:
    """Mean square of the positive answers.

    Of a Gaussian blob of standard deviation a it is proportional to s^4 / (s^2 + a^2)^3, so largest at s = sqrt(2) a.
    """
    answer = np.maximum(-(sigma**2) * ndimage.gaussian_laplace(density, sigma, mode="reflect"), 0.0)
    return float(np.mean(answer**2))


def _haematoxylin(image: RGBImage) -> npt.NDArray[np.float64]:
    density = -np.log10(np.maximum(image.astype(np.float64), 1.0) / 255.0)
    plane: npt.NDArray[np.float64] = (density @ np.asarray(hed_from_rgb, np.float64))[:, :, 0]
    return plane


def _middle(image: RGBImage) -> RGBImage:
    top, left = (max(0, (side - _LARGEST) // 2) for side in image.shape[:2])
    return image[top : top + _LARGEST, left : left + _LARGEST]
