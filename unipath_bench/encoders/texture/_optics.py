"""From sRGB grey levels to optical density and stain concentrations.

Beer-Lambert: light that passes an absorber of concentration c is dimmed by 10^(-k c), so stains add in
optical density, not in grey level. Deconvolution is the linear unmixing of Ruifrok and Johnston,
"Quantification of histochemical staining by color deconvolution", Anal. Quant. Cytol. Histol. 23 (2001)
291-299.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from unipath_bench.core.arrays import RGBImage

Plane: TypeAlias = npt.NDArray[np.float32]
"""float32, shape (H, W)."""
Planes: TypeAlias = npt.NDArray[np.float32]
"""float32, shape (3, H, W)."""

HEMATOXYLIN = (0.65, 0.70, 0.29)
"""Red, green and blue optical density of hematoxylin (Ruifrok and Johnston 2001); normalised before use."""
EOSIN = (0.07, 0.99, 0.11)
"""Red, green and blue optical density of eosin (Ruifrok and Johnston 2001); normalised before use."""

_DENSITY = (-np.log10((np.arange(256, dtype=np.float64) + 1.0) / 256.0)).astype(np.float32)


def optical_density(image: RGBImage) -> Planes:
    """Optical density of each channel: ``-log10((value + 1) / 256)``.

    Takes uint8 (H, W, 3), gives float32 (3, H, W) between 0 (value 255) and log10(256) = 2.408 (value 0). The
    added one keeps black finite.
    """
    return np.stack([_DENSITY[image[..., channel]] for channel in range(3)])


def _stain_matrix() -> npt.NDArray[np.float64]:
    hematoxylin = np.array(HEMATOXYLIN) / np.linalg.norm(HEMATOXYLIN)
    eosin = np.array(EOSIN) / np.linalg.norm(EOSIN)
    residual = np.cross(hematoxylin, eosin)
    return np.stack([hematoxylin, eosin, residual / np.linalg.norm(residual)])


STAINS: npt.NDArray[np.float64] = _stain_matrix()
"""Rows: unit optical density vectors (red, green, blue) of hematoxylin, eosin, and the residual orthogonal to
both."""

_UNMIXING = np.linalg.inv(STAINS).astype(np.float32)


def separate_stains(density: Planes) -> Planes:
    """Concentrations of hematoxylin, eosin and residual, in optical density along each stain's unit vector.

    Takes and gives float32 (3, H, W). The concentrations c solve ``density = c @ STAINS`` at every pixel, so
    they may be negative where the colour lies outside the cone of the stains.
    """
    red, green, blue = density
    return np.stack([red * r + green * g + blue * b for r, g, b in _UNMIXING.T])


TISSUE_RAMP = (0.05, 0.10)
"""Mean optical density of the three channels at which a pixel is wholly glass, and wholly tissue."""


def ramp(values: Plane, low: float, high: float) -> Plane:
    """0 below ``low``, 1 above ``high``, linear between: a threshold without a jump."""
    scaled: Plane = (values - np.float32(low)) * np.float32(1.0 / (high - low))
    return scaled.clip(0.0, 1.0)


def tissue_weight(density: Planes) -> Plane:
    """How far each pixel is tissue, from 0 (glass, lumen, fat) to 1; float32 (H, W)."""
    mean = (density[0] + density[1] + density[2]) * np.float32(1.0 / 3.0)
    return ramp(mean, *TISSUE_RAMP)


def average(values: npt.NDArray[np.number | np.bool_]) -> float:
    """Mean of all elements, summed in float64."""
    return float(np.mean(values, dtype=np.float64))
