"""The converted pipeline against an independent transcription of the forward path, and fixtures derived by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from reference_model.pipeline import UniPathPipeline
from tests.reference_model import transcription as plain
from tests.reference_model.made_up_models import images_of

PROMPTS = ["solid sheets of tumour cells", "glands"]


@pytest.fixture(scope="module")
def pipeline(released: Any) -> UniPathPipeline:
    pipeline = UniPathPipeline.from_pretrained(released.converted)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def features(released: Any) -> list[Tensor]:
    """Three prototypes for one prompt and none for the other: partial masks, of five places."""
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(count, released.sizes.feature, generator=generator) for count in (3, 0)]


def chat_of(pipeline: UniPathPipeline, prompt: str) -> list[int]:
    """The tokens of UNIPATH's chat turn, spelt out; the word-level tokenizer drops the line breaks."""
    text = (
        "<|im_start|>system\nYou are a helpful pathology expert.<|im_end|>\n"
        f"<|im_start|>user\nAnalysis of my description: {prompt}<|im_end|>\n<|im_start|>assistant\n"
    )
    return list(pipeline.tokenizer(text)["input_ids"])


def transcribed(pipeline: UniPathPipeline, released: Any, features: list[Tensor], *, short: bool) -> list[Any]:
    contexts = []
    for prompt, payload in zip(PROMPTS, features, strict=True):
        semantic = plain.semantic_tokens(released.weights, chat_of(pipeline, prompt), released.sizes, short_mask=short)
        text = list(pipeline.tokenizer(prompt)["input_ids"])
        contexts.append(plain.context(released.weights, text, semantic, payload, text_places=12, places=5))
    return contexts


@pytest.mark.parametrize("upstream_compat", [True, False])
def test_latents_equal_the_transcription(
    pipeline: UniPathPipeline, released: Any, features: list[Tensor], upstream_compat: bool
) -> None:
    pipeline.register_to_config(upstream_compat=upstream_compat)
    noise = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(3))
    got = images_of(
        pipeline,
        PROMPTS,
        prototypes=features,
        latents=noise,
        num_inference_steps=4,
        guidance_scale=3.0,
        output_type="latent",
    )
    contexts = transcribed(pipeline, released, features, short=upstream_compat)
    for latent, start, (embeds, mask) in zip(got, noise, contexts, strict=True):
        wanted = plain.sample(released.weights, start, embeds, mask, released.sizes, steps=4, guidance=3.0)
        assert (latent - wanted).abs().max() <= 1e-5 * wanted.abs().max().clamp(min=1)
    assert (got - noise).abs().max() > 0.1


def test_the_last_query_is_hidden_from_itself_only_in_upstreams_way(pipeline: UniPathPipeline, released: Any) -> None:
    read = {}
    for compat in (True, False):
        pipeline.register_to_config(upstream_compat=compat)
        read[compat] = pipeline.encoder().semantic(PROMPTS[:1])[0]
        chat = chat_of(pipeline, PROMPTS[0])
        wanted = plain.semantic_tokens(released.weights, chat, released.sizes, short_mask=compat)
        assert torch.allclose(read[compat], wanted, atol=1e-5)
    same = (read[True] - read[False]).abs().amax(dim=1) < 1e-5
    assert same.tolist() == [True, True, False]


def test_left_padding_gives_what_single_prompts_give(pipeline: UniPathPipeline) -> None:
    pipeline.register_to_config(upstream_compat=False)
    together = pipeline.encoder(prompt_batch=2).semantic(PROMPTS)
    alone = torch.cat([pipeline.encoder().semantic([prompt]) for prompt in PROMPTS])
    assert torch.allclose(together, alone, atol=2e-6)


def test_positions_start_where_the_padding_ends(pipeline: UniPathPipeline) -> None:
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    positions = pipeline.language.position_ids(mask)
    assert positions.tolist() == [[[0, 0, 0, 1, 2], [0, 1, 2, 3, 4]]] * 3


def test_prompts_together_lack_the_extra_token_only_in_upstreams_way(pipeline: UniPathPipeline, released: Any) -> None:
    table = released.weights["model.embed_tokens.weight"]
    queries = released.weights["model.latent_queries"][0]
    chats = [chat_of(pipeline, prompt) for prompt in PROMPTS]
    pipeline.register_to_config(upstream_compat=True)
    together = pipeline.encoder(prompt_batch=2).semantic(PROMPTS)
    for got, chat in zip(together, chats, strict=True):
        embeds = torch.cat([table[torch.tensor(chat)], queries])
        assert torch.allclose(got, plain.last_hidden(released.weights, embeds, released.sizes)[-3:], atol=1e-5)
    pipeline.register_to_config(upstream_compat=False)
    mended = pipeline.encoder(prompt_batch=2).semantic(PROMPTS)
    for got, chat in zip(mended, chats, strict=True):
        assert torch.allclose(got, plain.semantic_tokens(released.weights, chat, released.sizes), atol=1e-5)


def test_the_transformer_sees_timesteps_cut_to_integers(
    pipeline: UniPathPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise levels fall from 1 to 1/30: 1000 * 29/30 = 966.67 becomes 966, 1000 * 2/30 = 66.67 becomes 66."""
    seen: list[int] = []
    forward = pipeline.transformer.forward

    def spy(hidden: Tensor, *, timestep: Tensor, **others: Any) -> Any:
        assert timestep.dtype == torch.int64
        seen.append(int(timestep[0]))
        return forward(hidden, timestep=timestep, **others)

    monkeypatch.setattr(pipeline.transformer, "forward", spy)
    pipeline(PROMPTS[:1], streams=("text",), output_type="latent")
    assert seen[:4] == [1000, 966, 933, 900]
    assert seen[-3:] == [100, 66, 33]
    assert len(seen) == 30


def test_the_null_context_is_zeros_under_the_same_mask(
    pipeline: UniPathPipeline, features: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, Tensor]] = []
    forward = pipeline.transformer.forward

    def spy(hidden: Tensor, **others: Any) -> Any:
        calls.append(others)
        return forward(hidden, **others)

    monkeypatch.setattr(pipeline.transformer, "forward", spy)
    pipeline(
        PROMPTS,
        prototypes=features,
        num_inference_steps=1,
        output_type="latent",
        cache_context=False,
        generator=[torch.Generator().manual_seed(i) for i in range(2)],
    )
    (call,) = calls
    null, conditional = call["encoder_hidden_states"].chunk(2)
    masks = call["encoder_attention_mask"].chunk(2)
    assert torch.equal(null, torch.zeros_like(null))
    assert torch.equal(masks[0], masks[1])
    # 12 places of text, 3 queries, 5 prototypes: the first prompt has 5 tokens and 3 prototypes, the second 1 and 0.
    assert masks[1][0].int().tolist() == [1] * 5 + [0] * 7 + [1] * 3 + [1] * 3 + [0] * 2
    assert masks[1][1].int().tolist() == [1] + [0] * 11 + [1] * 3 + [0] * 5
    assert torch.equal(conditional == 0, ~masks[1].unsqueeze(-1).expand_as(conditional))
