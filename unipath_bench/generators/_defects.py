"""Graded defects of an image.

Every function takes and returns uint8 RGB, shape (H, W, 3); strength 0 is the identity.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from unipath_bench.core.arrays import RGBImage

HAEMATOXYLIN = (0.650, 0.704, 0.286)
"""Optical-density direction in RGB; Ruifrok & Johnston, Anal Quant Cytol Histol 2001;23:291-299."""

EOSIN = (0.072, 0.990, 0.105)
"""Optical-density direction in RGB; same source."""


@dataclass(frozen=True, slots=True)
class Defect:
    """A family of defects over one strength."""

    apply: Callable[[RGBImage, float, int], RGBImage]
    """(image, strength, seed) to the defective image."""
    default: float
    maximum: float
    unit: str


def blur(image: RGBImage, sigma: float) -> RGBImage:
    """Gaussian blur, each channel alone, mirrored at the borders; ``sigma`` in pixels."""
    from scipy.ndimage import gaussian_filter

    return _to_uint8(gaussian_filter(image.astype(np.float64), (sigma, sigma, 0.0), mode="reflect"))


def scale_stains(image: RGBImage, haematoxylin: float, eosin: float) -> RGBImage:
    """Multiply the concentrations of the two stains; the residual and white stay as they are.

    Beer-Lambert: optical density ``-log10(I / 255)`` is a sum of stain vectors times concentrations (Macenko
    et al., ISBI 2009), here with the fixed vectors of Ruifrok & Johnston and their normalised cross product
    as the residual. Intensity 0 counts as 1, since its density is infinite.
    """
    stains = stain_matrix()
    density = -np.log10(np.maximum(image, 1) / 255.0)
    concentrations = density @ np.linalg.inv(stains)
    shifted = (concentrations * np.array([haematoxylin, eosin, 1.0])) @ stains
    return _to_uint8(255.0 * np.power(10.0, -shifted))


def stain_matrix() -> npt.NDArray[np.float64]:
    """Unit optical-density vectors as rows: haematoxylin, eosin, residual; shape (3, 3)."""
    stains = np.array([HAEMATOXYLIN, EOSIN], dtype=np.float64)
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    residual = np.cross(stains[0], stains[1])
    return np.vstack([stains, residual / np.linalg.norm(residual)])


def add_noise(image: RGBImage, sigma: float, seed: int) -> RGBImage:
    """Independent Gaussian noise on every pixel and channel; ``sigma`` in grey levels of 255."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return _to_uint8(image + generator.normal(0.0, sigma, image.shape))


def compress(image: RGBImage, quality: int) -> RGBImage:
    """Through a JPEG of this quality (1 to 100) with 4:2:0 chroma subsampling, and back."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=2)
    buffer.seek(0)
    with Image.open(buffer) as decoded:
        return np.asarray(decoded, dtype=np.uint8)


def _blur(image: RGBImage, strength: float, seed: int) -> RGBImage:
    return blur(image, strength)


def _shift(image: RGBImage, strength: float, seed: int) -> RGBImage:
    return scale_stains(image, 1.0 + strength, 1.0 / (1.0 + strength))


def _compress(image: RGBImage, strength: float, seed: int) -> RGBImage:
    return compress(image, max(1, round(100 - strength)))


DEFECTS: Mapping[str, Defect] = {
    "blur": Defect(_blur, 2.0, 100.0, "Gaussian sigma in pixels"),
    "stain-shift": Defect(_shift, 0.5, 10.0, "haematoxylin times (1 + strength), eosin divided by it"),
    "noise": Defect(add_noise, 20.0, 255.0, "Gaussian sigma in grey levels of 255"),
    "jpeg": Defect(_compress, 80.0, 99.0, "100 minus the JPEG quality"),
}


def degrade(image: RGBImage, defect: str, strength: float, seed: int) -> RGBImage:
    """Apply a defect of :data:`DEFECTS`; strength 0 returns ``image`` itself."""
    return DEFECTS[defect].apply(image, strength, seed) if strength else image


def _to_uint8(values: npt.NDArray[np.float64]) -> RGBImage:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
