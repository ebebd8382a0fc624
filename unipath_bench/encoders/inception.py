"""Inception-v3 as FID uses it: torch-fidelity's port of the 2015 TensorFlow weights, 2048-d pooled features.

Network and weights are torch-fidelity's. The resize to 299 px is clean-FID's (Pillow bicubic, antialiased, unrounded),
not torch-fidelity's own, which aliases; at 299 px input the two agree. The whole image is resized to a square, without
a crop.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from unipath_bench.core.arrays import RGBBatch
from unipath_bench.core.images import resize_float
from unipath_bench.encoders.loading import Found, read_state
from unipath_bench.encoders.pretrained import EncoderLoader, Pretrained

if TYPE_CHECKING:
    import torch


class InceptionEncoder(Pretrained):
    """The encoder of FID."""

    def _load(self, found: Found) -> None:
        import torch
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        # torch-fidelity unpickles without restrictions, so it is given a copy of what was read with them.
        state = io.BytesIO()
        torch.save(read_state(found.weights), state)
        state.seek(0)
        network = FeatureExtractorInceptionV3("inception-v3", ["2048"], feature_extractor_weights_path=state)
        # Its children stand in the order of its forward pass; `fc`, the last, is not needed.
        self.network = self._ready(torch.nn.Sequential(*list(network.children())[:-1]))

    def _prepared(self, images: RGBBatch) -> Any:
        resized = resize_float(images, self.spec.input_size, self.spec.resize).clip(0, 255)
        return np.ascontiguousarray(resized.transpose(0, 3, 1, 2))

    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.network((pixels - 128) / 128)
        return pooled.flatten(1)


LOADER = EncoderLoader(InceptionEncoder, poolings=("pooled",))
