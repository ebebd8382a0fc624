"""The released checkpoint's key names, and where each tensor belongs in the pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, PixArtTransformer2DModel
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from reference_model import full_size
from reference_model.prototypes import PrototypeProjector
from reference_model.semantic_tokens import SemanticTokens
from unipath_bench import DataError

Component = Literal["transformer", "language_model", "semantic_tokens", "prototype_projector", "vae"]
Shape = tuple[int, ...]

_DROPPED = frozenset({"model.dit.model.condition_projection.uncond_embedding"})
"""Learned, and never used: the null context is zeros."""

_RULES: tuple[tuple[str, Component, str], ...] = (
    (r"model\.dit\.model\.condition_projection\.(linear_[12]\..+)", "transformer", r"caption_projection.\1"),
    (r"model\.dit\.model\.(.+)", "transformer", r"\1"),
    (r"model\.((?:embed_tokens|layers|norm)\..+)", "language_model", r"model.language_model.\1"),
    (r"(visual\..+)", "language_model", r"model.\1"),
    (r"(lm_head\.weight)", "language_model", r"\1"),
    (r"model\.(latent_queries)", "semantic_tokens", r"\1"),
    (r"model\.prototype_projector\.([02]\.(?:weight|bias))", "prototype_projector", r"layers.\1"),
    (r"model\.gen_vision_tower\.vision_tower\.(.+)", "vae", r"\1"),
)


def target_of(key: str) -> tuple[Component, str] | None:
    """Component and key of a released tensor in the pipeline; None for what no rule knows."""
    for pattern, component, replacement in _RULES:
        match = re.fullmatch(pattern, key)
        if match:
            return component, match.expand(replacement)
    return None


def is_dropped(key: str) -> bool:
    """Whether the pipeline has no use for the tensor."""
    return key in _DROPPED


@dataclass(frozen=True)
class Shapes:
    """Configurations of the components; the released model's unless given."""

    transformer: Mapping[str, Any] = field(default_factory=lambda: full_size.TRANSFORMER)
    language_model: Mapping[str, Any] = field(default_factory=lambda: full_size.LANGUAGE)
    semantic_tokens: Mapping[str, Any] = field(default_factory=lambda: full_size.SEMANTIC_TOKENS)
    prototype_projector: Mapping[str, Any] = field(default_factory=lambda: full_size.PROTOTYPES)
    vae: Mapping[str, Any] = field(default_factory=lambda: full_size.VAE)

    def on_meta(self) -> dict[Component, torch.nn.Module]:
        """The components without memory for their weights."""
        makers: dict[Component, Callable[[], torch.nn.Module]] = {
            "transformer": lambda: PixArtTransformer2DModel(**self.transformer),
            "language_model": lambda: Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**self.language_model)),
            "semantic_tokens": lambda: SemanticTokens(**self.semantic_tokens),
            "prototype_projector": lambda: PrototypeProjector(**self.prototype_projector),
            "vae": lambda: AutoencoderKL(**self.vae),
        }
        with torch.device("meta"):
            return {name: make() for name, make in makers.items()}


@dataclass(frozen=True)
class Plan:
    """What becomes of each tensor of a checkpoint."""

    targets: Mapping[str, tuple[Component, str]]
    """Released key to component and new key."""
    dropped: tuple[str, ...]
    has_vae: bool


def plan(found: Mapping[str, Shape], models: Mapping[Component, torch.nn.Module]) -> Plan:
    """Account for every key of a checkpoint, ``found`` by name and shape.

    Raises :class:`~unipath_bench.DataError` that lists all unknown and missing keys and all shapes that differ. A
    checkpoint without any tensor of the autoencoder is in order.
    """
    targets: dict[str, tuple[Component, str]] = {}
    dropped, unknown, wrong = [], [], []
    expected = {name: _shapes_of(model) for name, model in models.items()}
    for key, shape in found.items():
        if is_dropped(key):
            dropped.append(key)
            continue
        target = target_of(key)
        if target is None or target[1] not in expected[target[0]]:
            unknown.append(key)
            continue
        targets[key] = target
        wanted = expected[target[0]][target[1]]
        if shape != wanted:
            wrong.append(f"{key}: {list(shape)}, not {list(wanted)}")
    seen = set(targets.values())
    has_vae = any(component == "vae" for component, _ in seen)
    missing = [
        f"{component}: {key}"
        for component, keys in expected.items()
        for key in keys
        if (component, key) not in seen and (component != "vae" or has_vae)
    ]
    if unknown or missing or wrong:
        parts = {"Unknown keys": unknown, "Missing tensors": missing, "Shapes that differ": wrong}
        lists = "\n".join(_listed(title, items) for title, items in parts.items() if items)
        raise DataError(
            f"The checkpoint does not fit UniPath's layout.\n{lists}",
            "Check that it is whole, and that the configuration (--config) is that of this model.",
        )
    return Plan(targets, tuple(dropped), has_vae)


def _shapes_of(model: Any) -> dict[str, Shape]:
    """Shape by key; an output layer that is tied to the embeddings is not stored."""
    tied = {"lm_head.weight"} if getattr(model.config, "tie_word_embeddings", False) else set()
    return {key: tuple(value.shape) for key, value in model.state_dict().items() if key not in tied}


def _listed(title: str, items: list[str]) -> str:
    return "\n".join([f"{title} ({len(items)}):", *(f"  - {item}" for item in items)])
