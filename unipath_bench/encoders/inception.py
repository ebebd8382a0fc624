"""Inception-v3 as FID uses it: torch-fidelity's port of the 2015 TensorFlow weights, 2048-d pooled features.

Network and weights are torch-fidelity's. The resize to 299 px is clean-FID's (Pillow bicubic, antialiased,
unrounded), not torch-fidelity's own, which aliases; at 299 px input the two agree.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from unipath_bench.contracts import Context, ImageEncoder
from unipath_bench.encoders.loading import (
    WeightsFile,
    check_digest,
    exact_inference,
    find_weights,
    read_state,
    torch_device,
    weights_remedy,
)
from unipath_bench.errors import MissingError
from unipath_bench.images import resize_float
from unipath_bench.schema.cards import EncoderCard
from unipath_bench.types import Features, RGBBatch

if TYPE_CHECKING:
    import torch

INPUT_SIZE = 299

_FILENAME = "weights-inception-2015-12-05-6726825d.pth"
FID_WEIGHTS = WeightsFile(
    filename=_FILENAME,
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    url=f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{_FILENAME}",
)


class InceptionV3(ImageEncoder):
    """The encoder of FID. ``weights`` is another port of the same network, if not torch-fidelity's."""

    def __init__(self, weights: WeightsFile = FID_WEIGHTS) -> None:
        self.weights = weights
        self.card = EncoderCard(
            name="inception-v3",
            title="Inception-v3 (ImageNet, TensorFlow 2015)",
            revision=weights.sha256,
            dimension=2048,
            input_size=INPUT_SIZE,
            resize="bicubic",
            mean=(128.0 / 255, 128.0 / 255, 128.0 / 255),
            std=(128.0 / 255, 128.0 / 255, 128.0 / 255),
            micro_batch=16,
            licence="Apache-2.0",
            pathology=False,
            source="torch-fidelity 0.4.0; resize: clean-FID (Parmar, Zhang and Zhu, CVPR 2022)",
            notes="Input is (pixel - 128) / 128. The whole image is resized to a square, without a crop.",
        )

    def missing(self, context: Context) -> str | None:
        return None if find_weights(self.weights) is not None else weights_remedy(self.weights)

    def setup(self, context: Context) -> None:
        """Load the network.

        Raises :class:`MissingError` where the weights are not there, ``DataError`` where they are not the
        pinned ones."""
        import torch
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        path = find_weights(self.weights)
        if path is None:
            raise MissingError("Inception-v3's weights are not on this machine.", weights_remedy(self.weights))
        check_digest(path, self.weights.sha256)
        # torch-fidelity unpickles without restrictions, so it is given a copy of what was read with them.
        state = io.BytesIO()
        torch.save(read_state(path), state)
        state.seek(0)
        network = FeatureExtractorInceptionV3("inception-v3", ["2048"], feature_extractor_weights_path=state)
        # Its children stand in the order of its forward pass; `fc`, the last, is not needed.
        self.device = torch_device(context)
        layers = torch.nn.Sequential(*list(network.children())[:-1])
        self.network: torch.nn.Module = layers.to(self.device).eval()

    def embed_images(self, images: RGBBatch) -> Features:
        import torch

        resized = resize_float(images, INPUT_SIZE, "bicubic").clip(0, 255)
        with exact_inference():
            pixels = torch.from_numpy(np.ascontiguousarray(resized.transpose(0, 3, 1, 2))).to(self.device)
            pooled = self.network((pixels - 128) / 128)
            features: Features = pooled.flatten(1).float().cpu().numpy()
        return features
