"""The stage of the latent code: components of patches and a decoder, or an autoencoder from scratch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from reference_model.training.config import KLCodeConfig, PatchCodeConfig
from reference_model.training.randomness import generator_at
from reference_model.training.tiles import ORIENTATIONS, Tiles, oriented, to_pixels
from reference_model.vae import PatchCode

TESTED = 64
"""Tiles, the last ones, that the reconstruction is judged on and never trained on."""


class CodingProblem(ABC):
    """Reconstruction of tiles. The least mean absolute error plus the mean squared one, in pixels of [-1, 1]."""

    name = "code"

    def __init__(self, tiles: Tiles, vae: Any, trained: nn.Module, seed: int, device: torch.device) -> None:
        self.tiles, self.vae, self.seed, self.device = tiles, vae.to(device), seed, device
        self.usable = max(1, len(tiles) - TESTED)
        self._modules = nn.ModuleDict({"trained": trained})

    @property
    def modules(self) -> nn.ModuleDict:
        """Under ``trained`` what is trained: the decoder of a patch code, or a whole autoencoder."""
        return self._modules

    def begin(self, step: int) -> None:
        """Set the autoencoder to training mode, whatever the step."""
        self.vae.train()

    def loss(self, step: int, rank: int, size: int) -> Tensor:
        """The loss on ``size`` tiles, a scalar.

        Tiles, with replacement from all but the last :data:`TESTED`, and one orientation for all of them are drawn from
        the seed, the step and the process.
        """
        generator = generator_at("code", self.seed, step, rank)
        rows = torch.randint(self.usable, (size,), generator=generator)
        orientation = int(torch.randint(ORIENTATIONS, (), generator=generator))
        pixels = oriented(to_pixels(self.tiles.images[rows.numpy()]), orientation).to(self.device)
        return self._loss(pixels, generator)

    def evaluate(self) -> dict[str, float]:
        """Peak signal to noise ratio of tiles that were not trained on, in dB of the range [-1, 1]."""
        pixels = to_pixels(self.tiles.images[-TESTED:]).to(self.device)
        self.vae.eval()
        with torch.no_grad():
            code = self.vae.encode(pixels).latent_dist.mode()
            again = self.vae.decode(code, return_dict=False)[0].clamp(-1, 1)
        self.vae.train()
        error = (again - pixels).square().mean(dim=(1, 2, 3)).clamp(min=1e-12)
        return {"psnr": float((10 * torch.log10(4.0 / error)).mean())}

    def is_done(self, figures: dict[str, float]) -> bool:
        """False: the stage always trains to its last step."""
        return False

    @abstractmethod
    def _loss(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of a batch of pixels (B, 3, side, side)."""


class PatchProblem(CodingProblem):
    """A patch code's decoder, on codes with noise on them as sampled latents have."""

    def __init__(self, tiles: Tiles, config: PatchCodeConfig, seed: int, device: torch.device) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            vae = PatchCode(
                patch_size=config.patch_size,
                latent_channels=config.latent_channels,
                width=config.width,
                pixel_width=config.pixel_width,
                blocks=config.blocks,
            )
        vae.fit(to_pixels(tiles.images[: config.fitted_to]), whitening=config.whitening)
        super().__init__(tiles, vae, vae.decoder, seed, device)
        self.noise = config.latent_noise / float(vae.config.scaling_factor)

    def _loss(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        code = self.vae.encode(pixels).latent_dist.mode()
        level = self.noise * torch.rand(len(code), 1, 1, 1, generator=generator)
        noise = level * torch.randn(code.shape, generator=generator)
        error: Tensor = self.vae.decode(code + noise.to(code), return_dict=False)[0] - pixels
        return error.abs().mean() + error.square().mean()


class KLProblem(CodingProblem):
    """An ``AutoencoderKL``: reconstruction plus the divergence of its Gaussian from the standard one."""

    def __init__(self, tiles: Tiles, config: KLCodeConfig, seed: int, device: torch.device) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            vae = AutoencoderKL(**config.arguments)
        super().__init__(tiles, vae, vae, seed, device)
        self.weight = config.kl_weight

    def _loss(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        posterior = self.vae.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(posterior.mean)
        error: Tensor = self.vae.decode(posterior.mean + posterior.std * noise, return_dict=False)[0] - pixels
        divergence: Tensor = posterior.kl().mean() / pixels[0].numel()
        return error.abs().mean() + error.square().mean() + self.weight * divergence

    @torch.no_grad()
    def set_scaling(self) -> None:
        """Record the mean and the spread of the codes, by which latents have mean 0 and variance 1."""
        self.vae.eval()
        codes = torch.cat(
            [
                self.vae.encode(to_pixels(self.tiles.images[start : start + 64]).to(self.device)).latent_dist.mode()
                for start in range(0, min(1024, self.usable), 64)
            ]
        )
        self.vae.register_to_config(scaling_factor=float(1.0 / codes.std()), shift_factor=float(codes.mean()))
