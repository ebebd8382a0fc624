"""Diffusers pipelines small enough for a test: random weights, tokenizers made on the spot, no download."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PixArtAlphaPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    SanaPipeline,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

WIDTH = 16
"""Of every text encoder."""


def save_unet_pipeline(folder: Path, factor: int = 2) -> Path:
    """Stable Diffusion (UNet, CLIP text encoder), with a scheduler that draws noise at every step."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
    )
    pipeline = StableDiffusionPipeline(
        vae=autoencoder(factor),
        text_encoder=CLIPTextModel(clip_text(tokenizer)),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=EulerAncestralDiscreteScheduler(steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _save(pipeline, folder)


def save_transformer_pipeline(folder: Path, factor: int = 2) -> Path:
    """PixArt-alpha (diffusion transformer, T5 text encoder)."""
    return _save_pixart(PixArtAlphaPipeline, folder, factor)


def save_pixart_sigma_pipeline(folder: Path, factor: int = 2) -> Path:
    """PixArt-Sigma (diffusion transformer, T5 text encoder)."""
    return _save_pixart(PixArtSigmaPipeline, folder, factor)


def save_sd3_pipeline(folder: Path, factor: int = 2) -> Path:
    """Stable Diffusion 3 (multimodal transformer, two CLIP text encoders and T5, flow matching)."""
    torch.manual_seed(2)
    clips = [clip_tokenizer(), clip_tokenizer()]
    pieces = t5_tokenizer()
    transformer = SD3Transformer2DModel(
        sample_size=32,
        patch_size=2,
        in_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=2 * WIDTH,
        caption_projection_dim=16,
        pooled_projection_dim=2 * WIDTH,
        out_channels=4,
        pos_embed_max_size=32,
    )
    pipeline = StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(factor, flow=True),
        text_encoder=CLIPTextModelWithProjection(clip_text(clips[0])),
        tokenizer=clips[0],
        text_encoder_2=CLIPTextModelWithProjection(clip_text(clips[1])),
        tokenizer_2=clips[1],
        text_encoder_3=t5_encoder(pieces, 2 * WIDTH),
        tokenizer_3=pieces,
    )
    return _save(pipeline, folder)


def save_sana_pipeline(folder: Path, factor: int = 2) -> Path:
    """Sana (linear transformer, Gemma 2 text encoder, deep-compression autoencoder)."""
    torch.manual_seed(3)
    letters = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", *string.ascii_letters, *string.digits, "&", ",", ".", "\n"]
    tokenizer = GemmaTokenizer(vocab={piece: i for i, piece in enumerate(letters)}, merges=[])
    text = Gemma2Model(
        Gemma2Config(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
            query_pre_attn_scalar=8,
        )
    )
    blocks = factor.bit_length()
    vae = AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types="ResBlock",
        decoder_block_types="ResBlock",
        encoder_block_out_channels=(4,) * blocks,
        decoder_block_out_channels=(4,) * blocks,
        encoder_layers_per_block=(1,) * blocks,
        decoder_layers_per_block=(1,) * blocks,
        encoder_qkv_multiscales=((),) * blocks,
        decoder_qkv_multiscales=((),) * blocks,
        scaling_factor=0.41407,
    )
    transformer = SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=1,
        num_cross_attention_heads=2,
        cross_attention_head_dim=8,
        cross_attention_dim=16,
        caption_channels=WIDTH,
        sample_size=32,
        patch_size=1,
    )
    pipeline = SanaPipeline(
        tokenizer=tokenizer,
        text_encoder=text,
        vae=vae,
        transformer=transformer,
        scheduler=DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
    )
    return _save(pipeline, folder)


def save_flux_pipeline(folder: Path, factor: int = 2) -> Path:
    """FLUX.1 (packed 2 x 2 latents, CLIP and T5 text encoders, guidance as an input of the network)."""
    torch.manual_seed(4)
    clip, pieces = clip_tokenizer(), t5_tokenizer()
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        guidance_embeds=True,
        axes_dims_rope=(4, 2, 2),
    )
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(factor, flow=True),
        text_encoder=CLIPTextModel(clip_text(clip)),
        tokenizer=clip,
        text_encoder_2=t5_encoder(pieces, WIDTH),
        tokenizer_2=pieces,
        transformer=transformer,
    )
    return _save(pipeline, folder)


FAMILIES: dict[str, tuple[Callable[[Path, int], Path], dict[str, object]]] = {
    "unet": (save_unet_pipeline, {}),
    "sd3": (save_sd3_pipeline, {"max_sequence_length": 32}),
    "pixart-sigma": (
        save_pixart_sigma_pipeline,
        {"use_resolution_binning": False, "clean_caption": False, "max_sequence_length": 32},
    ),
    "sana": (
        save_sana_pipeline,
        {"use_resolution_binning": False, "complex_human_instruction": None, "max_sequence_length": 64},
    ),
    "flux": (save_flux_pipeline, {"max_sequence_length": 32}),
}
"""How to save each family, and the arguments of its call that a tiny one needs (its sizes are in no table of bins)."""


def clip_tokenizer() -> CLIPTokenizer:
    """One token a character, at most 64."""
    letters = list(string.ascii_lowercase + "&0123456789")
    words = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={w: i for i, w in enumerate(words)}, merges=[], model_max_length=64)


def clip_text(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    """Of a text encoder for that tokenizer."""
    size = len(tokenizer)
    return CLIPTextConfig(
        vocab_size=size,
        hidden_size=WIDTH,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        bos_token_id=size - 2,
        eos_token_id=size - 1,
        pad_token_id=size - 1,
        projection_dim=WIDTH,
    )


def t5_tokenizer() -> T5Tokenizer:
    """One token a letter."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *string.ascii_letters, "&", " "]
    return T5Tokenizer(vocab=[(piece, -float(i)) for i, piece in enumerate(pieces)], extra_ids=0)


def t5_encoder(tokenizer: T5Tokenizer, width: int) -> T5EncoderModel:
    """A text encoder for that tokenizer."""
    return T5EncoderModel(
        T5Config(vocab_size=len(tokenizer), d_model=width, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    )


def autoencoder(factor: int = 2, *, flow: bool = False) -> AutoencoderKL:
    """Four latent channels, ``factor`` (a power of two) pixels a latent; ``flow``: as flow-matching models have it."""
    blocks = factor.bit_length()
    more = {"shift_factor": 0.0609, "use_quant_conv": False, "use_post_quant_conv": False} if flow else {}
    return AutoencoderKL(
        block_out_channels=(4,) * (blocks - 1) + (8,),
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=16,
        **more,
    )


def _save_pixart(kind: type[PixArtAlphaPipeline | PixArtSigmaPipeline], folder: Path, factor: int) -> Path:
    torch.manual_seed(1)
    tokenizer = t5_tokenizer()
    text = t5_encoder(tokenizer, WIDTH)
    transformer = PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=1,
        cross_attention_dim=16,
        sample_size=8,
        patch_size=2,
        caption_channels=WIDTH,
        norm_num_groups=4,
        num_embeds_ada_norm=1000,
        use_additional_conditions=False,
    )
    pipeline = kind(
        tokenizer=tokenizer,
        text_encoder=text,
        vae=autoencoder(factor),
        transformer=transformer,
        scheduler=DPMSolverMultistepScheduler(),
    )
    return _save(pipeline, folder)


def _save(pipeline: object, folder: Path) -> Path:
    pipeline.save_pretrained(folder, safe_serialization=True)  # type: ignore[attr-defined]
    return folder
