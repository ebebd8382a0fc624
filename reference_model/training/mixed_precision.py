"""Matrix products in bfloat16, everything that is summed in float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class SinglePrecisionAttention:
    """diffusers' attention processor, the attention proper in float32 under autocast.

    PyTorch's fused attention on the CPU takes four times as long backwards in bfloat16 as in float32.
    """

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """(B, T, width) to the same; ``attention_mask``: a bias (B, 1, S)."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        projected = (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        query, key, value = (t.float().unflatten(-1, (attn.heads, -1)).transpose(1, 2) for t in projected)
        bias = None if attention_mask is None else attention_mask.float().unsqueeze(1)
        with torch.autocast(query.device.type, enabled=False):
            read = scaled_dot_product_attention(query, key, value, attn_mask=bias)
        output: Tensor = attn.to_out[1](attn.to_out[0](read.transpose(1, 2).flatten(2)))
        return output
