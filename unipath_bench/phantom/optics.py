"""From optical densities to pixels: stains (Beer-Lambert), section and scanner.

Light is absorbed as I = I0 exp(-sum of density times the stain's colour) (Ruifrok and Johnston, "Quantification of
histochemical staining by color deconvolution", Anal. Quant. Cytol. Histol. 2001). Colours are natural-log optical
densities of red, green and blue; those of hematoxylin and eosin lie around what Macenko's method finds in slides of
the Pathology Atlas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unipath_bench.core.arrays import RGBImage
from unipath_bench.phantom.arithmetic import exp_neg
from unipath_bench.phantom.fields import Grid
from unipath_bench.phantom.streams import Array, Stream

_F = np.float32
Colour = tuple[float, float, float]

HEMATOXYLIN: Colour = (0.57, 0.71, 0.43)
EOSIN: Colour = (0.27, 0.83, 0.46)
HEMOGLOBIN: Colour = (0.32, 1.20, 1.04)
MELANIN: Colour = (0.86, 1.12, 1.42)


@dataclass(frozen=True, slots=True)
class Appearance:
    """Stain and scanner of a slide."""

    hematoxylin: Colour
    """Natural-log optical density of unit stain in red, green, blue."""
    eosin: Colour
    hematoxylin_strength: float
    eosin_strength: float
    white: Colour
    """Pixel value of empty glass, 0 to 255."""
    blur: float
    """Weight of each neighbour in the scanner's 3-tap kernel at one micrometre per pixel, 0 to 0.2."""
    noise: float
    """Standard deviation of the sensor's noise, in pixel values."""


_SCANNERS: tuple[tuple[Colour, float, float], ...] = (
    ((250.0, 247.0, 251.0), 0.03, 1.0),
    ((246.0, 240.0, 245.0), 0.05, 1.6),
    ((252.0, 251.0, 253.0), 0.02, 0.8),
)
"""White point, blur and noise of three scanners."""


def slide_appearance(slide_seed: int) -> Appearance:
    """Draw the stain batch and the scanner of a slide."""
    stream = Stream(slide_seed, "slide")
    white, blur, noise = _SCANNERS[stream.choice((1, 1, 1))]
    tint = stream.uniform(8, -1.0, 1.0)

    def tinted(colour: Colour, red: float, blue: float) -> Colour:
        return colour[0] + red, colour[1], colour[2] + blue

    return Appearance(
        hematoxylin=tinted(HEMATOXYLIN, 0.04 * float(tint[0]), 0.03 * float(tint[1])),
        eosin=tinted(EOSIN, 0.04 * float(tint[2]), 0.05 * float(tint[3])),
        hematoxylin_strength=1.0 + 0.17 * float(tint[4]),
        eosin_strength=1.0 + 0.22 * float(tint[5]),
        white=white,
        blur=blur + 0.015 * float(tint[6]),
        noise=noise * (1.0 + 0.2 * float(tint[7])),
    )


@dataclass
class Densities:
    """Optical densities on the grid, each (H, W), in units of the stain's colour."""

    hematoxylin: Array
    eosin: Array
    hemoglobin: Array | None = None
    melanin: Array | None = None


def _blurred(image: Array, weight: float) -> Array:
    """Three-tap kernel (weight, 1 - 2 weight, weight) along both axes of (3, H, W), borders repeated."""
    side, middle = _F(weight), _F(1.0 - 2.0 * weight)
    for axis in (1, 2):
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[axis] = (1, 1)
        wide = np.pad(image, pad, mode="edge")
        n = image.shape[axis]
        index = [slice(None)] * 3
        lower, upper = index.copy(), index.copy()
        lower[axis], upper[axis] = slice(0, n), slice(2, n + 2)
        image = image * middle + (wide[tuple(lower)] + wide[tuple(upper)]) * side
    return image


def expose(densities: Densities, look: Appearance, grid: Grid, seed: int) -> RGBImage:
    """Transmit light through the section and digitise it: uint8 (H, W, 3).

    The kernel is three pixels wide whatever the scale; its weight shrinks with coarser pixels and is at most 0.2.
    """
    stains = [
        (densities.hematoxylin * _F(look.hematoxylin_strength), look.hematoxylin),
        (densities.eosin * _F(look.eosin_strength), look.eosin),
    ]
    if densities.hemoglobin is not None:
        stains.append((densities.hemoglobin, HEMOGLOBIN))
    if densities.melanin is not None:
        stains.append((densities.melanin, MELANIN))
    depth = np.empty((3, grid.size, grid.size), dtype=np.float32)
    for channel in range(3):
        total = stains[0][0] * _F(stains[0][1][channel])
        for amount, colour in stains[1:]:
            total = total + amount * _F(colour[channel])
        depth[channel] = total
    light = exp_neg(np.maximum(depth, _F(0.0)))
    light = _blurred(light, min(0.2, look.blur / grid.step))
    light = light * np.asarray(look.white, dtype=np.float32)[:, None, None]
    noise = Stream(seed, "sensor").normal(light.size).reshape(light.shape) * _F(look.noise)
    # 0.5 + floor is rounding to nearest; all operations before it are exact or correctly rounded.
    value = np.minimum(np.maximum(np.floor(light + noise + _F(0.5)), _F(0.0)), _F(255.0))
    return np.ascontiguousarray(value.astype(np.uint8).transpose(1, 2, 0))
