"""Tiny pipelines with random weights, and a bank in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, PixArtTransformer2DModel

from reference_model.bank.protocol import Retrieved, Route
from reference_model.pipeline import UniPathPipeline
from reference_model.prototypes import PrototypeProjector
from reference_model.semantic_tokens import SemanticTokens
from reference_model.tiny_language import build_language_model, build_tokenizer, query_token_id
from reference_model.vae import PatchCode

PROMPTS = (
    "glandular pattern with high cellularity",
    "solid sheets, necrosis and scattered mitoses in a dense stroma",
    "hemorrhage",
)
FEATURES = 12


class MemoryBank:
    """Features are a function of the words; one prototype a word."""

    feature_size = FEATURES

    def features_of(self, word: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.random.default_rng(list(word.encode())).standard_normal(FEATURES).astype(np.float32)

    def retrieve(self, prompt: str, *, limit: int, with_images: bool = False) -> Retrieved:
        words = [word.strip(",") for word in prompt.split()][:limit]
        images = tuple(np.full((4, 4, 3), len(word), np.uint8) for word in words) if with_images else ()
        features = (
            np.stack([self.features_of(word) for word in words]) if words else np.zeros((0, FEATURES), np.float32)
        )
        routes = tuple((Route("keyword", None, word), Route("text-text", 0.5)) for word in words)
        return Retrieved(tuple(f"tile-{word}" for word in words), features, routes, images)

    def embed_image(self, image: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.resize(image.astype(np.float32).mean(axis=(0, 1)) / 255, FEATURES).astype(np.float32)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bank.txt").write_text("a bank", encoding="utf-8")


def randomised(module: torch.nn.Module, seed: int = 0, scale: float = 0.2) -> torch.nn.Module:
    """Every weight drawn anew, so that nothing is zero or one by its initialisation."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)
    return module


def tiny_pipeline(heads: int = 2, head_width: int = 12, sample_size: int = 8, **settings: Any) -> UniPathPipeline:
    """Images of four times ``sample_size``; a transformer and a text-only language model of two layers each."""
    torch.manual_seed(7)
    tokenizer = build_tokenizer(PROMPTS)
    transformer = PixArtTransformer2DModel(
        num_attention_heads=heads,
        attention_head_dim=head_width,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        cross_attention_dim=heads * head_width,
        sample_size=sample_size,
        patch_size=2,
        interpolation_scale=0.5,
        use_additional_conditions=False,
        caption_channels=32,
    )
    vae = PatchCode(width=8, pixel_width=8, blocks=1).fit(torch.rand(4, 3, 32, 32) * 2 - 1)
    defaults: dict[str, Any] = {"max_text_tokens": 24, "max_prototypes": 8, "expansion_tokens": 6}
    pipeline = UniPathPipeline(
        transformer=randomised(transformer, 1, 0.1),
        vae=randomised(vae, 2, 0.02),
        language_model=build_language_model(tokenizer, hidden_size=32, layers=2, heads=2),
        tokenizer=tokenizer,
        semantic_tokens=SemanticTokens(n_query=4, hidden_size=32, query_token_id=query_token_id(tokenizer)),
        prototype_projector=PrototypeProjector(feature_size=FEATURES, hidden_size=32),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        bank=MemoryBank(),
        **{**defaults, **settings},
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generators(*seeds: int) -> list[torch.Generator]:
    """One generator an image."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def images_of(pipeline: UniPathPipeline, *arguments: Any, **named: Any) -> Any:
    """The images that a call of the pipeline draws."""
    output = pipeline(*arguments, **named)
    assert not isinstance(output, tuple)
    return output.images
