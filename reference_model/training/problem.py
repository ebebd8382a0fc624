"""What a stage gives to the training loop."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class Problem(Protocol):
    """Something to minimise. ``loss`` is a function of the weights, the step and the process alone."""

    @property
    def name(self) -> str:
        """Of the stage, e.g. ``flow``."""

    @property
    def modules(self) -> nn.ModuleDict:
        """What is trained: parameters that require a gradient."""

    def begin(self, step: int) -> None:
        """Called before the first step and after a resume, with the step that comes next."""

    def loss(self, step: int, rank: int, size: int) -> Tensor:
        """The loss of this process's ``size`` samples at a step, a scalar."""

    def evaluate(self) -> dict[str, float]:
        """Figures of the present weights, with the averaged ones in place."""

    def is_done(self, figures: dict[str, float]) -> bool:
        """Whether these figures are enough to end before the last step."""
