"""The texture encoder behind the contract of image encoders."""

from __future__ import annotations

import numpy as np

from unipath_bench.contracts import ImageEncoder
from unipath_bench.core.arrays import Features, RGBBatch
from unipath_bench.core.errors import DataError
from unipath_bench.encoders.texture._dimensions import DIMENSIONS
from unipath_bench.encoders.texture._features import SMALLEST_TILE, texture_features
from unipath_bench.schema.cards import EncoderCard


class TextureEncoder(ImageEncoder):
    """Hand-made H&E statistics: no weights, no training, no download, no device."""

    card = EncoderCard(
        name="texture",
        title="H&E texture statistics (training-free)",
        revision="1",
        dimension=len(DIMENSIONS),
        precision="float64",
        micro_batch=1,
        licence="Apache-2.0",
        source="docs/texture-encoder.md",
        notes="Stain, nuclear and texture statistics; not a pathology foundation model, and never Patho-FID.",
    )

    def embed_images(self, images: RGBBatch) -> Features:
        """uint8 (B, H, W, 3) of at least 32 pixels a side to float32 (B, D), each image by itself.

        Raises :class:`DataError` on any other dtype or shape.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise DataError(
                f"The texture encoder got {images.dtype} of shape {images.shape}.",
                "Give 8-bit RGB images as one array of shape (B, H, W, 3).",
            )
        if min(images.shape[1:3]) < SMALLEST_TILE:
            raise DataError(
                f"The texture encoder got images of {images.shape[1]} x {images.shape[2]} pixels.",
                f"It reads tiles of at least {SMALLEST_TILE} pixels a side.",
            )
        features = np.empty((len(images), len(DIMENSIONS)), dtype=np.float32)
        for row, image in zip(features, images, strict=True):
            row[:] = texture_features(image)
        return features
