"""Small networks with random weights, saved as the repositories of the panel's encoders hold their own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from unipath_bench.encoders import keep, open_clip, timm, transformers
from unipath_bench.encoders.panel import panel
from unipath_bench.encoders.spec import EncoderSpec

SIDE = 28

_LETTERS = [chr(ord("a") + i) for i in range(26)]


def smaller(name: str, **changes: Any) -> EncoderSpec:
    """The specification of a panel's encoder with other facts, of its own name."""
    facts = panel()[name].model_dump(exclude_unset=True)
    return EncoderSpec.model_validate({**facts, "name": f"small-{name}", "micro_batch": 4, **changes})


def small_timm(name: str) -> EncoderSpec:
    """A timm encoder of the panel 24 wide, two layers deep, with 2 x 2 patches."""
    spec = panel()[name]
    patch = 14 if "patch14" in spec.architecture and spec.options.get("patch_size") != 16 else 16
    side = 2 * patch
    options = {**spec.options, "img_size": side, "embed_dim": 24, "depth": 2, "num_heads": 2}
    return smaller(
        name,
        options=options,
        dimension=48 if spec.pooling == "class+patch-mean" else 24,
        input_size=side,
        resize_to=side + 4 if spec.resize_to else None,
        sha256=None,
    )


def small_vision() -> EncoderSpec:
    """Phikon-v2's kind, 16 wide and two layers deep."""
    options = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "patch_size": 14,
        "image_size": SIDE,
    }
    return smaller("phikon-v2", options=options, dimension=16, input_size=SIDE, sha256=None)


def small_clip() -> EncoderSpec:
    """PLIP's kind with an 8-d space and texts of letters."""
    shared = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    tokens = _clip_vocabulary()
    text = {
        "vocab_size": len(tokens),
        "max_position_embeddings": 40,
        "bos_token_id": tokens["<|startoftext|>"],
        "eos_token_id": tokens["<|endoftext|>"],
    }
    options = {
        "projection_dim": 8,
        "text_config": {**shared, **text},
        "vision_config": {**shared, "image_size": 32, "patch_size": 16},
    }
    return smaller("plip", options=options, dimension=8, input_size=32, sha256=None)


def small_open_clip() -> EncoderSpec:
    """QuiltNet's kind with an 8-d space."""
    options = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
        "text_cfg": {"width": 16, "heads": 2, "layers": 2},
    }
    return smaller("quiltnet", options=options, dimension=8, input_size=32, sha256=None)


def small_biomedclip() -> EncoderSpec:
    """BiomedCLIP's kind with its real vision tower's family at the smallest size, and a tiny BERT."""
    bert = {
        "model_type": "bert",
        "vocab_size": 5 + 2 * 26,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 64,
    }
    options = {
        **panel()["biomedclip"].options,
        "embed_dim": 8,
        "vision_cfg": {**panel()["biomedclip"].options["vision_cfg"], "timm_model_name": "vit_tiny_patch16_224"},
        "text_cfg": {**panel()["biomedclip"].options["text_cfg"], "hf_config": bert, "context_length": 24},
    }
    return smaller("biomedclip", options=options, dimension=8, sha256=None)


def small_keep() -> EncoderSpec:
    """KEEP's kind with an 8-d space."""
    options = {
        "vision": {**panel()["keep"].options["vision"], "img_size": 32, "embed_dim": 24, "depth": 2, "num_heads": 2},
        "text": {
            "vocab_size": 5 + 2 * 26,
            "hidden_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "max_position_embeddings": 64,
        },
        "context_length": 24,
    }
    return smaller("keep", options=options, dimension=8, input_size=32, sha256=None)


def save(spec: EncoderSpec, folder: Path) -> str:
    """Write random weights and every other file of ``spec`` into ``folder``; returns the SHA-256 of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = {"timm": timm, "transformers": transformers, "open_clip": open_clip, "keep": keep}[
        spec.loader
    ].build_network(spec)
    state = {key: value.detach().clone() for key, value in network.state_dict().items()}
    if spec.loader == "transformers":
        network.config.save_pretrained(folder)
    if spec.loader == "keep":
        state = {
            k.replace(".ls1.gamma", ".ls1.weight").replace(".ls2.gamma", ".ls2.weight"): v for k, v in state.items()
        }
    if "vocab.json" in spec.files:
        (folder / "vocab.json").write_text(json.dumps(_clip_vocabulary()))
        (folder / "merges.txt").write_text("#version: 0.2\n")
    if "vocab.txt" in spec.files:
        _save_bert_tokenizer(folder)
    path = folder / spec.weights
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _clip_vocabulary() -> dict[str, int]:
    tokens = [*_LETTERS, *(letter + "</w>" for letter in _LETTERS), "<|startoftext|>", "<|endoftext|>"]
    return {token: i for i, token in enumerate(tokens)}


def _save_bert_tokenizer(folder: Path) -> None:
    from transformers import BertTokenizer

    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_LETTERS, *("##" + letter for letter in _LETTERS)]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n")
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    (folder / "special_tokens_map.json").write_text("{}")
