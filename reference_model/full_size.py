"""The released model's shape: configurations of its components, without weights."""

from __future__ import annotations

from typing import Any

TRANSFORMER: dict[str, Any] = {
    "num_attention_heads": 16,
    "attention_head_dim": 72,
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 28,
    "cross_attention_dim": 1152,
    "sample_size": 48,
    "patch_size": 2,
    "interpolation_scale": 0.5,
    "use_additional_conditions": False,
    "caption_channels": 3584,
}
"""PixArtTransformer2DModel: 610.36M parameters in 603 tensors."""

VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 16,
    "norm_num_groups": 32,
    "sample_size": 1024,
    "scaling_factor": 1.5305,
    "shift_factor": 0.0609,
    "force_upcast": True,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "mid_block_add_attention": True,
}
"""AutoencoderKL of Stable Diffusion 3.5: 16 channels, 8 pixels a latent."""

SCHEDULER: dict[str, Any] = {"num_train_timesteps": 1000, "shift": 1.0}
"""FlowMatchEulerDiscreteScheduler."""

LANGUAGE: dict[str, Any] = {
    "text_config": {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "max_position_embeddings": 128000,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0, "mrope_section": [16, 24, 24]},
    },
    "vision_config": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 3584,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "tokens_per_second": 2,
    },
    "tie_word_embeddings": False,
}
"""Qwen2_5_VLConfig of Qwen2.5-VL-7B."""

SEMANTIC_TOKENS: dict[str, Any] = {"n_query": 64, "hidden_size": 3584, "query_token_id": 151665}  # nosec B105
PROTOTYPES: dict[str, Any] = {"feature_size": 1536, "hidden_size": 3584}
INTERNAL_ENCODERS = ("conch", "uni2-h")
LICENCE = "CC-BY-NC-ND-4.0"
"""Of the released weights."""
