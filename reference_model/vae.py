"""Latent codes: what stands between pixels and the latents that the transformer denoises.

Any autoencoder with the interface of diffusers' ``AutoencoderKL`` serves. :class:`PatchCode` is a small one: a linear
code of 4x4 patches with a convolutional decoder. :class:`LatentScaling` holds how a code's scale and shift are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import Tensor, nn

from unipath_bench import UsageError

VaeShift = Literal["sd3", "upstream"]


@dataclass(frozen=True, slots=True)
class LatentScaling:
    """From an autoencoder's code z to the transformer's latents and back.

    ``sd3``: latents = (z - shift) scale, z = latents / scale + shift, as Stable Diffusion 3 does. ``upstream``:
    latents = z scale, z = latents / scale - shift, which the released UniPath weights were trained with.
    """

    scale: float
    shift: float
    convention: VaeShift

    def to_latents(self, code: Tensor) -> Tensor:
        """The transformer's latents of an autoencoder's code."""
        return (code - self.shift) * self.scale if self.convention == "sd3" else code * self.scale

    def to_code(self, latents: Tensor) -> Tensor:
        """The autoencoder's code of the transformer's latents."""
        unscaled = latents / self.scale
        return unscaled + self.shift if self.convention == "sd3" else unscaled - self.shift


def latent_scaling(vae: Any, convention: str) -> LatentScaling:
    """The scaling in a code's configuration. Raises :class:`~unipath_bench.UsageError` for other conventions."""
    if convention not in get_args(VaeShift):
        raise UsageError(f"vae_shift={convention!r} is unknown.", f"Choose one of {', '.join(get_args(VaeShift))}.")
    shift = vae.config.get("shift_factor")
    return LatentScaling(float(vae.config.scaling_factor), float(shift or 0.0), convention)  # type: ignore[arg-type]


def pixels_per_latent(vae: Any) -> int:
    """Pixels a side that one latent position covers."""
    patch = vae.config.get("patch_size")
    return int(patch) if patch is not None else 2 ** (len(vae.config.block_out_channels) - 1)


@contextmanager
def in_full_precision(vae: Any) -> Iterator[None]:
    """The autoencoder in float32 where its configuration forces that, and back in its own dtype afterwards."""
    own = vae.dtype
    upcast = own != torch.float32 and bool(vae.config.get("force_upcast"))
    if upcast:
        vae.to(torch.float32)
    try:
        yield
    finally:
        if upcast:
            vae.to(own)


@dataclass(frozen=True, slots=True)
class PointCode:
    """A code without uncertainty, where ``AutoencoderKL`` has a Gaussian."""

    mean: Tensor

    def mode(self) -> Tensor:
        """The code."""
        return self.mean

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """The code: there is nothing to draw."""
        return self.mean


@dataclass(frozen=True, slots=True)
class EncoderOutput:
    """What :meth:`PatchCode.encode` returns."""

    latent_dist: PointCode


