"""Checking a configuration's shapes on the meta device: nothing is loaded and nothing computed."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from reference_model.prototypes import PrototypeProjector
from reference_model.semantic_tokens import SemanticTokens
from reference_model.training.assembly import build_transformer
from reference_model.training.config import (
    PatchCodeConfig,
    PretrainedCodeConfig,
    TrainingConfig,
)
from unipath_bench import UsageError


@dataclass(frozen=True, slots=True)
class Shapes:
    """What a configuration makes."""

    latents: tuple[int, int, int]
    """Channels, height and width."""
    context: tuple[int, int]
    """Places and width."""
    tokens: int
    """Positions of the image transformer."""
    parameters: dict[str, int]
    """Trained numbers, by component."""


def check(config: TrainingConfig, feature_size: int = 1536) -> Shapes:
    """Pass two samples through the transformer on the meta device.

    ``feature_size``: width of the bank's payload. Raises :class:`~unipath_bench.UsageError` where sizes do not fit.
    """
    channels, per_latent = _code(config)
    hidden = config.language.hidden_size
    shape = config.transformer
    if config.data.side % (per_latent * shape.patch_size):
        raise UsageError(
            f"Tiles of {config.data.side} pixels are no whole number of the transformer's patches.",
            f"Give a multiple of {per_latent * shape.patch_size}.",
        )
    side = config.data.side // per_latent
    places = shape.max_text_tokens + shape.n_query + shape.max_prototypes
    with torch.device("meta"):
        transformer = build_transformer(shape, hidden, channels, side)
        queries = SemanticTokens(shape.n_query, hidden, 0)
        projector = PrototypeProjector(feature_size, hidden)
        output = transformer(
            torch.empty(2, channels, side, side),
            encoder_hidden_states=torch.empty(2, places, hidden),
            encoder_attention_mask=torch.empty(2, places, dtype=torch.bool),
            timestep=torch.empty(2, dtype=torch.int64),
            return_dict=False,
        )[0]
    if output.shape != (2, channels, side, side):
        raise UsageError(f"The transformer gives {tuple(output.shape)}.", "Check the transformer's shape.")
    parts = {"transformer": transformer, "semantic_tokens": queries, "prototype_projector": projector}
    return Shapes(
        latents=(channels, side, side),
        context=(places, hidden),
        tokens=(side // shape.patch_size) ** 2,
        parameters={name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()},
    )


def _code(config: TrainingConfig) -> tuple[int, int]:
    """Latent channels and pixels a latent."""
    code = config.code
    if isinstance(code, PatchCodeConfig):
        return code.latent_channels, code.patch_size
    if isinstance(code, PretrainedCodeConfig):
        return code.latent_channels, code.pixels_per_latent
    blocks = code.arguments.get("block_out_channels", (64,))
    return int(code.arguments.get("latent_channels", 4)), 2 ** (len(blocks) - 1)
