"""An encoder loader: the mean colour of the image times a matrix from the weights file."""

from typing import TYPE_CHECKING

from unipath_bench.encoders.loading import Found, read_state
from unipath_bench.encoders.pretrained import EncoderLoader, Pretrained

if TYPE_CHECKING:
    import torch


class Mixed(Pretrained):
    """Weights hold one tensor, ``matrix``, of the shape (3, dimension)."""

    def _load(self, found: Found) -> None:
        self.matrix = read_state(found.weights)["matrix"].to(self.device)

    def _images(self, pixels: "torch.Tensor") -> "torch.Tensor":
        return pixels.mean((2, 3)) @ self.matrix


LOADER = EncoderLoader(Mixed, poolings=("mean",))
