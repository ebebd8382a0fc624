"""Features of the public test images: written to a file, or compared with one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from unipath_bench.contracts import Context, ImageEncoder
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.core.files import write_text
from unipath_bench.encoders.embedding import embed_images
from unipath_bench.encoders.pattern import pattern_digest, pattern_images
from unipath_bench.schema.base import Document, parse_json
from unipath_bench.schema.cards import EncoderCard

TOLERANCE = 1e-3
"""Largest difference that two machines may have, in units of the features' root mean square."""


class PatternFeatures(Document):
    """What an encoder makes of the public test images."""

    encoder: EncoderCard
    encoder_digest: str = Field(description="Of all in the card that decides the features.")
    pattern: str = Field(description="Digest of the test images (unipath_bench.encoders.pattern).")
    features_sha256: str = Field(description="Of the float32 features, little-endian, row by row; one platform's.")
    features: tuple[tuple[float, ...], ...] = Field(description="One row an image.")


@dataclass(frozen=True)
class Comparison:
    """How far two sets of features are apart."""

    difference: float
    """Largest absolute difference of a feature, divided by the root mean square of those expected."""
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is at most the tolerance."""
        return self.difference <= self.tolerance


def measure(encoder: object, name: str, context: Context) -> PatternFeatures:
    """Load an encoder and embed the test images.

    Raises :class:`MissingError` with the remedy where it is not available, :class:`UsageError` where it reads no
    images.
    """
    if not isinstance(encoder, ImageEncoder):
        raise UsageError(f"The encoder {name!r} reads no images.", "Name an image encoder.")
    remedy = encoder.missing(context)
    if remedy is not None:
        raise MissingError(f"The encoder {name!r} is not available.", remedy)
    encoder.setup(context)
    images = list(pattern_images())
    features = embed_images(encoder, images, [f"test image {i}" for i in range(len(images))])
    return PatternFeatures(
        encoder=encoder.card,
        encoder_digest=encoder.card.digest(),
        pattern=pattern_digest(),
        features_sha256=hashlib.sha256(features.astype("<f4").tobytes()).hexdigest(),
        features=tuple(tuple(float(value) for value in row) for row in features),
    )


def compare(found: PatternFeatures, path: Path, tolerance: float) -> Comparison:
    """Compare with the features in a file.

    Raises :class:`DataError` where these are of other images or another encoder, so that no number would mean anything.
    """
    expected = parse_json(PatternFeatures, path)
    for what, here, there in (
        ("test images", found.pattern, expected.pattern),
        ("encoder", found.encoder_digest, expected.encoder_digest),
    ):
        if here != there:
            raise DataError(
                f"{path} is of another {what}: {there[:12]} instead of {here[:12]} "
                f"(its encoder: {expected.encoder.name}, {expected.encoder.revision}, {expected.encoder.recipe}).",
                "Compare features of the same weights, preprocessing and test images.",
            )
    ours, theirs = np.asarray(found.features), np.asarray(expected.features)
    scale = float(np.sqrt((theirs**2).mean()))
    return Comparison(float(np.abs(ours - theirs).max()) / scale if scale else float(np.abs(ours).max()), tolerance)


def save(found: PatternFeatures, path: Path) -> None:
    """Write features for others to compare with."""
    write_text(path, found.model_dump_json(indent=1) + "\n")
