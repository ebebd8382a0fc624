"""Bringing an offloaded component to its device before one of its parts is used.

``enable_model_cpu_offload`` moves a component when its ``forward`` is called. Code that calls a part of a component
(an embedding table, a projection) asks for the move itself, as diffusers does for a VAE's ``encode``.
"""

from __future__ import annotations

import torch
from torch import nn


def onto_device(module: nn.Module) -> torch.device:
    """Run the component's offload hook, if it has one, and return the device that its weights are on."""
    hook = getattr(module, "_hf_hook", None)
    if hook is not None and hasattr(hook, "pre_forward"):
        hook.pre_forward(module)
    return next(module.parameters()).device
