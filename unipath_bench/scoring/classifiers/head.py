"""A small head that is fine-tuned on frozen features: one hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveFloat, PositiveInt
from scipy.special import erf, softmax

from unipath_bench.core.artifact_cache import Artifact
from unipath_bench.core.digest import seed_from
from unipath_bench.metrics.threads import one_torch_thread
from unipath_bench.scoring.classifiers.interface import Classifier, Labelled, Recipe
from unipath_bench.scoring.classifiers.scaling import Scaling, scaling_of
from unipath_bench.scoring.features import Matrix
from unipath_bench.scoring.folds import Rows, grouped_folds

if TYPE_CHECKING:
    import torch

HELD_OUT_FOLDS = 5
"""One of so many folds of the groups is held out to stop early by."""

Weights = dict[str, npt.NDArray[np.float64]]


class MlpHead(Classifier):
    """Standardised features through one hidden layer (exact GELU) to a softmax."""

    def __init__(self, scaling: Scaling, weights: Weights, classes: list[str], epochs: int, stopped_by: int) -> None:
        """``weights``: ``hidden`` (D, H), ``hidden_bias`` (H,), ``out`` (H, C), ``out_bias`` (C,)."""
        self._scaling, self._weights, self._classes = scaling, weights, classes
        self.epochs = epochs
        """Epochs after which the weights were the best."""
        self.stopped_by = stopped_by
        """Held-out training images that said so; 0 where none could be held out."""

    @property
    def classes(self) -> list[str]:
        """Class names in alphabetical order."""
        return list(self._classes)

    def probabilities(self, features: Matrix) -> npt.NDArray[np.float64]:
        """Softmax in float64, shape (N, classes)."""
        w = self._weights
        inner = self._scaling(features) @ w["hidden"] + w["hidden_bias"]
        inner = inner * 0.5 * (1.0 + erf(inner / np.sqrt(2.0)))
        return np.asarray(softmax(inner @ w["out"] + w["out_bias"], axis=1))

    def artifact(self) -> Artifact:
        """Class names and how it was stopped; weights and scaling."""
        settings = {"classes": self.classes, "epochs": self.epochs, "stopped_by": self.stopped_by}
        return Artifact(settings, {**self._weights, "mean": self._scaling.mean, "scale": self._scaling.scale})


class Head(Recipe):
    """The recipe of an :class:`MlpHead`: AdamW on the cross-entropy in seeded mini-batches, on one thread.

    Training is stopped early by the log-loss on a fifth of the groups. Where the groups cannot be cut, it takes
    ``epochs_unchecked`` epochs.
    """

    kind: Literal["head"] = "head"
    hidden: PositiveInt = Field(default=256, description="Units of the hidden layer.")
    learning_rate: PositiveFloat = 1e-3
    weight_decay: float = Field(default=1e-2, ge=0)
    batch: PositiveInt = 64
    epochs: PositiveInt = Field(default=200, description="At most so many.")
    patience: PositiveInt = Field(default=10, description="Epochs without a lower loss after which it stops.")
    epochs_unchecked: PositiveInt = 100

    def settled(self, images: Labelled, seed: int) -> Self:
        """Itself: it chooses nothing but when to stop, anew in every fit."""
        return self

    def fit(self, images: Labelled, seed: int) -> MlpHead:
        """Train on images (float32), keep the weights of the epoch with the least held-out loss."""
        folds = grouped_folds(images.labels, images.groups, HELD_OUT_FOLDS, seed_from("head", seed))
        held = folds[0] if folds else np.empty(0, dtype=np.int64)
        taught = images.without(held)
        scaling = scaling_of(taught.features)
        classes, codes = np.unique(images.labels, return_inverse=True)
        trained = _train(self, scaling(images.features), codes.astype(np.int64), len(classes), held, seed)
        return MlpHead(scaling, trained.weights, [str(name) for name in classes], trained.epochs, len(held))

    def restore(self, artifact: Artifact, images: Labelled) -> MlpHead:
        """From its weights."""
        weights = {name: array for name, array in artifact.arrays.items() if name not in ("mean", "scale")}
        settings = artifact.settings
        scaling = Scaling(artifact.arrays["mean"], artifact.arrays["scale"])
        return MlpHead(scaling, weights, list(settings["classes"]), settings["epochs"], settings["stopped_by"])


class _Trained(NamedTuple):
    weights: Weights
    epochs: int


def _train(
    recipe: Head, features: Matrix, codes: npt.NDArray[np.int64], classes: int, held: Rows, seed: int
) -> _Trained:
    import torch
    from torch.nn.functional import cross_entropy, gelu

    rng = np.random.default_rng(seed_from("head weights", seed))
    dimension = features.shape[1]
    shapes = {
        "hidden": (dimension, recipe.hidden),
        "hidden_bias": (recipe.hidden,),
        "out": (recipe.hidden, classes),
        "out_bias": (classes,),
    }
    fan_in = {"hidden": dimension, "hidden_bias": dimension, "out": recipe.hidden, "out_bias": recipe.hidden}
    with one_torch_thread():
        weights = {
            name: torch.tensor(
                rng.uniform(-1, 1, shape) / np.sqrt(fan_in[name]), dtype=torch.float32, requires_grad=True
            )
            for name, shape in shapes.items()
        }
        x, y = torch.from_numpy(features.astype(np.float32)), torch.from_numpy(codes)
        rows = np.delete(np.arange(len(codes)), held)
        optimiser = AdamW(list(weights.values()), recipe.learning_rate, recipe.weight_decay)

        def loss(chosen: Rows) -> torch.Tensor:
            inner = gelu(x[chosen] @ weights["hidden"] + weights["hidden_bias"])
            return cross_entropy(inner @ weights["out"] + weights["out_bias"], y[chosen])

        def copied() -> Weights:
            return {name: tensor.detach().numpy().astype(np.float64) for name, tensor in weights.items()}

        best, best_loss, best_epoch = copied(), np.inf, 0
        for epoch in range(1, (recipe.epochs if len(held) else recipe.epochs_unchecked) + 1):
            order = rng.permutation(rows)
            for start in range(0, len(order), recipe.batch):
                optimiser.step(loss(order[start : start + recipe.batch]))
            if not len(held):
                continue
            with torch.no_grad():
                now = float(loss(held))
            if now < best_loss:
                best, best_loss, best_epoch = copied(), now, epoch
            elif epoch - best_epoch >= recipe.patience:
                break
        return _Trained(best, best_epoch) if len(held) else _Trained(copied(), recipe.epochs_unchecked)


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101).

    With betas 0.9 and 0.999 and epsilon 1e-8 it takes the steps of ``torch.optim.AdamW``, without the seconds that its
    first step spends on importing a compiler.
    """

    def __init__(self, tensors: Sequence[torch.Tensor], learning_rate: float, weight_decay: float) -> None:
        self._tensors = list(tensors)
        self._rate, self._decay, self._steps = learning_rate, weight_decay, 0
        self._moments = [(tensor.detach() * 0, tensor.detach() * 0) for tensor in tensors]

    def step(self, loss: torch.Tensor) -> None:
        """One step down the gradient of ``loss``."""
        import torch

        gradients = torch.autograd.grad(loss, self._tensors)
        self._steps += 1
        first, second = 1 - 0.9**self._steps, 1 - 0.999**self._steps
        with torch.no_grad():
            for tensor, gradient, (mean, square) in zip(self._tensors, gradients, self._moments, strict=True):
                tensor.mul_(1 - self._rate * self._decay)
                mean.lerp_(gradient, 0.1)
                square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
                tensor.addcdiv_(mean, square.sqrt() / second**0.5 + 1e-8, value=-self._rate / first)