class PatchCode(ModelMixin, ConfigMixin):
    """Principal components of square patches, and a decoder whose convolutions see across their borders.

    Images are (B, 3, H, W) in [-1, 1] with H and W multiples of ``patch_size``; codes are (B, latent_channels,
    H / patch_size, W / patch_size). The code is linear: the leading components of a patch, each divided by its
    standard deviation to the power ``whitening``. The decoder adds to the linear reconstruction what a small residual
    network sees in the codes around; untrained, it adds nothing. Only the decoder has trainable parameters.
    """

    mean: Tensor
    basis: Tensor
    spread: Tensor

    @register_to_config
    def __init__(
        self,
        patch_size: int = 4,
        latent_channels: int = 16,
        width: int = 64,
        pixel_width: int = 24,
        blocks: int = 2,
        scaling_factor: float = 1.0,
        shift_factor: float = 0.0,
        force_upcast: bool = True,
    ) -> None:
        super().__init__()
        values = 3 * patch_size**2
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("basis", torch.eye(latent_channels, values))
        self.register_buffer("spread", torch.ones(latent_channels))
        self.decoder = _Residual(latent_channels, patch_size, width, pixel_width, blocks)

    @apply_forward_hook
    def encode(self, images: Tensor, return_dict: bool = True) -> EncoderOutput | tuple[PointCode]:
        """Images to their code."""
        patches = nn.functional.pixel_unshuffle(images, self.config.patch_size)
        code = torch.einsum("kv,bvhw->bkhw", self.basis, patches - self.mean[:, None, None])
        point = PointCode(code / self.spread[:, None, None])
        return EncoderOutput(point) if return_dict else (point,)

    @apply_forward_hook
    def decode(self, codes: Tensor, return_dict: bool = True) -> DecoderOutput | tuple[Tensor]:
        """Codes to images in about [-1, 1] (not clipped)."""
        linear = self.linear(codes)
        sample = linear + self.decoder(codes, linear)
        return DecoderOutput(sample=sample) if return_dict else (sample,)

    def linear(self, codes: Tensor) -> Tensor:
        """The reconstruction by the components alone."""
        patches = torch.einsum("kv,bkhw->bvhw", self.basis, codes * self.spread[:, None, None])
        return nn.functional.pixel_shuffle(patches + self.mean[:, None, None], self.config.patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """Images to their reconstruction: what the decoder is trained by."""
        code = self.encode(images, return_dict=False)[0]
        reconstruction: Tensor = self.decode(code.mode(), return_dict=False)[0]
        return reconstruction

    @torch.no_grad()
    def fit(self, images: Tensor, whitening: float = 0.6) -> PatchCode:
        """Set the linear code by the principal components of the patches of ``images`` (N, 3, H, W); returns self.

        In float64; the sign of a component is such that its largest entry is positive. ``scaling_factor`` and
        ``shift_factor`` become those by which the latents of ``images`` have mean 0 and variance 1 over all channels.
        """
        patches = nn.functional.pixel_unshuffle(images.double(), self.config.patch_size)
        rows = patches.permute(0, 2, 3, 1).flatten(0, 2)
        mean = rows.mean(dim=0)
        covariance = (rows - mean).T @ (rows - mean) / len(rows)
        variances, vectors = torch.linalg.eigh(covariance)
        channels = int(self.config.latent_channels)
        basis = vectors.flip(1)[:, :channels].T
        signs = basis.gather(1, basis.abs().argmax(dim=1, keepdim=True)).sign()
        deviations = variances.flip(0)[:channels].clamp(min=1e-12).sqrt()
        self.mean.copy_(mean)
        self.basis.copy_(basis * signs)
        self.spread.copy_(deviations**whitening)
        # The components have mean 0, so all channels together have the mean of their variances.
        variance = (deviations ** (2 - 2 * whitening)).mean()
        self.register_to_config(scaling_factor=float(variance**-0.5), shift_factor=0.0)
        return self


class _Residual(nn.Module):
    """Codes (B, K, h, w) and the linear reconstruction (B, 3, H, W) to a correction (B, 3, H, W), zero at first."""

    def __init__(self, channels: int, patch: int, width: int, pixel_width: int, blocks: int) -> None:
        super().__init__()
        features = 8
        self.read = _convolution(channels, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.GELU(), _convolution(width, width), nn.GELU(), _convolution(width, width))
            for _ in range(blocks)
        )
        self.unfold = nn.Sequential(nn.GELU(), nn.Conv2d(width, features * patch**2, 1), nn.PixelShuffle(patch))
        last = _convolution(pixel_width, 3)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.write = nn.Sequential(
            _convolution(features + 3, pixel_width), nn.GELU(), _convolution(pixel_width, pixel_width), nn.GELU(), last
        )

    def forward(self, codes: Tensor, linear: Tensor) -> Tensor:
        hidden = self.read(codes)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        correction: Tensor = self.write(torch.cat([self.unfold(hidden), linear], dim=1))
        return correction


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="replicate")
