"""Diffusers pipelines small enough for a test: random weights, tokenizers made on the spot, no download."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    PixArtAlphaPipeline,
    PixArtTransformer2DModel,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer


def save_unet_pipeline(folder: Path) -> Path:
    """A Stable Diffusion pipeline (UNet, CLIP text encoder), with a scheduler that draws noise at every step."""
    torch.manual_seed(0)
    letters = list(string.ascii_lowercase + "&0123456789")
    words = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={w: i for i, w in enumerate(words)}, merges=[], model_max_length=16)
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=16, bos_token_id=len(words) - 2, eos_token_id=len(words) - 1,
            pad_token_id=len(words) - 1,
        )
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=16, norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        vae=_autoencoder(), text_encoder=text, tokenizer=tokenizer, unet=unet,
        scheduler=EulerAncestralDiscreteScheduler(steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def save_transformer_pipeline(folder: Path) -> Path:
    """A PixArt-alpha pipeline (diffusion transformer, T5 text encoder)."""
    torch.manual_seed(1)
    pieces = ["<pad>", "</s>", "<unk>", "▁", *string.ascii_letters, "&", " "]
    tokenizer = T5Tokenizer(vocab=[(piece, -float(i)) for i, piece in enumerate(pieces)], extra_ids=0)
    text = T5EncoderModel(T5Config(vocab_size=len(pieces), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2))
    transformer = PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=1,
        cross_attention_dim=16, sample_size=8, patch_size=2, caption_channels=16, norm_num_groups=4,
        num_embeds_ada_norm=1000,
    )  # fmt: skip
    pipeline = PixArtAlphaPipeline(
        tokenizer=tokenizer, text_encoder=text, vae=_autoencoder(), transformer=transformer,
        scheduler=DPMSolverMultistepScheduler(),
    )  # fmt: skip
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(4, 8), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4, norm_num_groups=2, sample_size=16,
    )  # fmt: skip
