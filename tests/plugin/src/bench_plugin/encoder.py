"""An encoder: the mean colour of each quadrant."""

import numpy as np

from unipath_bench import EncoderCard, ImageEncoder


class MeanColour(ImageEncoder):
    """Twelve numbers: the mean R, G and B of four quadrants, in [0, 1]."""

    card = EncoderCard(name="mean-colour", revision="1", dimension=12, micro_batch=4, licence="MIT")

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        _, height, width, _ = images.shape
        rows, columns = (
            (slice(0, height // 2), slice(height // 2, None)),
            (slice(0, width // 2), slice(width // 2, None)),
        )
        quadrants = [images[:, r, c].mean(axis=(1, 2)) for r in rows for c in columns]
        return (np.concatenate(quadrants, axis=1) / 255).astype(np.float32)
