"""Array types of the public contracts."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

RGBImage: TypeAlias = npt.NDArray[np.uint8]
"""uint8, shape (H, W, 3), sRGB."""

RGBBatch: TypeAlias = npt.NDArray[np.uint8]
"""uint8, shape (B, H, W, 3), sRGB."""

Features: TypeAlias = npt.NDArray[np.float32]
"""float32, shape (N, D)."""
