"""What the pipeline promises about its images: the same request gives the same bytes, whatever is beside it."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reference_model.bank import prototype_bank
from reference_model.context import Stream
from reference_model.pipeline import UniPathPipeline
from tests.reference_model.made_up_models import PROMPTS, MemoryBank, generators, images_of, randomised, tiny_pipeline
from unipath_bench import DataError, MissingError, UsageError

FAST: dict[str, Any] = {"num_inference_steps": 3, "output_type": "np"}


@pytest.fixture(scope="module")
def pipeline() -> UniPathPipeline:
    return tiny_pipeline()


def digests(images: np.ndarray[Any, Any]) -> list[str]:
    """Of the exact float32 values, not only of the rounded pixels."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest() for image in images]


@pytest.mark.integration
@pytest.mark.parametrize("micro_batch", [4, 3])
def test_an_image_does_not_depend_on_its_batch_or_its_place(micro_batch: int) -> None:
    pipeline = tiny_pipeline(heads=4, head_width=40, sample_size=12, micro_batch=micro_batch)
    requests = [(PROMPTS[i % 3], 100 + i) for i in range(16)]

    def draw(chosen: list[int]) -> list[str]:
        prompts = [requests[i][0] for i in chosen]
        return digests(images_of(pipeline, prompts, generator=generators(*(requests[i][1] for i in chosen)), **FAST))

    together = draw(list(range(16)))
    assert len(set(together)) == 16
    for size in (1, 4):
        assert [d for start in range(0, 16, size) for d in draw(list(range(start, start + size)))] == together
    shuffled = [int(i) for i in np.random.default_rng(0).permutation(16)]
    assert draw(shuffled) == [together[i] for i in shuffled]


def test_the_seeds_of_a_prompt_are_what_single_calls_give(pipeline: UniPathPipeline) -> None:
    both = images_of(pipeline, list(PROMPTS[:2]), num_images_per_prompt=2, generator=generators(1, 2, 3, 4), **FAST)
    single = [
        images_of(pipeline, prompt, generator=generators(seed)[0], **FAST)[0]
        for prompt, seed in ((PROMPTS[0], 1), (PROMPTS[0], 2), (PROMPTS[1], 3), (PROMPTS[1], 4))
    ]
    assert digests(both) == digests(np.stack(single))


def test_a_prompt_is_encoded_and_looked_up_once_for_all_its_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = tiny_pipeline()
    passes: list[int] = []
    read, retrieve = pipeline.language.read, MemoryBank.retrieve
    asked: list[str] = []

    def counted_read(*a: Any, **k: Any) -> Any:
        passes.append(len(a[0]))
        return read(*a, **k)

    def counted_retrieve(self: MemoryBank, prompt: str, **k: Any) -> Any:
        asked.append(prompt)
        return retrieve(self, prompt, **k)

    monkeypatch.setattr(pipeline.language, "read", counted_read)
    monkeypatch.setattr(MemoryBank, "retrieve", counted_retrieve)
    pipeline([PROMPTS[0], PROMPTS[1], PROMPTS[0]], num_images_per_prompt=5, generator=generators(*range(15)), **FAST)
    assert passes == [1, 1]
    assert asked == [PROMPTS[0], PROMPTS[1]]


@pytest.mark.parametrize("guidance", [3.0, 1.0])
@pytest.mark.parametrize("streams", [("text", "semantic", "prototype"), ()])
def test_cached_keys_and_values_change_nothing(
    pipeline: UniPathPipeline, guidance: float, streams: tuple[str, ...]
) -> None:
    """Against the stock path; with no stream on, every place of the context is masked."""
    drawn = [
        images_of(
            pipeline,
            list(PROMPTS),
            generator=generators(1, 2, 3),
            guidance_scale=guidance,
            streams=streams,
            num_inference_steps=4,
            output_type="latent",
            cache_context=cached,
        )
        for cached in (True, False)
    ]
    assert (drawn[0] - drawn[1]).abs().max() <= 1e-6 * drawn[1].abs().max()


def test_the_transformer_keeps_its_own_processors_even_after_an_error(pipeline: UniPathPipeline) -> None:
    own = dict(pipeline.transformer.attn_processors)

    def fail(*_: Any) -> dict[str, Any]:
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        pipeline(PROMPTS[0], callback_on_step_end=fail, **FAST)
    assert pipeline.transformer.attn_processors == own


