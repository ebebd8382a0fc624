"""MUSK, whose network comes with the package of its authors."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from unipath_bench.encoders.loading import Found, read_state
from unipath_bench.encoders.pretrained import EncoderLoader, Pretrained

if TYPE_CHECKING:
    import torch


class MuskEncoder(Pretrained):
    """MUSK's image tower by the package ``musk``, at one scale: the class token, or its projection."""

    package = ("musk", "pip install fairscale git+https://github.com/lilab-stanford/MUSK")

    def _load(self, found: Found) -> None:
        import timm

        import_module("musk.modeling")  # registers the architecture with timm
        network = timm.create_model(self.spec.architecture, **self.spec.options)
        self.model = self._ready(self._fill(network, read_state(found.weights)))

    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model(
            image=pixels,
            with_head=self.spec.pooling == "projected",
            out_norm=False,
            ms_aug=False,
            return_global=True,
        )[0]
        return features


LOADER = EncoderLoader(MuskEncoder, poolings=("class", "projected"))
