"""Curation: from a heap of tiles to training pairs.

Quality control, near-duplicate removal, sampling by K-means and captioning, as one resumable pipeline over any suite;
:func:`curate` runs it, ``unipath-bench curate`` does so on the command line. See docs/curation.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reference_model.curation.contracts import Captioner, CaptionError
    from reference_model.curation.pipeline import curate
    from reference_model.curation.quality import Bounds
    from reference_model.curation.records import Options, Result

_HOMES = {
    "Bounds": "quality",
    "CaptionError": "contracts",
    "Captioner": "contracts",
    "Options": "records",
    "Result": "records",
    "curate": "pipeline",
}

__all__ = ["Bounds", "CaptionError", "Captioner", "Options", "Result", "curate"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"reference_model.curation.{_HOMES[name]}"), name)
