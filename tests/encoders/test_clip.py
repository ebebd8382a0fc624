"""Encoders in transformers' format with random weights: projections, tokens, configuration and errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.encoders.small_saves import save, small_clip, small_vision
from unipath_bench.contracts import Context
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.encoders.panel import open_encoder, panel
from unipath_bench.encoders.transformers import ClipEncoder, VisionEncoder

SPEC = small_clip()
PLIP = panel()["plip"]


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClipEncoder:
    sha256 = save(SPEC, tmp_path / SPEC.name)
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    encoder = open_encoder(SPEC.model_copy(update={"sha256": sha256}))
    assert encoder.missing(Context(offline=True)) is None
    encoder.setup(Context())
    assert isinstance(encoder, ClipEncoder)
    return encoder


def _images(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def test_images_are_the_projection_of_the_vision_tower(encoder: ClipEncoder) -> None:
    images = _images(2, 32, 32)  # of the input size already: preprocessing is the scaling alone
    pixels = (images / 255 - np.array(PLIP.mean)) / np.array(PLIP.std)
    with torch.no_grad():
        output = encoder.model(
            pixel_values=torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32),
            input_ids=torch.tensor([[encoder.tokenizer.bos_token_id, encoder.tokenizer.eos_token_id]]),
        )
    features = encoder.embed_images(images)
    assert features.dtype == np.float32
    assert features.shape == (2, 8)
    # CLIPModel returns the projections divided by their norm.
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, output.image_embeds.numpy(), atol=1e-5)


def test_texts_are_the_projection_of_the_text_tower(encoder: ClipEncoder) -> None:
    ids = encoder.tokenizer("tumour with necrosis")["input_ids"]
    assert len(ids) == 2 + 6 + 4 + 8  # start and end, and the letters: there are no merges
    with torch.no_grad():
        output = encoder.model(
            pixel_values=torch.zeros(1, 3, 32, 32),
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, 20),
        )
    features = encoder.embed_texts(["benign gland", "tumour with necrosis"])
    unit = features[1] / np.linalg.norm(features[1])
    np.testing.assert_allclose(unit, output.text_embeds[0].numpy(), atol=1e-5)


@pytest.mark.integration
def test_order_and_padding_within_a_micro_batch_do_not_matter(encoder: ClipEncoder) -> None:
    images = _images(4, 40, 40)
    features = encoder.embed_images(images)
    np.testing.assert_array_equal(encoder.embed_images(images[[3, 1, 0, 2]]), features[[3, 1, 0, 2]])
    np.testing.assert_array_equal(encoder.embed_images(images[[0, 1, 1, 1]])[:2], features[:2])


def test_a_text_does_not_depend_on_its_neighbours(encoder: ClipEncoder) -> None:
    alone = encoder.embed_texts(["gland", "gland"])
    beside = encoder.embed_texts(["gland", "tumour with necrosis benign gland"])
    np.testing.assert_array_equal(alone[0], beside[0])


def test_long_texts_are_cut_with_a_warning_that_counts_them(encoder: ClipEncoder) -> None:
    long = " ".join(["gland"] * 30)
    with pytest.warns(UserWarning, match=r"1 of 2 texts are longer than 40 tokens"):
        features = encoder.embed_texts([long, "gland"])
    assert features.shape == (2, 8)


def test_absent_model_is_missing_with_the_command_that_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    context = Context(offline=True, cache_dir=tmp_path)
    plip = open_encoder(PLIP)
    remedy = plip.missing(context)
    assert remedy is not None
    assert "hf download vinid/plip pytorch_model.bin config.json vocab.json merges.txt" in remedy
    assert str(PLIP.revision) in remedy
    assert "gated" not in remedy
    with pytest.raises(MissingError, match="vinid/plip is not on this machine"):
        plip.setup(context)


def test_the_hub_cache_is_searched_at_the_pinned_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNIPATH_BENCH_WEIGHTS", raising=False)
    snapshots = tmp_path / "models--vinid--plip" / "snapshots"
    for revision in ("0" * 40, str(PLIP.revision)):
        assert open_encoder(PLIP).missing(Context(cache_dir=tmp_path)) is not None
        (snapshots / revision).mkdir(parents=True)
        for name in (PLIP.weights, *PLIP.files):
            (snapshots / revision / name).touch()
    assert open_encoder(PLIP).missing(Context(cache_dir=tmp_path)) is None


@pytest.mark.integration
def test_other_weights_are_refused(encoder: ClipEncoder) -> None:
    with pytest.raises(DataError, match="not the pinned weights file"):
        open_encoder(SPEC.model_copy(update={"sha256": "0" * 64})).setup(Context())


def test_another_configuration_is_refused_by_the_field_that_differs(encoder: ClipEncoder, tmp_path: Path) -> None:
    path = tmp_path / SPEC.name / "config.json"
    config = json.loads(path.read_text())
    config["vision_config"]["patch_size"] = 8
    path.write_text(json.dumps(config))
    with pytest.raises(DataError, match=r"vision_config\.patch_size: 8 instead of 16"):
        open_encoder(SPEC).setup(Context())


def test_weights_that_lack_something_are_refused(encoder: ClipEncoder, tmp_path: Path) -> None:
    path = tmp_path / SPEC.name / SPEC.weights
    state = torch.load(path, weights_only=True)
    del state["visual_projection.weight"]
    torch.save(state, path)
    with pytest.raises(DataError, match=r"visual_projection\.weight"):
        open_encoder(SPEC).setup(Context())


def test_a_vision_transformers_features_are_its_class_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = small_vision()
    save(spec, tmp_path / spec.name)
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    encoder = open_encoder(spec)
    encoder.setup(Context())
    assert isinstance(encoder, VisionEncoder)
    images = _images(4, 28, 28)
    pixels = (images / 255 - np.array(spec.mean)) / np.array(spec.std)
    with torch.no_grad():
        output = encoder.model(pixel_values=torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32))
    assert output.last_hidden_state.shape == (4, 1 + 4, 16)  # class, 2 x 2 patches
    features = encoder.embed_images(images)
    np.testing.assert_allclose(features, output.last_hidden_state[:, 0].numpy(), atol=1e-5)
    both = spec.model_copy(update={"pooling": "class+patch-mean", "dimension": 32})
    pair = open_encoder(both)
    pair.setup(Context())
    expected = output.last_hidden_state[:, 1:].numpy().mean(1)
    np.testing.assert_allclose(pair.embed_images(images)[:, 16:], expected, atol=1e-5)


def test_an_unknown_model_class_is_refused() -> None:
    with pytest.raises(UsageError, match="no model class 'Dinov9Model'"):
        open_encoder(small_vision().model_copy(update={"architecture": "Dinov9Model"}))._load(None)  # type: ignore[arg-type]
