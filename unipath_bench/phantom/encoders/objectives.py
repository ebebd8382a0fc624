"""What each encoder is trained for. An objective owns the networks and gives the loss of one batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unipath_bench.phantom.encoders.captioning import CaptionBook
from unipath_bench.phantom.encoders.data import APPEARANCE, Tiles
from unipath_bench.phantom.encoders.degrading import DEGREES, Mixture, PatchCode, degrade, to_float, turned
from unipath_bench.phantom.encoders.models import Heads, ImageTower, attribute_loss
from unipath_bench.phantom.encoders.text import TextTower

MEAN, SPREAD = 178.5, 51.0
"""Pixels enter the networks as (value - 178.5) / 51, in every channel alike: 0.7 and 0.2 of 255."""


def network_pixels(pixels: Tensor) -> Tensor:
    """Scale 0..255 to the networks' input, laid out channels last, which is quicker."""
    return ((pixels - MEAN) / SPREAD).contiguous(memory_format=torch.channels_last)


class Objective(ABC):
    """Networks, their training tiles, and the loss of a batch.

    Args:
        tiles: what is trained on.
        random: source of the random numbers of degradations and captions.
    """

    def __init__(self, tiles: Tiles, random: torch.Generator) -> None:
        self.tiles = tiles
        self.random = random
        self.labels = torch.from_numpy(tiles.labels)
        self.code = PatchCode(tiles.images[:512])
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Compute the networks there; degradations stay on the CPU."""
        self.device = device
        self.networks.to(device)

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length of a feature vector."""

    @property
    @abstractmethod
    def networks(self) -> nn.ModuleDict:
        """All that is trained; ``image`` and, for a pair, ``text`` are shipped."""

    @abstractmethod
    def loss(self, rows: Tensor) -> Tensor:
        """Loss of the tiles of these numbers, int64 (B,)."""

    def finish(self) -> None:  # noqa: B027  (optional hook)
        """What follows on the last step."""

    def batch(self, rows: Tensor, mixture: Mixture) -> tuple[Tensor, Tensor]:
        """Turned and degraded tiles as network input, and how far each was degraded."""
        pixels = turned(to_float(self.tiles.images[rows.numpy()]), self.random)
        pixels, degree = degrade(pixels, mixture, self.code, self.random)
        return network_pixels(pixels), degree


class JudgeObjective(Objective):
    """The attributes, whatever the image has been through: cross-entropy of ten linear heads on 64 features."""

    dimension = 64
    mixture = Mixture(clean=0.35, each=0.4)

    def __init__(self, tiles: Tiles, random: torch.Generator) -> None:
        super().__init__(tiles, random)
        self._networks = nn.ModuleDict({"image": ImageTower(self.dimension), "heads": Heads(self.dimension)})

    @property
    def networks(self) -> nn.ModuleDict:
        """The tower ``image`` and the attributes' linear classifiers ``heads``."""
        return self._networks

    def loss(self, rows: Tensor) -> Tensor:
        """Mean cross-entropy of the attributes of degraded tiles, with label smoothing of 0.02."""
        pixels, _ = self.batch(rows, self.mixture)
        features = self._networks["image"](pixels.to(self.device))
        return attribute_loss(self._networks["heads"](features), self.labels[rows].to(self.device), smoothing=0.02)


