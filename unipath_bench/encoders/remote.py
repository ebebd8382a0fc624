"""Encoders whose network is Python code in their repository.

The code runs only with ``--trust-remote-code``, at the pinned commit, and with no way to the hub but its cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

from unipath_bench.contracts import Context
from unipath_bench.encoders.loading import Found
from unipath_bench.encoders.pretrained import EncoderLoader, Pretrained
from unipath_bench.encoders.spec import EncoderSpec

if TYPE_CHECKING:
    import torch


class RemoteCodeEncoder(Pretrained):
    """``AutoModel`` of the folder, called with the pixels.

    With ``options.method``, what that method of the model returns (the first element of a tuple) is called instead.
    """

    def missing(self, context: Context) -> str | None:
        """Ask for consent to the code first, then for the files; None where nothing is missing."""
        return super().missing(context) if context.trust_remote_code else _distrust(self.spec)

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


def _distrust(spec: EncoderSpec) -> str:
    who = spec.title or spec.name
    if not spec.hub_id:
        return f"{who} runs Python code from {spec.path}. Read it; where you trust it, add --trust-remote-code."
    return (
        f"{who} runs Python code from its repository. Read it at "
        f"https://huggingface.co/{spec.hub_id}/tree/{spec.revision}; where you trust that commit, add "
        "--trust-remote-code to the command."
    )


LOADER = EncoderLoader(RemoteCodeEncoder, poolings=("pooled",), runs_code=True)
