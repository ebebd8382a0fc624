"""Images and texts of any number to features, in the fixed micro-batches that make them the same on every run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from unipath_bench.contracts import ImageEncoder, TextEncoder
from unipath_bench.core.arrays import Features, RGBImage
from unipath_bench.core.errors import DataError, listed


def embed_images(encoder: ImageEncoder, images: Sequence[RGBImage], names: Sequence[str]) -> Features:
    """Embed images of any sizes, float32 (N, D), in batches of exactly the card's micro-batch, the last one padded.

    Raises :class:`DataError` that names the encoder and the images where the features are not finite or misshapen.
    """
    card = encoder.card
    result = np.empty((len(images), card.dimension), np.float32)
    by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, image in enumerate(images):
        by_size[image.shape].append(i)
    for members in by_size.values():
        for start in range(0, len(members), card.micro_batch):
            batch = members[start : start + card.micro_batch]
            padded = batch + [batch[-1]] * (card.micro_batch - len(batch))
            features = np.asarray(encoder.embed_images(np.stack([images[i] for i in padded])))
            _check_shape(features, (card.micro_batch, card.dimension), card.name)
            result[batch] = features[: len(batch)]
    _check_finite(result, names, card.name)
    return result


def embed_texts(encoder: TextEncoder, texts: Sequence[str]) -> Features:
    """Embed texts, float32 (N, D); each distinct text once, in padded micro-batches."""
    card = encoder.card
    distinct = sorted(set(texts))
    rows: dict[str, Features] = {}
    for start in range(0, len(distinct), card.micro_batch):
        batch = distinct[start : start + card.micro_batch]
        padded = batch + [batch[-1]] * (card.micro_batch - len(batch))
        features = np.asarray(encoder.embed_texts(padded), np.float32)
        _check_shape(features, (card.micro_batch, card.dimension), card.name)
        rows.update(zip(batch, features[: len(batch)], strict=True))
    result = np.stack([rows[text] for text in texts])
    _check_finite(result, texts, card.name)
    return result


def _check_shape(
    features: np.ndarray[tuple[int, ...], np.dtype[np.generic]], expected: tuple[int, int], name: str
) -> None:
    if features.shape != expected or features.dtype.kind != "f":
        raise DataError(
            f"The encoder {name!r} returned {features.dtype} of shape {features.shape}, not float of shape {expected}.",
            "Correct the encoder, or the dimension on its card.",
        )


def _check_finite(features: Features, names: Sequence[str], encoder: str) -> None:
    bad = [name for name, row in zip(names, features, strict=True) if not np.isfinite(row).all()]
    if bad:
        raise DataError(
            f"The encoder {encoder!r} gave NaN or infinite features for {len(bad)} of {len(names)}:\n" + listed(bad),
            "Look at these images; try --device cpu or the encoder in float32. Nothing of this shard was stored.",
        )
