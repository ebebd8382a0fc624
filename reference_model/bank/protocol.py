"""What the pipeline asks of a prototype bank. :class:`~reference_model.bank.PrototypeBank` is the real one.

A bank keeps features of real tissue (the *payload*, of the width that the prototype projector reads) and finds those
that fit a prompt. It must be a function of the prompt alone: seeded, and independent of the order of earlier calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Route:
    """One way by which a prototype was found."""

    name: str
    """``text-text``, ``text-image``, ``keyword``, or ``reference`` for the image that the user gave."""
    score: float | None = None
    """Similarity for the two text routes; None where there is none."""
    detail: str = ""
    """What matched, e.g. the keyword or the bank's description."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """k prototypes, the most relevant first."""

    ids: tuple[str, ...]
    features: npt.NDArray[np.float32]
    """(k, feature width): the payload."""
    routes: tuple[tuple[Route, ...], ...] = ()
    """For each prototype, every route that found it."""
    images: tuple[npt.NDArray[np.uint8], ...] = field(default=(), repr=False)
    """For each prototype its image, (H, W, 3); empty unless asked for."""

    def __len__(self) -> int:
        return len(self.ids)


@runtime_checkable
class Bank(Protocol):
    """A prototype bank."""

    @property
    def feature_size(self) -> int:
        """Width of the payload."""

    def retrieve(self, prompt: str, *, limit: int, with_images: bool = False) -> Retrieved:
        """At most ``limit`` prototypes for ``prompt``; none is a valid answer."""

    def embed_image(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The payload features of one image, uint8 (H, W, 3), to (feature width,).

        Raises :class:`~unipath_bench.MissingError` where the encoder is not available.
        """

    def save(self, folder: Path) -> None:
        """Write the bank so that ``reference_model.bank.load_bank(folder)`` reads it again."""
