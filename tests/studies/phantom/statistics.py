"""Colour, nuclear and texture statistics of tiles, for comparing the phantom with real tissue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from unipath_bench.core.arrays import RGBBatch, RGBImage
from unipath_bench.phantom.optics import EOSIN, HEMATOXYLIN

Floats = npt.NDArray[np.float64]

_NUCLEAR_DENSITY = 0.62
"""Hematoxylin density (natural log, unit colour) above which a pixel counts as nuclear."""


@dataclass(frozen=True)
class _View:
    """One tile in the forms that statistics need; float64."""

    rgb: Floats
    grey: Floats
    """Rec. 601 luma, 0 to 255: (H, W)."""
    hematoxylin: Floats
    eosin: Floats
    microns_per_pixel: float


def _unmix(rgb: Floats) -> tuple[Floats, Floats]:
    """Least-squares hematoxylin and eosin densities (H, W) under the phantom's mean stain colours, glass at 250."""
    depth = -np.log(np.clip(rgb, 1.0, 250.0) / 250.0)
    colours = np.array([HEMATOXYLIN, EOSIN], dtype=np.float64)
    amounts = depth.reshape(-1, 3) @ np.linalg.pinv(colours)
    return amounts[:, 0].reshape(rgb.shape[:2]), amounts[:, 1].reshape(rgb.shape[:2])


def _nuclei_per_area(v: _View) -> float:
    """Number of nuclei per thousand square micrometres.

    Nuclei are local maxima of hematoxylin smoothed with sigma 1.5 micrometres, above the threshold and at least 4
    micrometres apart.
    """
    smooth = ndimage.gaussian_filter(v.hematoxylin, 1.5 / v.microns_per_pixel, mode="nearest")
    window = 2 * round(2.0 / v.microns_per_pixel) + 1
    peaks = (smooth == ndimage.maximum_filter(smooth, window, mode="nearest")) & (smooth > _NUCLEAR_DENSITY)
    # Neighbouring pixels of one height are one peak.
    _, count = ndimage.label(peaks, structure=np.ones((3, 3)))
    return float(count / (v.grey.size * v.microns_per_pixel**2) * 1000.0)


def _gradient(v: _View) -> float:
    return float(np.hypot(np.diff(v.grey, axis=0)[:, :-1], np.diff(v.grey, axis=1)[:-1]).mean())


def _lag(v: _View, microns: float) -> float:
    """Correlation of the luma with itself, shifted; mean of both axes. 1 for a tile without any variation."""
    k = max(1, round(microns / v.microns_per_pixel))
    g = v.grey - v.grey.mean()
    variance = float((g * g).mean())
    if variance < 1e-9:
        return 1.0
    return float(0.5 * ((g[k:] * g[:-k]).mean() + (g[:, k:] * g[:, :-k]).mean()) / variance)


def _spectral_slope(v: _View) -> float:
    """Slope of log power against log frequency of the luma (Hann window).

    Frequencies go from 3 cycles per tile to 0.4 cycles per pixel.
    """
    n = min(v.grey.shape)
    window = np.hanning(n)[:, None] * np.hanning(n)
    power = np.abs(np.fft.fft2((v.grey[:n, :n] - v.grey.mean()) * window)) ** 2
    f = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n))
    edges = np.geomspace(3.0 / n, 0.4, 9)
    bins = np.digitize(f, edges)
    mean = np.array([power[bins == k].mean() for k in range(1, 9)])
    return float(np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(mean + 1e-6), 1)[0])


def _local_std(v: _View) -> float:
    """Median standard deviation of the luma in windows of 5 micrometres."""
    k = max(3, round(5.0 / v.microns_per_pixel))
    mean = ndimage.uniform_filter(v.grey, k)
    square = ndimage.uniform_filter(v.grey * v.grey, k)
    return float(np.median(np.sqrt(np.maximum(square - mean * mean, 0.0))))


def _saturation(v: _View) -> float:
    top = v.rgb.max(axis=2)
    return float(((top - v.rgb.min(axis=2)) / np.maximum(top, 1.0)).mean())


STATISTICS: dict[str, Callable[[_View], float]] = {
    "red, mean": lambda v: float(v.rgb[..., 0].mean()),
    "green, mean": lambda v: float(v.rgb[..., 1].mean()),
    "blue, mean": lambda v: float(v.rgb[..., 2].mean()),
    "saturation, mean": _saturation,
    "luma, standard deviation": lambda v: float(v.grey.std()),
    "luma, 2nd percentile": lambda v: float(np.percentile(v.grey, 2)),
    "luma, 98th percentile": lambda v: float(np.percentile(v.grey, 98)),
    "hematoxylin, mean": lambda v: float(v.hematoxylin.mean()),
    "hematoxylin, 95th percentile": lambda v: float(np.percentile(v.hematoxylin, 95)),
    "eosin, mean": lambda v: float(v.eosin.mean()),
    "eosin, 95th percentile": lambda v: float(np.percentile(v.eosin, 95)),
    "white area, share": lambda v: float((v.rgb.min(axis=2) > 222.0).mean()),
    "nuclear area, share": lambda v: float((v.hematoxylin > _NUCLEAR_DENSITY).mean()),
    "nuclei per 1000 um2": _nuclei_per_area,
    "gradient, mean": _gradient,
    "local contrast (5 um), median": _local_std,
    "correlation at 2 um": lambda v: _lag(v, 2.0),
    "correlation at 6 um": lambda v: _lag(v, 6.0),
    "spectral slope": _spectral_slope,
}
"""Name of a statistic and how it is computed from one tile."""


def tile_statistics(image: RGBImage, microns_per_pixel: float) -> dict[str, float]:
    """Every statistic of one tile, uint8 (H, W, 3)."""
    rgb = image.astype(np.float64)
    hematoxylin, eosin = _unmix(rgb)
    view = _View(rgb, rgb @ np.array([0.299, 0.587, 0.114]), hematoxylin, eosin, microns_per_pixel)
    return {name: function(view) for name, function in STATISTICS.items()}


@dataclass(frozen=True)
class Comparison:
    """One statistic in both sets: 5th, 50th and 95th percentiles over the tiles."""

    name: str
    real: tuple[float, float, float]
    phantom: tuple[float, float, float]
    share: float
    """Share of the phantom tiles that lie within the real tiles' 1st to 99th percentile."""

    @property
    def within(self) -> bool:
        """Whether the phantom lies within the range of the real tiles.

        It does where its median lies within the real 5th to 95th percentile and at least three in four of its tiles lie
        in the real 1st to 99th.
        """
        return self.real[0] <= self.phantom[1] <= self.real[2] and self.share >= 0.75


def compare(real: RGBBatch, phantom: RGBBatch, microns_per_pixel: float) -> list[Comparison]:
    """Compare two sets of tiles, each uint8 (N, H, W, 3) at one scale, statistic by statistic."""
    tables = [[tile_statistics(tile, microns_per_pixel) for tile in tiles] for tiles in (real, phantom)]
    out = []
    for name in STATISTICS:
        a, b = (np.array([row[name] for row in table]) for table in tables)
        low, high = np.percentile(a, [1, 99])
        p, q = (tuple(float(x) for x in np.percentile(v, [5, 50, 95])) for v in (a, b))
        out.append(Comparison(name, (p[0], p[1], p[2]), (q[0], q[1], q[2]), float(((b >= low) & (b <= high)).mean())))
    return out
