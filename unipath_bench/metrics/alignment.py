"""CLIP-Score: how close the embeddings of an image and of its text are."""

from __future__ import annotations

import torch

from unipath_bench.metrics._arrays import Features, Float64Array, as_matrix_pair, row_blocks, unit_rows

BLOCK_ROWS = 4096


def cosine_per_pair(image_features: Features, text_features: Features) -> Float64Array:
    """Return the cosine of row i of ``image_features`` (n, D) and row i of ``text_features`` (n, D).

    The result is (n,) float64 in -1 to 1. Raises ``ValueError`` for wrong shapes, NaN, infinity and zero vectors.

    Examples:
        (3, 4) is 5 long and its first coordinate is 3; the second pair points in opposite directions.

        >>> import numpy as np
        >>> images = np.array([[3.0, 4.0], [0.0, 2.0]])
        >>> texts = np.array([[1.0, 0.0], [0.0, -7.0]])
        >>> cosine_per_pair(images, texts).round(12).tolist()
        [0.6, -1.0]
    """
    a, b = as_matrix_pair(image_features, text_features, ("image_features", "text_features"))
    if len(a) != len(b):
        raise ValueError(f"image_features has {len(a)} rows, text_features has {len(b)}: pairs are needed")
    cosines = torch.empty(len(a), dtype=torch.float64, device=a.device)
    for start, block in row_blocks(a, BLOCK_ROWS):
        part = slice(start, start + len(block))
        cosines[part] = (unit_rows(block, "image_features") * unit_rows(b[part], "text_features")).sum(1)
    result: Float64Array = cosines.clamp_(-1, 1).cpu().numpy()
    return result


def clip_score(image_features: Features, text_features: Features) -> float:
    """Mean raw cosine over the pairs, -1 to 1: neither times 100 nor cut off at 0.

    Hessel et al. 2021, arXiv 2104.08718, without its factor of 2.5 and its max(., 0), as pathology papers
    print it.

    Examples:
        The mean of the cosines 3 / 5 and -1.

        >>> import numpy as np
        >>> images = np.array([[3.0, 4.0], [0.0, 2.0]])
        >>> texts = np.array([[1.0, 0.0], [0.0, -7.0]])
        >>> round(clip_score(images, texts), 12)
        -0.2
    """
    return float(cosine_per_pair(image_features, text_features).mean())
