"""Encoders whose network is Python code in their repository.

The code runs only with ``--trust-remote-code``, at the pinned commit, and with no way to the hub but its cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

from unipath_bench.encoders.loading import Found
from unipath_bench.encoders.pretrained import Pretrained

if TYPE_CHECKING:
    import torch


class RemoteCodeEncoder(Pretrained):
    """``AutoModel`` of the folder, called with the pixels.

    With ``options.method``, what that method of the model returns (the first element of a tuple) is called instead.
    """

    def _load(self, found: Found) -> None:
        from huggingface_hub import constants
        from transformers import AutoModel

        with patch.object(constants, "HF_HUB_OFFLINE", True):
            model = AutoModel.from_pretrained(found.folder, trust_remote_code=True, local_files_only=True)  # nosec B615
            method = self.spec.options.get("method")
            if method is not None:
                model = getattr(model, method)()
        self.model = self._ready(model[0] if isinstance(model, tuple) else model)

    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model(pixels)
        return features
