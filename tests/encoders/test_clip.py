"""A tiny CLIP with random weights: projections, preprocessing, tokens and errors."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel

from unipath_bench.contracts import Context
from unipath_bench.encoders.clip import OPENAI_MEAN, OPENAI_STD, PLIP, ClipEncoder, ClipSpec, plip
from unipath_bench.encoders.resizing import network_input
from unipath_bench.errors import DataError, MissingError

SIDE, WIDTH = 32, 8


def _tiny_repository(folder: Path) -> str:
    """Write a tiny ``CLIPModel`` as PLIP's repository holds its own; returns the SHA-256 of its weights."""
    shared = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    letters = [chr(ord("a") + i) for i in range(26)]
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    config = CLIPConfig(
        text_config={
            **shared,
            "vocab_size": len(vocabulary),
            "max_position_embeddings": 40,
            "bos_token_id": vocabulary["<|startoftext|>"],
            "eos_token_id": vocabulary["<|endoftext|>"],
        },
        vision_config={**shared, "image_size": SIDE, "patch_size": 16},
        projection_dim=WIDTH,
    )
    torch.manual_seed(0)
    model = CLIPModel(config)
    config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return hashlib.sha256((folder / "pytorch_model.bin").read_bytes()).hexdigest()


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClipEncoder:
    (tmp_path / "tiny").mkdir()
    sha256 = _tiny_repository(tmp_path / "tiny")
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    card = PLIP.card.model_copy(update={"name": "tiny", "dimension": WIDTH, "input_size": SIDE, "micro_batch": 4})
    encoder = ClipEncoder(ClipSpec(card, dataclasses.replace(PLIP.files, sha256=sha256)))
    assert encoder.missing(Context(offline=True)) is None
    encoder.setup(Context())
    return encoder


def _images(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def test_images_are_the_projection_of_the_vision_tower(encoder: ClipEncoder) -> None:
    images = _images(2, SIDE, SIDE)  # of the input size already: preprocessing is the scaling alone
    pixels = (images / 255 - np.array(OPENAI_MEAN)) / np.array(OPENAI_STD)
    with torch.no_grad():
        output = encoder.model(
            pixel_values=torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32),
            input_ids=torch.tensor([[encoder.tokenizer.bos_token_id, encoder.tokenizer.eos_token_id]]),
        )
    features = encoder.embed_images(images)
    assert features.dtype == np.float32
    assert features.shape == (2, WIDTH)
    # CLIPModel returns the projections divided by their norm.
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, output.image_embeds.numpy(), atol=1e-5)


def test_texts_are_the_projection_of_the_text_tower(encoder: ClipEncoder) -> None:
    ids = encoder.tokenizer("tumour with necrosis")["input_ids"]
    assert len(ids) == 2 + 6 + 4 + 8  # start and end, and the letters: there are no merges
    with torch.no_grad():
        output = encoder.model(
            pixel_values=torch.zeros(1, 3, SIDE, SIDE),
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, 20),
        )
    features = encoder.embed_texts(["benign gland", "tumour with necrosis"])
    unit = features[1] / np.linalg.norm(features[1])
    np.testing.assert_allclose(unit, output.text_embeds[0].numpy(), atol=1e-5)


def test_preprocessing_of_a_larger_image_is_pillows_bicubic_and_a_central_crop(encoder: ClipEncoder) -> None:
    image = _images(1, 64, 96)[0]
    # Shorter side 64 -> 32, longer 96 -> 48; the crop takes columns 8 to 40.
    resized = np.asarray(Image.fromarray(image).resize((48, 32), Image.Resampling.BICUBIC))[:, 8:40]
    expected = (resized / 255.0 - np.array(OPENAI_MEAN)) / np.array(OPENAI_STD)
    np.testing.assert_allclose(
        network_input(image[None], encoder.card)[0], expected.transpose(2, 0, 1), rtol=1e-5, atol=1e-5
    )


def test_preprocessing_agrees_with_transformers() -> None:
    from transformers import CLIPImageProcessorPil

    image = _images(1, 300, 260)[0]
    expected = CLIPImageProcessorPil()(Image.fromarray(image), return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(network_input(image[None], PLIP.card)[0], expected, atol=2e-5)


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
    assert features.shape == (2, WIDTH)


def test_absent_model_is_missing_with_the_command_that_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    context = Context(offline=True, cache_dir=tmp_path)
    remedy = plip().missing(context)
    assert remedy is not None
    assert "hf download vinid/plip" in remedy
    assert PLIP.card.revision in remedy
    assert "gated" not in remedy
    with pytest.raises(MissingError, match="vinid/plip is not on this machine"):
        plip().setup(context)


def test_the_hub_cache_is_searched_at_the_pinned_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNIPATH_BENCH_WEIGHTS", raising=False)
    snapshots = tmp_path / "models--vinid--plip" / "snapshots"
    names = (PLIP.files.weights, *PLIP.files.others)
    for revision in ("0" * 40, PLIP.files.revision):
        assert plip().missing(Context(cache_dir=tmp_path)) is not None
        (snapshots / revision).mkdir(parents=True)
        for name in names:
            (snapshots / revision / name).touch()
    assert plip().missing(Context(cache_dir=tmp_path)) is None


def test_other_weights_are_refused(encoder: ClipEncoder) -> None:
    spec = dataclasses.replace(encoder.spec, files=dataclasses.replace(encoder.spec.files, sha256="0" * 64))
    with pytest.raises(DataError, match="not the pinned weights file"):
        ClipEncoder(spec).setup(Context())


def test_a_device_that_is_not_there_is_missing(encoder: ClipEncoder) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(MissingError, match="finds no GPU"):
        encoder.setup(Context(device="cuda"))