def test_each_stream_can_be_switched_off(pipeline: UniPathPipeline) -> None:
    choices: list[tuple[Stream, ...]] = [
        ("text", "semantic", "prototype"),
        ("semantic", "prototype"),
        ("text", "prototype"),
        ("text", "semantic"),
    ]
    drawn = [images_of(pipeline, PROMPTS[0], generator=generators(1), streams=c, **FAST)[0] for c in choices]
    assert len(set(digests(np.stack(drawn)))) == 4
    encoder = pipeline.encoder()
    features = pipeline.prototypes_of([PROMPTS[0]], None)
    # Places: 24 of text, 4 queries, 8 prototypes; the prompt has 5 words.
    masks = [encoder.encode([PROMPTS[0]], features, streams=c).mask[0].int() for c in choices]
    counts = [(int(m[:24].sum()), int(m[24:28].sum()), int(m[28:].sum())) for m in masks]
    assert counts == [(5, 4, 5), (0, 4, 5), (5, 0, 5), (5, 4, 0)]


def test_without_streams_the_prompt_does_not_matter(pipeline: UniPathPipeline) -> None:
    drawn = images_of(pipeline, list(PROMPTS[:2]), generator=generators(1, 1), streams=(), **FAST)
    assert np.allclose(drawn[0], drawn[1], atol=1e-5)


def test_retrieval_without_a_bank_is_an_error_and_never_random_vectors() -> None:
    pipeline = tiny_pipeline()
    pipeline.bank = None
    with pytest.raises(MissingError, match="no prototype bank"):
        pipeline(PROMPTS[0], **FAST)
    pipeline(PROMPTS[0], streams=("text", "semantic"), **FAST)


def test_repeated_calls_give_the_same_bytes(pipeline: UniPathPipeline) -> None:
    """Upstream draws keyword samples unseeded, from a set."""
    drawn = [images_of(pipeline, PROMPTS[1], generator=generators(5), **FAST)[0] for _ in range(2)]
    assert len(set(digests(np.stack(drawn)))) == 1