class ImageObjective(Objective):
    """What is in a tile, how it is stained, and what has been done to it, told from 32 numbers of equal variance.

    The sum of three losses: cross-entropy of the ten attributes; smooth L1 error (weight 2) of stain, scanner,
    degradation and statistics of the pixels (:func:`pixel_statistics`), all by linear heads; and the variance and
    covariance terms of VICReg (Bardes et al., ICLR 2022; weight 0.2) over the undegraded tiles, so that no dimension is
    idle. Nothing is made invariant: a blurred tile is to lie where blurred tiles lie. At the end the output is whitened
    on the undegraded training tiles.
    """

    dimension = 32
    mixture = Mixture(
        clean=0.5, each=0.35, blur=(0.3, 2.0), noise=(1.0, 16.0), jpeg=(15, 95), stain=0.5, scale=0.4, code=(8, 28)
    )

    def __init__(self, tiles: Tiles, random: torch.Generator) -> None:
        super().__init__(tiles, random)
        looks = torch.from_numpy(tiles.appearance)
        self._looks = (looks - looks.mean(0)) / looks.std(0)
        self._strengths = looks.std(0)[[APPEARANCE.index(f"{stain} strength") for stain in ("hematoxylin", "eosin")]]
        statistics = pixel_statistics(network_pixels(to_float(tiles.images[:2048])))
        self._centre, self._spread = statistics.mean(0), statistics.std(0)
        targets = len(APPEARANCE) + len(DEGREES) + statistics.shape[1]
        self._tower = ImageTower(self.dimension)
        self._networks = nn.ModuleDict(
            {
                "image": self._tower,
                "heads": Heads(self.dimension),
                "regression": nn.Linear(self.dimension, targets),
            }
        )

    @property
    def networks(self) -> nn.ModuleDict:
        """The tower ``image``, the attributes' classifiers ``heads``, and the ``regression`` of the other targets."""
        return self._networks

    def loss(self, rows: Tensor) -> Tensor:
        """Cross-entropy of the attributes, plus 2 times the smooth L1 error, plus 0.2 times :func:`spread_loss`."""
        pixels, degree = self.batch(rows, self.mixture)
        features = self._networks["image"](pixels.to(self.device))
        attributes = attribute_loss(self._networks["heads"](features), self.labels[rows].to(self.device))
        truth = self._targets(rows, pixels, degree).to(self.device)
        told = functional.smooth_l1_loss(self._networks["regression"](features), truth)
        clean = features[~degree.any(dim=1).to(self.device)]
        return attributes + 2.0 * told + 0.2 * spread_loss(clean)

    def _targets(self, rows: Tensor, pixels: Tensor, degree: Tensor) -> Tensor:
        looks = self._looks[rows].clone()
        for column, name in enumerate(("hematoxylin", "eosin")):
            change = torch.expm1(degree[:, DEGREES.index(name)]) / self._strengths[column]
            looks[:, APPEARANCE.index(f"{name} strength")] += change
        scaled = degree / torch.tensor([1.0, 8.0, 1.0, 0.25, 0.25, 0.2, 0.5])
        statistics = (pixel_statistics(pixels) - self._centre) / self._spread
        return torch.cat([looks, scaled, statistics.clamp(-8.0, 8.0)], dim=1)

    def finish(self) -> None:
        """Fold the whitening transform into the output layer.

        On the undegraded training tiles (at most the first 8192) the features then have mean 0 and identity covariance.
        """
        tower = self._tower
        tower.eval()
        with torch.inference_mode():
            parts = [
                tower(network_pixels(to_float(self.tiles.images[start : start + 256])).to(self.device)).cpu()
                for start in range(0, min(len(self.tiles), 8192), 256)
            ]
        features = torch.cat(parts).double()
        mean = features.mean(0)
        values, vectors = torch.linalg.eigh(torch.cov(features.T))
        whiten = vectors @ torch.diag(values.clamp(min=1e-12).rsqrt()) @ vectors.T
        output = tower.output
        with torch.no_grad():
            weight, bias = output.weight.double(), output.bias.double()
            output.weight.copy_((whiten @ weight.cpu()).float())
            output.bias.copy_((whiten @ (bias.cpu() - mean)).float())


