"""A small vision tower: an image as tokens that the language model reads in place of a description."""

from __future__ import annotations

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

REDUCTION = 16
"""Pixels a side that one token covers."""


class VisionTower(ModelMixin, ConfigMixin):
    """A residual convolutional network with one token a square of 16 x 16 pixels.

    Images are (B, 3, side, side) in [-1, 1]; tokens are (B, (side / 16)^2, hidden_size), row by row, in the space of
    the language model's input embeddings. ``side`` is what it was trained at, a multiple of 16; ``width``: channels of
    the first stage, doubled at the next two.
    """

    @register_to_config
    def __init__(self, side: int = 64, width: int = 32, hidden_size: int = 128) -> None:
        super().__init__()
        if side % REDUCTION:
            raise ValueError(f"side={side} is no multiple of {REDUCTION}")
        widths = (width, 2 * width, 4 * width, 4 * width)
        layers: list[nn.Module] = []
        before = 3
        for here in widths:
            layers += [nn.Conv2d(before, here, 3, stride=2, padding=1), _Residual(here)]
            before = here
        self.trunk = nn.Sequential(*layers)
        self.norm = nn.GroupNorm(8, before)
        self.projection = nn.Linear(before, hidden_size)
        places = (side // REDUCTION) ** 2
        self.positions = nn.Embedding(places, hidden_size)
        nn.init.normal_(self.positions.weight, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, side, side) to tokens (B, places, hidden_size)."""
        features = self.norm(self.trunk(images)).flatten(2).transpose(1, 2)
        tokens: Tensor = self.projection(features) + self.positions.weight
        return tokens


class _Residual(nn.Module):
    """Two convolutions beside the identity; channels (a multiple of 8) and size stay."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        output: Tensor = features + self.layers(features)
        return output
