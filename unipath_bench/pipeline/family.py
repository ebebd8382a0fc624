"""Families: the sets of images that a run makes or reads, each with its own order and its own folders in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unipath_bench.contracts import SetName

_GENERATED: dict[str, SetName] = {"seed": "generated", "wording": "variants"}
_REAL: dict[str, SetName] = {name: name for name in ("reference", "heldout", "train")}


@dataclass(frozen=True, slots=True, order=True)
class Family:
    """One set of images: the answers at one seed, those to one wording of the prompts, or one set of real images.

    Families sort by kind, then by index.
    """

    kind: Literal["seed", "wording", "reference", "heldout", "train"]
    index: int = 0
    """Which seed or wording; 0 for real images."""

    @classmethod
    def parse(cls, name: str) -> Family:
        """The family of this name; ``ValueError`` where it is no family's."""
        kind, _, index = name.partition("-")
        if kind in _GENERATED | _REAL and (index or "0").isdecimal():
            family = cls(kind, int(index or 0))  # type: ignore[arg-type]
            if family.name == name:
                return family
        raise ValueError(f"{name!r} names no family of images")

    @property
    def name(self) -> str:
        """What its folders are called: ``seed-0``, ``wording-1``, ``reference`` ..."""
        return f"{self.kind}-{self.index}" if self.is_generated else self.kind

    @property
    def set_name(self) -> SetName:
        """The set that metrics see it in."""
        return (_GENERATED | _REAL)[self.kind]

    @property
    def is_generated(self) -> bool:
        """Whether the images are the generator's."""
        return self.kind in _GENERATED

    @property
    def replicate(self) -> int:
        """Which of a prompt's images these are; other wordings are asked at replicate 0."""
        return self.index if self.kind == "seed" else 0

    def __str__(self) -> str:
        return self.name