class PairObjective(Objective):
    """Images and captions in one space of 64 dimensions.

    The symmetric contrastive loss of CLIP (Radford et al., ICML 2021) with a learned temperature, plus the
    cross-entropy of the attributes by linear heads on either tower's output.
    """

    dimension = 64
    mixture = Mixture(clean=0.4, each=0.4)

    def __init__(self, tiles: Tiles, random: torch.Generator, captions: CaptionBook) -> None:
        super().__init__(tiles, random)
        self.captions = captions
        self.ids = torch.from_numpy(captions.pieces)
        self._reader = TextTower(self.dimension)
        self._networks = nn.ModuleDict(
            {
                "image": ImageTower(self.dimension),
                "text": self._reader,
                "image_heads": Heads(self.dimension),
                "text_heads": Heads(self.dimension),
                "temperature": Temperature(),
            }
        )

    @property
    def networks(self) -> nn.ModuleDict:
        """The towers ``image`` and ``text``, the attributes' classifiers on either, and the ``temperature``."""
        return self._networks

    def loss(self, rows: Tensor) -> Tensor:
        """Half the symmetric contrastive loss, plus the cross-entropy of the attributes on either tower's output.

        Each tile is paired with one of its captions, chosen at random.
        """
        pixels, _ = self.batch(rows, self.mixture)
        images = self._networks["image"](pixels.to(self.device))
        texts = self._texts(rows)
        labels = self.labels[rows].to(self.device)
        attributes = attribute_loss(self._networks["image_heads"](images), labels) + attribute_loss(
            self._networks["text_heads"](texts), labels
        )
        contrast = self._networks["temperature"](
            functional.normalize(images, dim=1) @ functional.normalize(texts, dim=1).T
        )
        own = torch.arange(len(rows), device=self.device)
        matching = 0.5 * (functional.cross_entropy(contrast, own) + functional.cross_entropy(contrast.T, own))
        return 0.5 * matching + attributes

    def _texts(self, rows: Tensor) -> Tensor:
        chosen = torch.randint(self.captions.per_tile, (len(rows),), generator=self.random)
        codes = torch.from_numpy(self.captions.codes(rows.numpy(), chosen.numpy())).to(self.device)
        vectors = self._reader.word_vectors(self.ids.to(self.device))
        return self._reader.read(vectors[codes], codes > 0)


class Temperature(nn.Module):
    """Multiplies cosines by a learned factor, at first 10, at most 50."""

    def __init__(self) -> None:
        super().__init__()
        self.logarithm = nn.Parameter(torch.tensor(float(np.log(10.0))))

    def forward(self, cosines: Tensor) -> Tensor:
        """Multiply ``cosines``, of any shape, by the learned factor, limited to 50."""
        return cosines * self.logarithm.clamp(max=float(np.log(50.0))).exp()


def spread_loss(features: Tensor) -> Tensor:
    """VICReg's variance term (hinge at standard deviation 1) plus 0.1 times its covariance term, of features (B, D).

    The result is 0 for fewer than two rows.
    """
    if len(features) < 2:
        return features.sum() * 0.0
    centred = features - features.mean(0)
    deviation = torch.sqrt(centred.var(0) + 1e-4)
    covariance = centred.T @ centred / (len(features) - 1)
    off = covariance - torch.diag(covariance.diagonal())
    return functional.relu(1.0 - deviation).mean() + off.square().sum() / features.shape[1] * 0.1


def pixel_statistics(pixels: Tensor) -> Tensor:
    """Return ten statistics of each image of a network's input (B, 3, H, W): float32 (B, 10).

    They are the mean and the standard deviation of each channel, and the logarithm of the standard deviation of four
    octave bands of the mean channel.
    """
    means, spreads = pixels.mean((2, 3)), pixels.std((2, 3))
    grey = pixels.mean(1, keepdim=True)
    bands: Sequence[Tensor] = []
    for _ in range(4):
        small = functional.avg_pool2d(grey, 2)
        detail = grey - functional.interpolate(small, scale_factor=2.0, mode="nearest")
        bands = [*bands, torch.log(detail.std((1, 2, 3)) + 1e-3)]
        grey = small
    return torch.cat([means, spreads, torch.stack(list(bands), dim=1)], dim=1)
