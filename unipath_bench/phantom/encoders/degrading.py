"""Random degradations of training tiles: what the judge must see through, and what the image encoder must notice."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from unipath_bench.core.arrays import RGBBatch
from unipath_bench.phantom.optics import EOSIN, HEMATOXYLIN

DEGREES = ("blur", "noise", "jpeg", "hematoxylin", "eosin", "scale", "code")
"""What :func:`degrade` reports of each tile, in this order, each 0 for a tile that was left as it is."""

_TAPS = 4
_PATCH = 4


@dataclass(frozen=True)
class Mixture:
    """How often and how hard training tiles are degraded."""

    clean: float
    """Share of the tiles that are left as they are. To each of the others each degradation happens by itself with
    probability ``each``."""
    each: float
    blur: tuple[float, float] = (0.3, 1.1)
    """Gaussian sigma, pixels."""
    noise: tuple[float, float] = (1.0, 8.0)
    """Gaussian sigma, grey levels of 255."""
    jpeg: tuple[int, int] = (50, 95)
    """Quality; chroma is subsampled 4:2:0 for half of the tiles."""
    stain: float = 0.25
    """Largest absolute natural logarithm of the factors on the amounts of hematoxylin and eosin."""
    scale: float = 0.0
    """Largest absolute natural logarithm of the zoom; 0 for none."""
    code: tuple[int, int] = (12, 28)
    """Principal components kept of each 4 x 4 patch of 48 values."""


class PatchCode:
    """Principal components of 4 x 4 patches: the code that a small latent generator decodes from.

    Args:
        images: uint8 (N, 64, 64, 3) that the components are fitted to.
    """

    def __init__(self, images: RGBBatch) -> None:
        patches = functional.pixel_unshuffle(to_float(images), _PATCH).permute(0, 2, 3, 1).reshape(-1, 3 * _PATCH**2)
        self.mean = patches.mean(0)
        values, vectors = torch.linalg.eigh(torch.cov(patches.double().T))
        self.basis = vectors[:, torch.argsort(values, descending=True)].float()

    def reconstruct(self, pixels: Tensor, kept: Tensor) -> Tensor:
        """``pixels``, (B, 3, H, W), from the first ``kept`` components of each patch; ``kept`` is int64 (B,)."""
        patches = functional.pixel_unshuffle(pixels, _PATCH).permute(0, 2, 3, 1)
        code = (patches - self.mean) @ self.basis
        mask = torch.arange(code.shape[-1]) < kept[:, None]
        decoded = (code * mask[:, None, None, :]) @ self.basis.T + self.mean
        return functional.pixel_shuffle(decoded.permute(0, 3, 1, 2), _PATCH)


def to_float(images: RGBBatch) -> Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) on the scale 0..255."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float()


def rounded(pixels: Tensor) -> Tensor:
    """To the nearest whole pixel value in 0..255."""
    return torch.clamp(torch.floor(pixels + 0.5), 0.0, 255.0)


def turned(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Each tile in one of the eight orientations of a square: tissue has no up."""
    way = torch.randint(8, (len(pixels),), generator=random)
    out = torch.empty_like(pixels)
    for k in range(8):
        rows = torch.nonzero(way == k).flatten()
        some = torch.rot90(pixels[rows], k % 4, (2, 3))
        out[rows] = some.flip(3) if k >= 4 else some
    return out


