"""Vision transformers in timm's format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unipath_bench.core.errors import UsageError
from unipath_bench.encoders.loading import Found, read_state
from unipath_bench.encoders.pretrained import EncoderLoader, Pretrained, pool_tokens
from unipath_bench.encoders.spec import EncoderSpec

if TYPE_CHECKING:
    import torch

_LAYERS = ("Mlp", "GluMlp", "SwiGLU", "SwiGLUPacked")
"""Layers of ``timm.layers`` that an option ``mlp_layer`` may name."""


class TimmEncoder(Pretrained):
    """Tokens of a timm vision transformer after its last norm, pooled as specified."""

    def _load(self, found: Found) -> None:
        self.model = self._ready(self._fill(build_network(self.spec), read_state(found.weights)))

    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        tokens = self.model.forward_features(pixels)
        return pool_tokens(tokens, int(self.model.num_prefix_tokens), self.spec.pooling)


def build_network(spec: EncoderSpec) -> torch.nn.Module:
    """The network of a specification with random weights, without a head; reaches for no network.

    Raises :class:`UsageError` for an architecture or an option that timm does not know.
    """
    import timm
    from timm import layers

    options: dict[str, Any] = {"num_classes": 0, **spec.options}
    layer = options.get("mlp_layer")
    if layer is not None:
        if layer not in _LAYERS:
            raise UsageError(f"{spec.name}: mlp_layer {layer!r} is not known.", f"Known are {', '.join(_LAYERS)}.")
        options["mlp_layer"] = getattr(layers, layer)
    if not timm.is_model(spec.architecture):
        raise UsageError(
            f"{spec.name}: timm {timm.__version__} has no architecture {spec.architecture!r}.",
            '`python -c "import timm; print(timm.list_models())"` lists them.',
        )
    try:
        model: torch.nn.Module = timm.create_model(spec.architecture, pretrained=False, **options)
    except TypeError as error:
        raise UsageError(f"{spec.name}: {spec.architecture} does not take these options: {error}", "") from error
    return model


LOADER = EncoderLoader(TimmEncoder, poolings=("class", "class+patch-mean"))
