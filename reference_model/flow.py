"""Flow matching: the straight path between an image and noise, and how it is sampled.

At noise level sigma in [0, 1] a point is (1 - sigma) x + sigma e; the model predicts the velocity e - x (Lipman et
al., 2023, "Flow matching for generative modeling"; Liu et al., 2023, "Flow straight and fast").
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

TRAIN_TIMESTEPS = 1000


def sampling_sigmas(steps: int) -> list[float]:
    """Noise levels of the Euler steps: ``steps`` even spaced values from 1 to 1/steps.

    Examples:
        >>> sampling_sigmas(4)
        [1.0, 0.75, 0.5, 0.25]
    """
    return [float(sigma) for sigma in np.linspace(1.0, 1.0 / steps, steps)]


def model_timesteps(timesteps: Tensor) -> Tensor:
    """What the transformer is told: timesteps in [0, 1000] cut to integers (966.7 becomes 966), int64."""
    return timesteps.to(torch.int64)


def timesteps_of(sigmas: Tensor) -> Tensor:
    """The transformer's timesteps at noise levels in [0, 1]: for training."""
    return model_timesteps(sigmas * TRAIN_TIMESTEPS)


def noised(latents: Tensor, noise: Tensor, sigmas: Tensor) -> Tensor:
    """Points on the path, (B, C, H, W), at noise levels ``sigmas`` (B,).

    Examples:
        A quarter of the way from an image of zeros to noise of ones.

        >>> import torch
        >>> noised(torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2), torch.tensor([0.25])).tolist()
        [[[[0.25, 0.25]]]]
    """
    level = sigmas.to(latents).reshape(-1, *[1] * (latents.ndim - 1))
    return level * noise + (1.0 - level) * latents


def velocity(latents: Tensor, noise: Tensor) -> Tensor:
    """The training target at every noise level."""
    return noise - latents


def guided(null: Tensor, conditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (Ho and Salimans, 2022): null + scale (conditional - null).

    Examples:
        Scale 1 is the conditional prediction itself, 3 goes three times as far from the unconditional one.

        >>> import torch
        >>> null, conditional = torch.tensor([1.0]), torch.tensor([2.0])
        >>> guided(null, conditional, 1.0).item(), guided(null, conditional, 3.0).item()
        (2.0, 4.0)
    """
    return null + scale * (conditional - null)
