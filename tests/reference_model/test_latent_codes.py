"""Latent codes: the two conventions of the shift, and the linear code of patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from reference_model.full_size import VAE
from reference_model.vae import LatentScaling, PatchCode, in_full_precision, latent_scaling, pixels_per_latent
from unipath_bench import UsageError


def smooth_images(count: int, size: int = 24) -> Tensor:
    """Sums of slow waves, in [-1, 1]."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    frequencies = rng.uniform(0, 1.5, (count * 3, 3))
    waves = [np.sin(2 * np.pi * (fy * y + fx * x) + 4 * phase) for fy, fx, phase in frequencies]
    return torch.from_numpy(np.stack(waves)).float().reshape(count, 3, size, size)


def test_the_shift_in_both_conventions() -> None:
    """Stable Diffusion 3: (2 - 0.5) 3 = 4.5 and 4.5 / 3 + 0.5 = 2. Upstream: 2 x 3 = 6, and 6 / 3 - 0.5 = 1.5."""
    two = torch.tensor(2.0)
    ours, upstream = LatentScaling(3.0, 0.5, "sd3"), LatentScaling(3.0, 0.5, "upstream")
    assert ours.to_latents(two).item() == 4.5
    assert ours.to_code(torch.tensor(4.5)).item() == 2.0
    assert upstream.to_latents(two).item() == 6.0
    assert upstream.to_code(torch.tensor(6.0)).item() == 1.5


def test_the_released_autoencoders_facts() -> None:
    with torch.device("meta"):
        vae = AutoencoderKL(**VAE)
    assert pixels_per_latent(vae) == 8
    assert latent_scaling(vae, "sd3") == LatentScaling(1.5305, 0.0609, "sd3")
    assert not any("quant_conv" in key for key in vae.state_dict())
    with pytest.raises(UsageError, match="vae_shift='none'"):
        latent_scaling(vae, "none")


def test_an_autoencoder_that_forces_it_runs_in_full_precision() -> None:
    code = PatchCode(width=8, pixel_width=8, blocks=1).half()
    with in_full_precision(code):
        assert code.dtype == torch.float32
    assert code.dtype == torch.float16


def test_the_code_is_the_principal_components_of_the_patches() -> None:
    """Against a singular value decomposition of the same patches, cut out by hand."""
    images = smooth_images(6)
    code = PatchCode(width=8, pixel_width=8, blocks=1).fit(images, whitening=0.6)
    rows = []
    for image in images.double().numpy():
        for top in range(0, 24, 4):
            for left in range(0, 24, 4):
                patch = image[:, top : top + 4, left : left + 4]
                rows.append(patch.reshape(48))
    centred = np.stack(rows) - np.mean(rows, axis=0)
    _, values, vectors = np.linalg.svd(centred, full_matrices=False)
    deviations = values / np.sqrt(len(rows))
    got = code.encode(images).latent_dist.mode()
    wanted = np.abs(centred @ vectors[:16].T) / deviations[:16] ** 0.6
    leading = got.permute(0, 2, 3, 1).reshape(-1, 16).abs().numpy()[:, :4]
    assert np.allclose(leading, wanted[:, :4], atol=2e-3)
    latents = got * code.config.scaling_factor
    assert latents.mean().item() == pytest.approx(0, abs=1e-3)
    assert latents.square().mean().item() == pytest.approx(1, abs=1e-3)


def test_untrained_it_gives_the_best_linear_reconstruction() -> None:
    images = smooth_images(6)
    code = PatchCode(width=8, pixel_width=8, blocks=1).fit(images)
    reconstruction = code(images)
    assert torch.equal(reconstruction, code.linear(code.encode(images).latent_dist.mode()))
    assert (reconstruction - images).square().mean() < 1e-3
    full = PatchCode(latent_channels=48, width=8, pixel_width=8, blocks=1).fit(images)
    assert torch.allclose(full(images), images, atol=1e-4)


def test_all_of_the_decoder_learns_and_nothing_else() -> None:
    code = PatchCode(width=8, pixel_width=8, blocks=1).fit(smooth_images(3))
    assert {name.split(".")[0] for name, _ in code.named_parameters()} == {"decoder"}
    images = smooth_images(2)
    optimiser = torch.optim.SGD(code.parameters(), lr=1e-2)
    for _ in range(2):
        optimiser.zero_grad()
        (code(images) - images.flip(0)).square().mean().backward()
        optimiser.step()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in code.parameters())


def test_the_decoder_sees_across_the_borders_of_patches() -> None:
    """A pixel at a border depends on the code beyond it, so a trained decoder can leave no seams."""
    torch.manual_seed(0)
    code = PatchCode(width=8, pixel_width=8, blocks=1).fit(smooth_images(3))
    torch.nn.init.normal_(code.decoder.write[-1].weight)
    codes = torch.randn(1, 16, 4, 4, requires_grad=True)
    code.decode(codes).sample[0, 0, 7, 5].backward()
    assert codes.grad is not None
    seen = codes.grad.abs().sum(dim=(0, 1))
    assert seen[1, 1] > 0
    assert seen[2, 1] > 0
    codes.grad = None
    code.linear(codes)[0, 0, 7, 5].backward()
    linear: Tensor | None = codes.grad
    assert linear is not None
    assert linear.abs().sum(dim=(0, 1)).nonzero().tolist() == [[1, 1]]


def test_it_is_saved_with_its_code(tmp_path: Path) -> None:
    images = smooth_images(3)
    code = PatchCode(width=8, pixel_width=8, blocks=1).fit(images)
    code.save_pretrained(tmp_path)
    loaded = PatchCode.from_pretrained(tmp_path)
    assert torch.equal(loaded(images), code(images))
    assert loaded.config.scaling_factor == code.config.scaling_factor
    assert pixels_per_latent(loaded) == 4