def degrade(pixels: Tensor, mixture: Mixture, code: PatchCode, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Degrade a batch at random.

    Args:
        pixels: float32 (B, 3, 64, 64) on the scale 0..255.
        mixture: how often and how hard.
        code: of the latent-code degradation.
        random: source of all random numbers.

    Returns:
        The tiles rounded to whole pixel values, and how far each was degraded: float32 (B, 7), :data:`DEGREES` in
        order. Blur and noise are their sigmas, jpeg is (100 - quality) / 50, hematoxylin, eosin and scale are
        logarithms, code is the share of components left out.
    """
    n = len(pixels)
    touched = torch.rand(n, 1, generator=random) >= mixture.clean
    happens = (torch.rand(n, len(DEGREES), generator=random) < mixture.each) & touched
    degree = torch.zeros(n, len(DEGREES))

    def rows_of(column: int, low: float, high: float) -> tuple[Tensor, Tensor]:
        rows = torch.nonzero(happens[:, column]).flatten()
        drawn = low + (high - low) * torch.rand(len(rows), generator=random)
        degree[rows, column] = drawn
        return rows, drawn

    pixels = pixels.clone()
    if mixture.scale:
        rows, zoom = rows_of(5, -mixture.scale, mixture.scale)
        pixels[rows] = zoomed(pixels[rows], torch.exp(zoom))
    stain = torch.zeros(n, 2)
    for column in (3, 4):
        rows, factor = rows_of(column, -mixture.stain, mixture.stain)
        stain[rows, column - 3] = factor
    rows = torch.nonzero(stain.any(dim=1)).flatten()
    pixels[rows] = restained(pixels[rows], torch.exp(stain[rows]))
    rows, sigma = rows_of(0, *mixture.blur)
    pixels[rows] = blurred(pixels[rows], sigma)
    rows, share = rows_of(6, *mixture.code)
    pixels[rows] = code.reconstruct(pixels[rows], share.round().long())
    degree[rows, 6] = 1.0 - degree[rows, 6] / code.basis.shape[0]
    rows, sigma = rows_of(1, *mixture.noise)
    pixels[rows] += sigma[:, None, None, None] * torch.randn(pixels[rows].shape, generator=random)
    pixels = rounded(pixels)
    rows, quality = rows_of(2, *mixture.jpeg)
    halved = torch.rand(len(rows), generator=random) < 0.5
    for row, q, chroma in zip(rows.tolist(), quality.tolist(), halved.tolist(), strict=True):
        pixels[row] = recompressed(pixels[row], round(q), 2 if chroma else 0)
    degree[rows, 2] = (100.0 - degree[rows, 2]) / 50.0
    return pixels, degree


def blurred(pixels: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with a sigma for each tile in pixels, (B,); borders are mirrored, nine taps."""
    taps = torch.arange(-_TAPS, _TAPS + 1).float()
    kernel = torch.exp(-0.5 * (taps / sigma[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    for axis in (2, 3):
        side = pixels.shape[axis]
        padding = (0, 0, _TAPS, _TAPS) if axis == 2 else (_TAPS, _TAPS, 0, 0)
        wide = functional.pad(pixels, padding, mode="reflect")
        pixels = wide.narrow(axis, _TAPS, side) * kernel[:, _TAPS, None, None, None]
        for k in range(_TAPS):
            pair = wide.narrow(axis, k, side) + wide.narrow(axis, 2 * _TAPS - k, side)
            pixels += pair * kernel[:, k, None, None, None]
    return pixels


def restained(pixels: Tensor, factors: Tensor) -> Tensor:
    """Multiply the amounts of hematoxylin and eosin of each tile by ``factors``, (B, 2).

    The stain colours are the phantom's own, and what is neither stain stays as it is (Beer-Lambert).
    """
    stains = torch.tensor([HEMATOXYLIN, EOSIN, np.cross(HEMATOXYLIN, EOSIN).tolist()])
    depth = -torch.log(torch.clamp(pixels, 1.0, 250.0) / 250.0)
    factor = torch.cat([factors, torch.ones(len(factors), 1)], dim=1)
    change = torch.einsum("ij,bj,jk->bik", torch.linalg.inv(stains), factor, stains)
    moved = torch.einsum("bihw,bik->bkhw", depth, change)
    bright = torch.clamp(pixels - 250.0, min=0.0)
    return 250.0 * torch.exp(-torch.clamp(moved, min=0.0)) + bright


def zoomed(pixels: Tensor, zoom: Tensor) -> Tensor:
    """The field magnified by ``zoom`` about its centre (mirrored at the borders where it shrinks), bicubic."""
    theta = torch.zeros(len(zoom), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1.0 / zoom
    grid = functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def recompressed(pixels: Tensor, quality: int, subsampling: int) -> Tensor:
    """Encode one tile as JPEG and decode it again: float32 (3, H, W), whole numbers from 0 to 255, to the same.

    ``quality`` and ``subsampling`` are Pillow's: 0 keeps the chroma at full resolution (4:4:4), 2 halves it (4:2:0).
    """
    image: npt.NDArray[np.uint8] = pixels.permute(1, 2, 0).to(torch.uint8).numpy()
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(buffer) as decoded:
        return torch.from_numpy(np.array(decoded)).permute(2, 0, 1).float()
