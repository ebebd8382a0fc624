"""A training-free texture encoder for H&E: stain, nuclear and texture statistics with documented dimensions.

``texture_features`` embeds one tile, ``DIMENSIONS`` says what each number is, ``TextureEncoder`` is the same
behind the contract of encoders. See docs/texture-encoder.md; ``python -m unipath_bench.encoders.texture``
prints its table.
"""

from __future__ import annotations

from unipath_bench.encoders.texture._dimensions import DIMENSIONS, Dimension
from unipath_bench.encoders.texture._encoder import TextureEncoder
from unipath_bench.encoders.texture._features import texture_features

__all__ = ["DIMENSIONS", "Dimension", "TextureEncoder", "texture_features"]
