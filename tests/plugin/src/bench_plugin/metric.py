"""A metric: how far the mean features lie apart."""

import numpy as np

from unipath_bench import Measurement, ScoreInputs, metric


@metric("reference.images", "generated.images")
def colour_gap(inputs: ScoreInputs, *, scale: float = 1.0) -> Measurement:
    """Euclidean distance between the mean real and the mean generated features."""
    real, generated = inputs["reference"].images, inputs["generated"].images
    assert real is not None
    assert generated is not None
    gap = float(np.linalg.norm(real.mean(axis=0, dtype=np.float64) - generated.mean(axis=0, dtype=np.float64)))
    return Measurement({"gap": scale * gap}, n_images=len(generated), dimension=generated.shape[1])
