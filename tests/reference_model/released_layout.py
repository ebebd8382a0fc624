"""A tiny checkpoint on disk as the released one is: safetensors shards, an index, a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerFast

from reference_model.tiny_language import build_tokenizer
from tests.reference_model.transcription import Sizes, Weights

VAE_PREFIX = "model.gen_vision_tower.vision_tower."


def configuration(sizes: Sizes) -> dict[str, dict[str, Any]]:
    """What differs from the full size, for ``convert(config=...)``."""
    return {
        "transformer": {
            "num_attention_heads": sizes.dit_heads,
            "attention_head_dim": sizes.head_width,
            "num_layers": sizes.dit_layers,
            "cross_attention_dim": sizes.width,
            "sample_size": sizes.sample,
            "caption_channels": sizes.hidden,
        },
        "language_model": {
            "text_config": {
                "vocab_size": sizes.vocabulary,
                "hidden_size": sizes.hidden,
                "intermediate_size": sizes.intermediate,
                "num_hidden_layers": sizes.layers,
                "num_attention_heads": sizes.heads,
                "num_key_value_heads": sizes.kv_heads,
                "rms_norm_eps": sizes.rms_eps,
                "bos_token_id": None,
                "eos_token_id": None,
                "rope_parameters": {"rope_type": "default", "rope_theta": sizes.theta, "mrope_section": [1, 1, 2]},
            },
            "vision_config": {
                "depth": sizes.vision_layers,
                "hidden_size": sizes.vision_hidden,
                "num_heads": 2,
                "intermediate_size": sizes.vision_intermediate,
                "out_hidden_size": sizes.hidden,
                "fullatt_block_indexes": [0],
            },
        },
        "semantic_tokens": {"hidden_size": sizes.hidden, "query_token_id": sizes.query_token},
        "prototype_projector": {"feature_size": sizes.feature, "hidden_size": sizes.hidden},
        "vae": {
            "block_out_channels": [8, 8],
            "down_block_types": ["DownEncoderBlock2D"] * 2,
            "up_block_types": ["UpDecoderBlock2D"] * 2,
            "layers_per_block": 1,
            "norm_num_groups": 4,
        },
        "pipeline": {"max_text_tokens": 12, "max_prototypes": 5},
    }


def small_autoencoder(sizes: Sizes) -> AutoencoderKL:
    """Stable Diffusion 3.5's autoencoder, narrow and two levels deep."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=sizes.channels,
        scaling_factor=1.5305,
        shift_factor=0.0609,
        use_quant_conv=False,
        use_post_quant_conv=False,
        **configuration(sizes)["vae"],
    )


def tokenizer_of(texts: tuple[str, ...]) -> PreTrainedTokenizerFast:
    """The word-level one of the tiny language model."""
    return build_tokenizer(texts)


def write_checkpoint(folder: Path, weights: Weights, tokenizer: PreTrainedTokenizerFast, shards: int = 3) -> None:
    """Keys dealt out over the shards in turn, so that every shard holds something of every component."""
    folder.mkdir(parents=True)
    names = [f"model-{i + 1:05d}-of-{shards:05d}.safetensors" for i in range(shards)]
    where = {key: names[i % shards] for i, key in enumerate(sorted(weights))}
    for name in names:
        held = {key: weights[key].contiguous() for key in where if where[key] == name}
        save_file(held, folder / name, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 0}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    tokenizer.save_pretrained(str(folder))
