"""UniPath's forward path in plain torch, written from its description: what the pipeline's parity is tested against.

Weights are a flat dictionary in the released checkpoint's own key names. Nothing of the project, of diffusers or of
transformers is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Sizes:
    """Sizes of a small model of the same architecture."""

    hidden: int = 32
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    intermediate: int = 48
    vocabulary: int = 90
    theta: float = 1e6
    rms_eps: float = 1e-6
    vision_hidden: int = 16
    vision_layers: int = 1
    vision_intermediate: int = 24
    n_query: int = 3
    query_token: int = 70
    feature: int = 10
    dit_heads: int = 2
    head_width: int = 12
    dit_layers: int = 2
    patch: int = 2
    channels: int = 16
    sample: int = 8
    interpolation: float = 0.5

    @property
    def width(self) -> int:
        return self.dit_heads * self.head_width


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", torch.zeros(()))


# The language model: a pre-norm decoder with rotary positions, grouped keys and values, and a gated feed-forward.


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return weight * x / torch.sqrt((x * x).mean(dim=-1, keepdim=True) + eps)


def rotate(x: Tensor, theta: float) -> Tensor:
    """(heads, L, width): each pair (i, i + width/2) turned by position times theta^(-2i/width)."""
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[1])[:, None] * theta ** (-torch.arange(half) * 2.0 / x.shape[-1])
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin()], dim=-1)


def last_hidden(weights: Weights, embeds: Tensor, sizes: Sizes, hidden_keys: tuple[int, ...] = ()) -> Tensor:
    """One sequence (L, hidden) to the normed last hidden layer; no position sees those after it or ``hidden_keys``."""
    length, head = len(embeds), sizes.hidden // sizes.heads
    allowed = torch.ones(length, length, dtype=torch.bool).tril()
    allowed[:, list(hidden_keys)] = False
    x = embeds
    for layer in range(sizes.layers):
        name = f"model.layers.{layer}"
        y = rms_norm(x, weights[f"{name}.input_layernorm.weight"], sizes.rms_eps)
        q, k, v = (
            linear(weights, f"{name}.self_attn.{part}_proj", y).reshape(length, -1, head).transpose(0, 1)
            for part in "qkv"
        )
        q, k = rotate(q, sizes.theta), rotate(k, sizes.theta)
        k, v = (t.repeat_interleave(sizes.heads // sizes.kv_heads, dim=0) for t in (k, v))
        scores = (q @ k.transpose(1, 2) / math.sqrt(head)).masked_fill(~allowed, -torch.inf)
        read = (scores.softmax(dim=-1) @ v).transpose(0, 1).reshape(length, -1)
        x = x + linear(weights, f"{name}.self_attn.o_proj", read)
        y = rms_norm(x, weights[f"{name}.post_attention_layernorm.weight"], sizes.rms_eps)
        gate = F.silu(linear(weights, f"{name}.mlp.gate_proj", y))
        x = x + linear(weights, f"{name}.mlp.down_proj", gate * linear(weights, f"{name}.mlp.up_proj", y))
    return rms_norm(x, weights["model.norm.weight"], sizes.rms_eps)


def semantic_tokens(weights: Weights, chat: list[int], sizes: Sizes, *, short_mask: bool = False) -> Tensor:
    """(n_query, hidden): the chat turn, the query token, the queries; the last hidden layer at the queries."""
    table = weights["model.embed_tokens.weight"]
    queries = weights["model.latent_queries"][0]
    embeds = torch.cat([table[torch.tensor([*chat, sizes.query_token])], queries])
    hidden_keys = (len(embeds) - 1,) if short_mask else ()
    return last_hidden(weights, embeds, sizes, hidden_keys)[-len(queries) :]


def context(
    weights: Weights, text: list[int], semantic: Tensor, features: Tensor, text_places: int, places: int
) -> tuple[Tensor, Tensor]:
    """[raw text | semantic tokens | prototypes] of one prompt, (S, hidden), and the mask (S,)."""
    raw = weights["model.embed_tokens.weight"][torch.tensor(text, dtype=torch.long)]
    hidden = linear(weights, "model.prototype_projector.0", features)
    hidden = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))
    prototypes = linear(weights, "model.prototype_projector.2", hidden)
    width = raw.shape[1]
    parts = [
        raw,
        torch.zeros(text_places - len(raw), width),
        semantic,
        prototypes,
        torch.zeros(places - len(prototypes), width),
    ]
    lengths = [len(p) for p in parts]
    mask = torch.cat([torch.full((n,), float(i in (0, 2, 3))) for i, n in enumerate(lengths)])
    return torch.cat(parts), mask


# The diffusion transformer: PixArt's blocks, modulated by one shared embedding of the timestep.


def sinusoid(positions: Tensor, width: int) -> Tensor:
    """(n,) to (n, width): sines, then cosines, at frequencies 10000^(-i / (width/2))."""
    frequencies = 10000.0 ** -(torch.arange(width // 2, dtype=torch.float64) / (width / 2))
    angles = positions.double()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def position_embedding(sizes: Sizes, side: int) -> Tensor:
    """(side^2, width): the column's sinusoid, then the row's, on the grid of the training size, stretched."""
    base = sizes.sample // sizes.patch
    places = torch.arange(side, dtype=torch.float32) / (side / base) / sizes.interpolation
    rows, columns = places.repeat_interleave(side), places.repeat(side)
    halves = [sinusoid(columns, sizes.width // 2), sinusoid(rows, sizes.width // 2)]
    return torch.cat(halves, dim=1).float()


def layer_norm(x: Tensor) -> Tensor:
    x = x - x.mean(dim=-1, keepdim=True)
    return x / torch.sqrt((x * x).mean(dim=-1, keepdim=True) + 1e-6)


def attend(weights: Weights, name: str, x: Tensor, read: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """(T, width) attending to (S, width); ``bias`` (S,) is added to the scores."""
    q, k, v = (
        linear(weights, f"{name}.to_{part}", source).reshape(len(source), heads, -1).transpose(0, 1)
        for part, source in (("q", x), ("k", read), ("v", read))
    )
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    return linear(weights, f"{name}.to_out.0", (scores.softmax(dim=-1) @ v).transpose(0, 1).reshape(len(x), -1))


def dit(weights: Weights, latent: Tensor, timestep: int, embeds: Tensor, mask: Tensor, sizes: Sizes) -> Tensor:
    """One latent (C, H, W) to its velocity; the context (S, hidden) with its mask (S,)."""
    name, p, side = "model.dit.model", sizes.patch, latent.shape[1] // sizes.patch
    patches = latent.reshape(sizes.channels, side, p, side, p).permute(1, 3, 0, 2, 4).reshape(side * side, -1)
    kernel = weights[f"{name}.pos_embed.proj.weight"].reshape(sizes.width, -1)
    x = patches @ kernel.T + weights[f"{name}.pos_embed.proj.bias"] + position_embedding(sizes, side)

    frequencies = torch.exp(-math.log(10000.0) * torch.arange(128) / 128)
    time = torch.cat([(timestep * frequencies).cos(), (timestep * frequencies).sin()])
    embedder = f"{name}.adaln_single.emb.timestep_embedder"
    time = linear(weights, f"{embedder}.linear_2", F.silu(linear(weights, f"{embedder}.linear_1", time)))
    shared = linear(weights, f"{name}.adaln_single.linear", F.silu(time)).reshape(6, -1)

    projection = f"{name}.condition_projection"
    hidden = linear(weights, f"{projection}.linear_1", embeds)
    hidden = 0.5 * hidden * (1 + torch.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)))
    read = linear(weights, f"{projection}.linear_2", hidden)
    bias = (1 - mask) * -10000.0

    for layer in range(sizes.dit_layers):
        block = f"{name}.transformer_blocks.{layer}"
        shift1, scale1, gate1, shift2, scale2, gate2 = weights[f"{block}.scale_shift_table"] + shared
        y = layer_norm(x) * (1 + scale1) + shift1
        x = x + gate1 * attend(weights, f"{block}.attn1", y, y, sizes.dit_heads)
        x = x + attend(weights, f"{block}.attn2", x, read, sizes.dit_heads, bias)
        y = linear(weights, f"{block}.ff.net.0.proj", layer_norm(x) * (1 + scale2) + shift2)
        y = 0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)))
        x = x + gate2 * linear(weights, f"{block}.ff.net.2", y)

    shift, scale = weights[f"{name}.scale_shift_table"] + time
    x = linear(weights, f"{name}.proj_out", layer_norm(x) * (1 + scale) + shift)
    x = x.reshape(side, side, p, p, sizes.channels).permute(4, 0, 2, 1, 3)
    return x.reshape(sizes.channels, side * p, side * p)


def sample(
    weights: Weights, noise: Tensor, embeds: Tensor, mask: Tensor, sizes: Sizes, *, steps: int, guidance: float
) -> Tensor:
    """Euler steps from noise (C, H, W) at sigma 1 to 0, with the null context all zeros under the same mask."""
    latent = noise
    for i in range(steps):
        sigma, following = (steps - i) / steps, (steps - i - 1) / steps
        timestep = (1000 * (steps - i)) // steps
        null = dit(weights, latent, timestep, torch.zeros_like(embeds), mask, sizes)
        conditional = dit(weights, latent, timestep, embeds, mask, sizes)
        latent = latent + (following - sigma) * (null + guidance * (conditional - null))
    return latent


def layout(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Every tensor of a released checkpoint without its autoencoder: name to shape."""
    shapes: dict[str, tuple[int, ...]] = {}

    def put_linear(name: str, inputs: int, outputs: int, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs)
        if bias:
            shapes[f"{name}.bias"] = (outputs,)

    head = sizes.hidden // sizes.heads
    shapes["model.embed_tokens.weight"] = (sizes.vocabulary, sizes.hidden)
    shapes["lm_head.weight"] = (sizes.vocabulary, sizes.hidden)
    shapes["model.norm.weight"] = (sizes.hidden,)
    for i in range(sizes.layers):
        name = f"model.layers.{i}"
        shapes[f"{name}.input_layernorm.weight"] = (sizes.hidden,)
        shapes[f"{name}.post_attention_layernorm.weight"] = (sizes.hidden,)
        put_linear(f"{name}.self_attn.q_proj", sizes.hidden, sizes.hidden)
        put_linear(f"{name}.self_attn.k_proj", sizes.hidden, sizes.kv_heads * head)
        put_linear(f"{name}.self_attn.v_proj", sizes.hidden, sizes.kv_heads * head)
        put_linear(f"{name}.self_attn.o_proj", sizes.hidden, sizes.hidden, bias=False)
        put_linear(f"{name}.mlp.gate_proj", sizes.hidden, sizes.intermediate, bias=False)
        put_linear(f"{name}.mlp.up_proj", sizes.hidden, sizes.intermediate, bias=False)
        put_linear(f"{name}.mlp.down_proj", sizes.intermediate, sizes.hidden, bias=False)

    vision, merged = sizes.vision_hidden, 4 * sizes.vision_hidden
    shapes["visual.patch_embed.proj.weight"] = (vision, 3, 2, 14, 14)
    for i in range(sizes.vision_layers):
        name = f"visual.blocks.{i}"
        for part in ("norm1", "norm2"):
            shapes[f"{name}.{part}.weight"] = (vision,)
        put_linear(f"{name}.attn.qkv", vision, 3 * vision)
        put_linear(f"{name}.attn.proj", vision, vision)
        put_linear(f"{name}.mlp.gate_proj", vision, sizes.vision_intermediate)
        put_linear(f"{name}.mlp.up_proj", vision, sizes.vision_intermediate)
        put_linear(f"{name}.mlp.down_proj", sizes.vision_intermediate, vision)
    shapes["visual.merger.ln_q.weight"] = (vision,)
    put_linear("visual.merger.mlp.0", merged, merged)
    put_linear("visual.merger.mlp.2", merged, sizes.hidden)

    shapes["model.latent_queries"] = (1, sizes.n_query, sizes.hidden)
    put_linear("model.prototype_projector.0", sizes.feature, sizes.hidden)
    put_linear("model.prototype_projector.2", sizes.hidden, sizes.hidden)

    name, width = "model.dit.model", sizes.width
    shapes[f"{name}.condition_projection.uncond_embedding"] = (1, sizes.hidden)
    put_linear(f"{name}.condition_projection.linear_1", sizes.hidden, width)
    put_linear(f"{name}.condition_projection.linear_2", width, width)
    shapes[f"{name}.pos_embed.proj.weight"] = (width, sizes.channels, sizes.patch, sizes.patch)
    shapes[f"{name}.pos_embed.proj.bias"] = (width,)
    put_linear(f"{name}.adaln_single.emb.timestep_embedder.linear_1", 256, width)
    put_linear(f"{name}.adaln_single.emb.timestep_embedder.linear_2", width, width)
    put_linear(f"{name}.adaln_single.linear", width, 6 * width)
    shapes[f"{name}.scale_shift_table"] = (2, width)
    put_linear(f"{name}.proj_out", width, sizes.patch**2 * sizes.channels)
    for i in range(sizes.dit_layers):
        block = f"{name}.transformer_blocks.{i}"
        shapes[f"{block}.scale_shift_table"] = (6, width)
        for attention in ("attn1", "attn2"):
            for part in ("to_q", "to_k", "to_v", "to_out.0"):
                put_linear(f"{block}.{attention}.{part}", width, width)
        put_linear(f"{block}.ff.net.0.proj", width, 4 * width)
        put_linear(f"{block}.ff.net.2", 4 * width, width)
    return shapes


def random_weights(sizes: Sizes, seed: int = 0) -> Weights:
    """A checkpoint in upstream's layout with every tensor random: norms around 1, embeddings and queries wide."""
    generator = torch.Generator().manual_seed(seed)
    weights: Weights = {}
    for name, shape in layout(sizes).items():
        scale = 1.0 if name in ("model.embed_tokens.weight", "model.latent_queries") else 0.15
        around = 1.0 if "norm" in name or "ln_q" in name else 0.0
        weights[name] = around + scale * torch.randn(shape, generator=generator)
    return weights
