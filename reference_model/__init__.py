"""UniPath as a diffusers pipeline: the reference model of UniPath-Bench. Heavy modules are imported when used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reference_model.bank.protocol import Bank, Retrieved, Route
    from reference_model.context import STREAMS, Context
    from reference_model.explain import Explanation
    from reference_model.generator import UniPathGenerator
    from reference_model.pipeline import UniPathPipeline
    from reference_model.prototypes import PrototypeProjector
    from reference_model.semantic_tokens import SemanticTokens
    from reference_model.vae import PatchCode

_HOMES = {
    "STREAMS": "context",
    "Bank": "bank.protocol",
    "Context": "context",
    "Explanation": "explain",
    "PatchCode": "vae",
    "PrototypeProjector": "prototypes",
    "Retrieved": "bank.protocol",
    "Route": "bank.protocol",
    "SemanticTokens": "semantic_tokens",
    "UniPathGenerator": "generator",
    "UniPathPipeline": "pipeline",
}

__all__ = [
    "STREAMS",
    "Bank",
    "Context",
    "Explanation",
    "PatchCode",
    "PrototypeProjector",
    "Retrieved",
    "Route",
    "SemanticTokens",
    "UniPathGenerator",
    "UniPathPipeline",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"reference_model.{_HOMES[name]}"), name)
