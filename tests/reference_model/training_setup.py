"""A training in miniature: tiles reduced to 16 px, two layers, a few steps a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from reference_model.training.config import TrainingConfig
from reference_model.training.stages import Training
from unipath_bench.core.progress import Silent


def phantom(seed: int, train: int) -> dict[str, Any]:
    """A phantom suite of 48 px tiles, the smallest there are."""
    arguments = {"train": train, "test": 1, "tiles_per_patient": 1, "paraphrases": 0, "size": 48, "seed": seed}
    return {"name": "phantom", "arguments": arguments}


def schedule(steps: int, **changes: Any) -> dict[str, Any]:
    return {"steps": steps, "batch_size": 4, "rate": 1e-3, "warmup": 1, "save_every": 100, "report_every": 1, **changes}


def configuration(**changes: Any) -> TrainingConfig:
    """A configuration of every stage; ``changes`` replace top-level parts."""
    parts: dict[str, Any] = {
        "name": "miniature",
        "seed": 3,
        "stored_as": "float16",
        "micro_batch": 3,
        "data": {"suite": phantom(301, 70), "tiles": 70, "side": 16, "captions": 2, "hidden": {"deposit": 0.5}},
        "code": {
            "kind": "patch",
            "width": 8,
            "pixel_width": 8,
            "blocks": 1,
            "fitted_to": 32,
            "schedule": schedule(3, ema=0.9),
        },
        "language": {
            "kind": "tiny",
            "hidden_size": 16,
            "layers": 1,
            "heads": 2,
            "vocabulary_captions": 400,
            "schedule": schedule(3),
        },
        "vision": {"width": 8, "schedule": schedule(3)},
        "bank": {
            "suite": phantom(302, 24),
            "encoder": "texture",
            "retrieval": "none",
            "size": 12,
            "thumbnail": 8,
            "least_count": 2,
            "rule": {"keywords": 3},
        },
        "transformer": {
            "heads": 2,
            "head_width": 8,
            "layers": 2,
            "n_query": 10,
            "max_text_tokens": 96,
            "max_prototypes": 6,
        },
        "flow": {"neighbours": 0.5, "schedule": schedule(6, ema=0.9, decay=0.5)},
    }
    return TrainingConfig.model_validate({**parts, **changes})


def training(folder: Path, config: TrainingConfig | None = None) -> Training:
    """The training of ``config`` in ``folder``, in one process on the CPU."""
    torch.use_deterministic_algorithms(True)
    return Training(config or configuration(), folder, Accelerator(cpu=True), Silent())
