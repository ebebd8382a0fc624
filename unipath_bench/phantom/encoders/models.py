"""The networks: a small residual convolutional trunk for tiles of 64 px, and what stands on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from unipath_bench.phantom import CLASSES


@dataclass(frozen=True)
class TrunkShape:
    """Widths of the three stages, at 1/2, 1/4 and 1/8 of the input's side."""

    widths: tuple[int, int, int] = (16, 32, 64)


class Block(nn.Module):
    """Residual block of two 3 x 3 convolutions with batch normalisation (He et al., CVPR 2016).

    The input is added before the second activation.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, ``width``, H, W) to the same shape; the result is not negative."""
        inner = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(x + self.norm2(self.conv2(inner)))


class Trunk(nn.Module):
    """Tiles, float (B, 3, 64, 64) in about -1..1, to pooled features (B, ``dimension``).

    Two by two pixels become channels, three stages follow, and mean and maximum over the field are taken of the last
    two: the mean says how much, the maximum says whether there is one.
    """

    def __init__(self, shape: TrunkShape) -> None:
        super().__init__()
        first, second, third = shape.widths
        self.stem = _step(12, first, 1)
        self.stage1 = Block(first)
        self.down2 = _step(first, second, 2)
        self.stage2 = Block(second)
        self.down3 = _step(second, third, 2)
        self.stage3 = Block(third)
        self.third = third
        self.dimension = 2 * (second + third)

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Maps of the last two stages, (B, second, 16, 16) and (B, third, 8, 8)."""
        x = self.stage1(self.stem(functional.pixel_unshuffle(x, 2)))
        middle = self.stage2(self.down2(x))
        return middle, self.stage3(self.down3(middle))

    def forward(self, x: Tensor) -> Tensor:
        """Map tiles (B, 3, 64, 64) to (B, ``dimension``): mean and maximum of the second stage, then of the third."""
        middle, last = self.stages(x)
        pooled = [f(y) for y in (middle, last) for f in (_mean, _largest)]
        return torch.cat(pooled, dim=1)


class ImageTower(nn.Module):
    """A trunk and a linear output of ``dimension`` numbers without bounds."""

    def __init__(self, dimension: int, shape: TrunkShape | None = None) -> None:
        super().__init__()
        self.trunk = Trunk(shape or TrunkShape())
        self.norm = nn.BatchNorm1d(self.trunk.dimension)
        self.output = nn.Linear(self.trunk.dimension, dimension)

    def forward(self, x: Tensor) -> Tensor:
        """Map tiles (B, 3, 64, 64) to features (B, ``dimension``): trunk, batch normalisation, linear output."""
        projected: Tensor = self.output(self.norm(self.trunk(x)))
        return projected


class Heads(nn.Module):
    """One linear classifier an attribute on features (B, D): the supervision, not part of an encoder's output."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.sizes = [len(classes) for classes in CLASSES.values()]
        self.linear = nn.Linear(dimension, sum(self.sizes))

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Logits of each attribute in the order of ``CLASSES``."""
        return torch.split(self.linear(features), self.sizes, dim=1)


def attribute_loss(logits: tuple[Tensor, ...], labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean over the attributes of the cross-entropy; ``labels`` are class numbers, (B, attributes)."""
    losses = [
        functional.cross_entropy(answer, labels[:, column], label_smoothing=smoothing)
        for column, answer in enumerate(logits)
    ]
    return torch.stack(losses).mean()


def parameter_count(*modules: nn.Module) -> int:
    """Number of trained scalars."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def _step(inside: int, outside: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.ReLU())


def _mean(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3))


def _largest(x: Tensor) -> Tensor:
    return x.amax(dim=(2, 3))
