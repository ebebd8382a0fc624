"""The pipeline's parts at the start of the last stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, PixArtTransformer2DModel
from torch import Tensor, nn

from reference_model.bank.protocol import Bank
from reference_model.pipeline import UniPathPipeline
from reference_model.prototypes import PrototypeProjector
from reference_model.semantic_tokens import SemanticTokens
from reference_model.training.config import TrainingConfig, TransformerConfig
from reference_model.vae import pixels_per_latent
from reference_model.vision_tower import VisionTower
from unipath_bench import UsageError


def build_transformer(
    config: TransformerConfig, hidden_size: int, channels: int, side: int
) -> PixArtTransformer2DModel:
    """An untrained transformer for latents of ``channels`` channels and ``side`` x ``side`` positions.

    It reads contexts of width ``hidden_size``. The initialisation is that of diffusers, except that every residual gate
    starts from ``config.gate`` and the output from zero.
    """
    width = config.heads * config.head_width
    transformer = PixArtTransformer2DModel(
        num_attention_heads=config.heads,
        attention_head_dim=config.head_width,
        in_channels=channels,
        out_channels=channels,
        num_layers=config.layers,
        cross_attention_dim=width,
        sample_size=side,
        patch_size=config.patch_size,
        interpolation_scale=config.interpolation_scale,
        use_additional_conditions=False,
        caption_channels=hidden_size,
    )
    with torch.no_grad():
        for block in transformer.transformer_blocks:
            block.scale_shift_table.zero_()
            # Rows: shift, scale and gate of self-attention, then of the feed-forward part.
            block.scale_shift_table[[2, 5]] = config.gate
        nn.init.zeros_(transformer.proj_out.weight)
        nn.init.zeros_(transformer.proj_out.bias)
    return transformer


def build_queries(
    config: TransformerConfig, hidden_size: int, token: int, embeddings: Tensor, keys: Sequence[int]
) -> SemanticTokens:
    """The queries, the first of which start from the embeddings of ``keys``.

    The keys are the words that the language model has learned to answer. Raises :class:`~unipath_bench.UsageError`
    where there are fewer queries than keys.
    """
    if config.n_query < len(keys):
        raise UsageError(f"{config.n_query} queries cannot ask for {len(keys)} attributes.", "Raise n_query.")
    queries: SemanticTokens = SemanticTokens(config.n_query, hidden_size, token)
    with torch.no_grad():
        queries.latent_queries[0, : len(keys)] = embeddings[list(keys)]
    return queries


def build_pipeline(
    config: TrainingConfig,
    *,
    vae: Any,
    language_model: Any,
    tokenizer: Any,
    keys: Sequence[int],
    query_token: int,
    vision_tower: VisionTower | None,
    bank: Bank | None,
) -> UniPathPipeline:
    """A pipeline with an untrained transformer, queries and projector, drawn by the configuration's seed."""
    shape = config.transformer
    embeddings = language_model.get_input_embeddings().weight.detach()
    hidden = int(embeddings.shape[1])
    per_latent = pixels_per_latent(vae)
    if config.data.side % (per_latent * shape.patch_size):
        raise UsageError(
            f"Tiles of {config.data.side} pixels are no whole number of the transformer's patches.",
            f"Give a multiple of {per_latent * shape.patch_size}.",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        transformer = build_transformer(shape, hidden, int(vae.config.latent_channels), config.data.side // per_latent)
        queries = build_queries(shape, hidden, query_token, embeddings, keys)
        projector = PrototypeProjector(feature_size=bank.feature_size if bank else hidden, hidden_size=hidden)
    pipeline = UniPathPipeline(
        transformer=transformer,
        vae=vae,
        language_model=language_model,
        tokenizer=tokenizer,
        semantic_tokens=queries,
        prototype_projector=projector,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        vision_tower=vision_tower,
        bank=bank,
        max_text_tokens=shape.max_text_tokens,
        max_prototypes=shape.max_prototypes,
        expand=False,
        micro_batch=config.micro_batch,
        internal_encoders=[config.bank.encoder] if config.bank else [],
    )
    pipeline.register_to_config(licence=config.licence)
    return pipeline
