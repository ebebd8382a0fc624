"""Loading diffusers pipelines and LoRA weights, and what their call returns as 8-bit images."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unipath_bench.contracts import Context, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import GeneratorError, UsageError
from unipath_bench.generators._hub import HubCommit, LocalFiles, Source, explain, local_copy, where

DTYPES = ("auto", "float32", "float16", "bfloat16")
"""``auto`` is bfloat16 on CUDA and float32 elsewhere."""

_BROKEN = (OSError, ValueError, ImportError, AttributeError, TypeError, KeyError)


def torch_dtype(name: str, context: Context) -> Any:
    """The ``torch.dtype`` that one of :data:`DTYPES` means on the run's device."""
    import torch

    if name == "auto":
        name = "bfloat16" if context.device.startswith("cuda") else "float32"
    return getattr(torch, name)


def load_pipeline(
    source: Source,
    context: Context,
    dtype: str,
    *,
    remote_code: bool = False,
    code: Source | None = None,
    components: Mapping[str, Any] | None = None,
) -> Any:
    """The pipeline on the CPU, from safetensors, without safety checker and watermark.

    ``remote_code``: run the Python code that lies with the weights, or in ``code`` (``pipeline.py``), from the files of
    the pinned commit alone. ``components``: parts that the repository leaves to the user.
    """
    index = _locate_index(source, context)
    name, more = str(index.parent), dict(components or {})
    if remote_code:
        name = str(local_copy(source, context, "model"))
        more["trust_remote_code"] = True
        if code is not None:
            more["custom_pipeline"] = str(local_copy(code, context, "pipeline code", ("*.py",)))
            # Diffusers runs every local pipeline.py in one module, where the class of an earlier one would be left.
            sys.modules.pop("diffusers_modules.local.pipeline", None)
    elif isinstance(source, HubCommit):
        name = source.repository
        more |= where(source, context)
    from diffusers import DiffusionPipeline

    more |= _without_safety_checker(index)
    try:
        pipeline = DiffusionPipeline.from_pretrained(
            name, dtype=torch_dtype(dtype, context), use_safetensors=True, **more
        )
    except _BROKEN as error:
        raise explain(error, source, "model") from error
    if getattr(pipeline, "watermark", None) is not None:
        pipeline.watermark = None
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def add_lora(pipeline: Any, lora: Source, scale: float, context: Context) -> None:
    """Load LoRA weights into the pipeline, times ``scale``. Raises :class:`UsageError` where it takes none."""
    if not hasattr(pipeline, "load_lora_weights"):
        raise UsageError(f"{type(pipeline).__name__} takes no LoRA weights.", "Leave lora out.")
    name = "lora"
    try:
        if isinstance(lora, HubCommit):
            pipeline.load_lora_weights(lora.repository, use_safetensors=True, adapter_name=name, **where(lora, context))
        else:
            pipeline.load_lora_weights(
                str(lora.path.parent), weight_name=lora.path.name, use_safetensors=True, adapter_name=name
            )
        pipeline.set_adapters([name], [scale])
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise explain(error, lora, "LoRA") from error


def to_uint8(image: np.ndarray[Any, Any], request: Request) -> RGBImage:
    """A pipeline's image, uint8 or in [0, 1], as uint8. Raises :class:`GeneratorError` for NaN and infinite pixels."""
    if image.dtype == np.uint8:
        return image
    if not np.isfinite(image).all():
        raise GeneratorError(
            f"The pipeline returned NaN or infinite pixels for {request.sample_id} (replicate {request.replicate}).",
            "Half precision often is the reason: give --model-arg dtype=float32.",
        )
    return np.clip(np.rint(image * 255.0), 0, 255).astype(np.uint8)


def _locate_index(source: Source, context: Context) -> Path:
    """The pipeline's ``model_index.json``, fetched first: a Hub that refuses is known before torch is imported."""
    if isinstance(source, LocalFiles):
        return source.path / "model_index.json"
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(source.repository, "model_index.json", **where(source, context)))  # nosec B615
    except (OSError, ValueError) as error:
        raise explain(error, source, "model") from error


def _without_safety_checker(index: Path) -> dict[str, Any]:
    entries = json.loads(index.read_text(encoding="utf-8"))
    off = {"safety_checker": None, "requires_safety_checker": False}
    return {name: value for name, value in off.items() if name in entries}
