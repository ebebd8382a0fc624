"""What curation is told, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reference_model.curation.quality import Bounds
from unipath_bench import Sample

StageName = Literal["quality", "duplicate", "similar", "sampling", "caption"]


@dataclass(frozen=True)
class Options:
    """What to keep."""

    bounds: Bounds = field(default_factory=Bounds)
    hash_distance: int | None = 6
    """Bits in which the perceptual hashes of duplicates differ at most; None: the pass is left out."""
    encoder: str | None = "texture"
    """Of the embedding, for similarity and sampling; None: both are left out."""
    similarity: float | None = 0.995
    """Cosine from which images are duplicates; None: the pass is left out."""
    target: int | None = None
    """Images to sample; None: all."""
    clusters: int | None = None
    """Of the sampling; None: the square root of the number of images."""
    seed: int = 0
    split: str | None = None
    """The split to curate; None: all, each image staying in its own."""
    workers: int = 1
    """Captions that are asked for at a time."""


@dataclass(frozen=True, slots=True)
class Drop:
    """An image that was left out, and why."""

    sample: Sample
    stage: StageName
    reason: str
    value: float | None = None
    bound: float | None = None
    like: str = ""
    """Id of the image that it is a duplicate of, or what went wrong."""


@dataclass(frozen=True)
class Result:
    """What curation decided."""

    kept: tuple[Sample, ...]
    captions: tuple[str, ...]
    drops: tuple[Drop, ...]
    decided_by: str
    """Digest of the suite and of every setting."""
