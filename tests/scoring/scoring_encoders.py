"""An encoder for the scorers' tests that go through the command line."""

from __future__ import annotations

import numpy as np

from unipath_bench import EncoderCard, ImageEncoder


class MeanColour(ImageEncoder):
    """Mean of each channel: three numbers."""

    card = EncoderCard(name="tests.scoring.scoring_encoders:MeanColour", revision="1", dimension=3, micro_batch=8)

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        return images.mean(axis=(1, 2)).astype(np.float32)
