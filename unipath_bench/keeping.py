"""What was computed once and need not be computed again: small arrays and settings under a digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Kept:
    """JSON-able settings and named arrays: all that is needed to have a trained thing again."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    """float64, any shape."""


class Keeper(Protocol):
    """Holds :class:`Kept` under keys that name all that decides them, so holding changes no number, only time."""

    def find(self, key: str) -> Kept | None:
        """What was put under ``key``, every bit of it; None where nothing was."""

    def put(self, key: str, kept: Kept) -> None:
        """Hold ``kept`` under ``key``, a string of hexadecimal digits."""