def test_a_prompt_past_the_limit_is_an_error_unless_cut_on_request(
    pipeline: UniPathPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    long = " ".join(["necrosis"] * 27)
    with pytest.raises(DataError, match="27 tokens, and the raw-text stream reads 24"):
        pipeline(long, **FAST)
    with caplog.at_level(logging.WARNING, "reference_model"):
        pipeline(long, truncate=True, **FAST)
    assert "3 are cut" in caplog.text
    assert len(pipeline.encoder().raw_text(" ".join(["necrosis"] * 24)).ids) == 24


def test_a_bundle_does_not_depend_on_its_company() -> None:
    """Prompts of unequal length, more than a batch holds: together, turned round, and one by one."""
    pipeline = tiny_pipeline()
    randomised(pipeline.language_model, scale=0.5)
    prompts = [" ".join(["solid sheets", *["necrosis"] * k]) for k in range(11)]
    encoder = pipeline.encoder()
    with torch.no_grad():
        bundles = encoder.expand(prompts, 6)
        assert len(set(bundles)) > 1
        assert encoder.expand(prompts[::-1], 6)[::-1] == bundles
        assert [encoder.expand([prompt], 6)[0] for prompt in prompts] == bundles


def test_expansion_is_read_and_logged_only_on_request(
    pipeline: UniPathPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "reference_model"):
        plain = images_of(pipeline, PROMPTS[0], generator=generators(1), **FAST)
        assert "Expanded" not in caplog.text
        expanded = images_of(pipeline, PROMPTS[0], generator=generators(1), expand=True, **FAST)
    assert "Expanded 'glandular pattern" in caplog.text
    assert digests(plain) != digests(expanded)


def test_strength_one_is_text_to_image_and_zero_gives_the_image_back(pipeline: UniPathPipeline) -> None:
    reference = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    streams = ("text", "semantic")
    arguments: dict[str, Any] = {**FAST, "num_inference_steps": 4, "streams": streams}
    plain = images_of(pipeline, PROMPTS[0], generator=generators(1), **arguments)
    whole = images_of(pipeline, PROMPTS[0], generator=generators(1), image=reference, strength=1.0, **arguments)
    assert digests(plain) == digests(whole)

    pixels = torch.from_numpy(reference).permute(2, 0, 1)[None].float() / 127.5 - 1
    seen = pipeline.vae(pixels).detach().clamp(-1, 1)[0].permute(1, 2, 0) / 2 + 0.5
    image = Image.fromarray(reference)
    none = images_of(pipeline, PROMPTS[0], generator=generators(1), image=image, strength=0.0, **arguments)
    assert np.allclose(none[0], seen.numpy(), atol=1e-5)

    steps: list[int] = []

    def count(_: UniPathPipeline, index: int, *__: Any) -> dict[str, Any]:
        steps.append(index)
        return {}

    half = images_of(
        pipeline,
        PROMPTS[0],
        generator=generators(1),
        image=reference,
        strength=0.5,
        callback_on_step_end=count,
        **arguments,
    )
    assert steps == [0, 1]
    distance = [np.abs(result - seen.numpy()).mean() for result in (none[0], half[0], plain[0])]
    assert distance[0] < distance[1] < distance[2]


def test_the_images_own_prototype_comes_first(pipeline: UniPathPipeline) -> None:
    image = Image.new("RGB", (32, 32), (255, 0, 51))
    (features,) = pipeline.prototypes_of([PROMPTS[2]], [image])
    assert features.shape == (2, 12)
    assert np.allclose(features[0, :3], [1, 0, 0.2])
    assert np.array_equal(features[1], MemoryBank().features_of("hemorrhage"))


def test_explicit_prototypes_stand_in_for_the_banks(pipeline: UniPathPipeline) -> None:
    assert pipeline.bank is not None
    found = pipeline.bank.retrieve(PROMPTS[0], limit=8)
    drawn = [
        images_of(pipeline, PROMPTS[0], generator=generators(1), prototypes=given, **FAST)[0]
        for given in (None, found, found.features, [torch.from_numpy(found.features)], np.zeros((0, 12), np.float32))
    ]
    assert digests(np.stack(drawn[1:4])) == digests(drawn[0][None]) * 3
    assert digests(drawn[4][None]) != digests(drawn[0][None])
    with pytest.raises(DataError, match="9 prototypes for one prompt; the model has places for 8"):
        pipeline(PROMPTS[0], prototypes=np.zeros((9, 12), np.float32), **FAST)
    with pytest.raises(DataError, match="the model reads width 12"):
        pipeline(PROMPTS[0], prototypes=np.zeros((1, 11), np.float32), **FAST)


def test_a_callback_can_change_the_latents_and_stop(pipeline: UniPathPipeline) -> None:
    def first_only(pipe: UniPathPipeline, index: int, _: torch.Tensor, tensors: dict[str, torch.Tensor]) -> Any:
        pipe.interrupt = True
        return {"latents": torch.full_like(tensors["latents"], float(index + 2))}

    latents = images_of(pipeline, PROMPTS[0], callback_on_step_end=first_only, output_type="latent")
    assert torch.equal(latents, torch.full((1, 16, 8, 8), 2.0))


def test_output_types_hold_the_same_image(pipeline: UniPathPipeline) -> None:
    values = images_of(pipeline, PROMPTS[0], generator=generators(1), **FAST)
    arguments: dict[str, Any] = {"generator": generators(1), "num_inference_steps": 3}
    tensor = images_of(pipeline, PROMPTS[0], **{**arguments, "generator": generators(1)}, output_type="pt")
    (pil,) = pipeline(PROMPTS[0], **arguments, return_dict=False)[0]
    assert np.array_equal(tensor[0].permute(1, 2, 0).numpy(), values[0])
    assert np.array_equal(np.asarray(pil), np.rint(values[0] * 255).astype(np.uint8))


def test_other_sizes_are_drawn_and_impossible_ones_refused(pipeline: UniPathPipeline) -> None:
    assert images_of(pipeline, PROMPTS[0], height=40, width=24, **FAST).shape == (1, 40, 24, 3)
    with pytest.raises(UsageError, match="multiples of 8"):
        pipeline(PROMPTS[0], height=36, width=32, **FAST)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": []}, "needs a prompt"),
        ({"prompt": ["a", "b"], "generator": generators(1)}, "1 generators for 2 images"),
        ({"streams": ("words",)}, "no stream 'words'"),
        ({"strength": 1.5}, "not in"),
        ({"output_type": "png"}, "unknown"),
        ({"num_inference_steps": 0}, "nothing to draw"),
        ({"latents": torch.zeros(1, 4, 8, 8)}, "latents have the shape"),
        ({"callback_on_step_end_tensor_inputs": ["prompt_embeds"]}, "cannot see"),
        ({"prototypes": [np.zeros((1, 12))] * 2}, "prototypes for 2 prompts"),
        ({"image": np.zeros((4, 4), np.float32)}, "cannot be read|images for 1"),
    ],
)
def test_arguments_that_do_not_fit_are_named(pipeline: UniPathPipeline, arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pipeline(**{"prompt": PROMPTS[0], **arguments})


@pytest.mark.integration
def test_saving_and_loading_keeps_every_byte_and_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = tiny_pipeline(micro_batch=2, internal_encoders=["phantom-bank"])
    pipeline.save_pretrained(tmp_path / "saved")
    monkeypatch.setattr(prototype_bank, "load_bank", FakePackage.load_bank)
    loaded = UniPathPipeline.from_pretrained(tmp_path / "saved")
    loaded.set_progress_bar_config(disable=True)
    assert FakePackage.loaded == [tmp_path / "saved" / "bank"]
    assert (tmp_path / "saved" / "bank" / "bank.txt").is_file()
    for name in ("micro_batch", "max_text_tokens", "vae_shift", "internal_encoders", "upstream_compat"):
        assert loaded.config[name] == pipeline.config[name]
    drawn = [
        images_of(p, list(PROMPTS), generator=generators(1, 2, 3), expand=True, **FAST) for p in (pipeline, loaded)
    ]
    assert digests(drawn[0]) == digests(drawn[1])
    assert not list((tmp_path / "saved").rglob("*.bin"))


class FakePackage:
    """Stands in for ``reference_model.bank``."""

    loaded: list[Path] = []  # noqa: RUF012

    @classmethod
    def load_bank(cls, folder: Path) -> MemoryBank:
        cls.loaded.append(folder)
        return MemoryBank()


def test_offloaded_components_are_brought_before_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without an accelerator the "accelerator" is the CPU again; that every hook runs is what is seen."""
    plain, offloaded = tiny_pipeline(), tiny_pipeline()
    offloaded.enable_model_cpu_offload(device="cpu")
    brought: list[str] = []
    # This pipeline has no vision tower; tests/reference_model/test_understanding.py offloads one.
    names = [name for name in offloaded.model_cpu_offload_seq.split("->") if name != "vision_tower"]
    for name in names:
        hook = getattr(offloaded, name)._hf_hook

        def seen(*a: Any, _name: str = name, _before: Any = hook.pre_forward, **k: Any) -> Any:
            brought.append(_name)
            return _before(*a, **k)

        monkeypatch.setattr(hook, "pre_forward", seen)
    drawn = [
        images_of(p, PROMPTS[0], generator=generators(1), image=np.zeros((32, 32, 3), np.uint8), expand=True, **FAST)
        for p in (plain, offloaded)
    ]
    assert np.abs(drawn[0] - drawn[1]).max() <= 1 / 255
    order = list(dict.fromkeys(brought))
    assert set(order) == set(names)
    assert order.index("language_model") < order.index("transformer")


def test_components_that_do_not_fit_are_refused() -> None:
    parts = tiny_pipeline().components
    parts["transformer"] = tiny_pipeline(heads=2).transformer
    parts["prototype_projector"] = type(parts["prototype_projector"])(feature_size=12, hidden_size=16)
    with pytest.raises(UsageError, match="the prototype projector 16"):
        UniPathPipeline(**parts)


def test_a_training_step_reaches_the_queries_the_projector_and_the_transformer_only() -> None:
    from reference_model.flow import noised, timesteps_of, velocity

    pipeline = tiny_pipeline()
    pipeline.language_model.requires_grad_(False)
    code = pipeline.vae.encode(torch.rand(3, 3, 32, 32) * 2 - 1).latent_dist.mode()
    latents = pipeline.scaling.to_latents(code)
    features = pipeline.prototypes_of(list(PROMPTS), None)
    context = pipeline.encoder(prompt_batch=3).encode(list(PROMPTS), features)
    noise, sigmas = torch.randn_like(latents), torch.tensor([0.1, 0.5, 0.9])
    predicted = pipeline.transformer(
        noised(latents, noise, sigmas),
        encoder_hidden_states=context.embeds,
        encoder_attention_mask=context.mask,
        timestep=timesteps_of(sigmas),
        return_dict=False,
    )[0]
    (predicted - velocity(latents, noise)).square().mean().backward()
    for module in (pipeline.semantic_tokens, pipeline.prototype_projector, pipeline.transformer):
        grads = [p.grad for p in module.parameters()]
        assert all(g is not None and torch.isfinite(g).all() for g in grads)
        assert any(g.abs().max() > 0 for g in grads)
    assert all(p.grad is None for p in pipeline.language_model.parameters())
