"""Prototype banks: features, captions and thumbnails of real tissue, and how those that fit a prompt are found.

:func:`build_bank` makes one from any suite, :func:`load_bank` reads one from its directory, :func:`import_rag`
converts the released ``RAG_8K`` folder. ``unipath-bench prototypes`` does the same on the command line. See
docs/prototypes.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reference_model.bank.build import BuildOptions, build_bank
    from reference_model.bank.card import BankCard
    from reference_model.bank.prototype_bank import PrototypeBank, load_bank
    from reference_model.bank.rag import import_rag

_HOMES = {
    "BankCard": "card",
    "BuildOptions": "build",
    "PrototypeBank": "prototype_bank",
    "build_bank": "build",
    "import_rag": "rag",
    "load_bank": "prototype_bank",
}

__all__ = ["BankCard", "BuildOptions", "PrototypeBank", "build_bank", "import_rag", "load_bank"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"reference_model.bank.{_HOMES[name]}"), name)
