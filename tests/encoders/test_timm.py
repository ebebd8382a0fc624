"""Vision transformers of timm with random weights: Virchow2's recipe at a small size."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from unipath_bench.contracts import Context
from unipath_bench.encoders.loading import hub_remedy
from unipath_bench.encoders.resizing import network_input
from unipath_bench.encoders.timm import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    VIRCHOW2,
    TimmEncoder,
    TimmSpec,
    build_network,
    pool_tokens,
    virchow2,
)
from unipath_bench.errors import DataError, MissingError

SIDE, WIDTH = 28, 24


def _tiny(sha256: str = "") -> TimmSpec:
    """Virchow2's spec, 24 wide and 2 layers deep, with 2 x 2 patches."""
    return dataclasses.replace(
        VIRCHOW2,
        card=VIRCHOW2.card.model_copy(
            update={"name": "tiny", "dimension": 2 * WIDTH, "input_size": SIDE, "micro_batch": 4}
        ),
        files=dataclasses.replace(VIRCHOW2.files, sha256=sha256),
        options={**VIRCHOW2.options, "img_size": SIDE, "embed_dim": WIDTH, "depth": 2, "num_heads": 2},
    )


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TimmEncoder:
    torch.manual_seed(0)
    folder = tmp_path / "tiny"
    folder.mkdir()
    save_file(build_network(_tiny()).state_dict(), folder / "model.safetensors")
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    encoder = TimmEncoder(_tiny(hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()))
    assert encoder.missing(Context()) is None
    encoder.setup(Context())
    return encoder


def _images(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_features_are_class_token_then_mean_of_patch_tokens_from_five_on(encoder: TimmEncoder) -> None:
    images = _images(4, SIDE)
    pixels = (images / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    with torch.no_grad():
        tokens = encoder.model.forward_features(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32))
    assert tokens.shape == (4, 1 + 4 + 4, WIDTH)  # class, four registers, 2 x 2 patches
    features = encoder.embed_images(images)
    assert features.dtype == np.float32
    assert features.shape == (4, 2 * WIDTH)
    np.testing.assert_allclose(features[:, :WIDTH], tokens[:, 0], atol=1e-5)
    np.testing.assert_allclose(features[:, WIDTH:], tokens[:, 5:].numpy().mean(1), atol=1e-5)


def test_pooling_of_tokens_by_hand() -> None:
    tokens = torch.tensor([[[1.0, 2.0], [100.0, 100.0], [3.0, 5.0], [5.0, 9.0]]])
    # one class token, one register: the mean of the last two is (4, 7)
    assert pool_tokens(tokens, 2, "class+patch-mean").tolist() == [[1.0, 2.0, 4.0, 7.0]]
    assert pool_tokens(tokens, 2, "class").tolist() == [[1.0, 2.0]]


def test_preprocessing_is_pillows_bicubic_then_imagenet_scaling() -> None:
    image = _images(1, 256)[0]
    resized = np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.BICUBIC))
    expected = (resized / 255.0 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    np.testing.assert_allclose(
        network_input(image[None], VIRCHOW2.card)[0], expected.transpose(2, 0, 1), rtol=1e-5, atol=1e-5
    )


def test_order_and_padding_within_a_micro_batch_do_not_matter(encoder: TimmEncoder) -> None:
    images = _images(4, 40)
    features = encoder.embed_images(images)
    np.testing.assert_array_equal(encoder.embed_images(images[[3, 1, 0, 2]]), features[[3, 1, 0, 2]])
    np.testing.assert_array_equal(encoder.embed_images(images[[0, 1, 1, 1]])[:2], features[:2])


def test_virchow2s_network_has_the_published_shape() -> None:
    with torch.device("meta"):
        model = build_network(VIRCHOW2)
    # ViT-H/14: 631M parameters (Zimmermann et al. 2024 say 632M), 1280 wide, one class token and four registers.
    assert 630e6 < sum(p.numel() for p in model.parameters()) < 633e6
    assert (model.embed_dim, model.num_prefix_tokens, len(model.blocks)) == (1280, 5, 32)
    assert VIRCHOW2.card.dimension == 2 * 1280
    assert isinstance(model.blocks[0].mlp.act, torch.nn.SiLU)


def test_a_gated_model_names_licence_page_token_and_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNIPATH_BENCH_WEIGHTS", raising=False)
    context = Context(cache_dir=tmp_path)
    remedy = virchow2().missing(context)
    assert remedy == hub_remedy(VIRCHOW2.files, "virchow2")
    for part in (
        "https://huggingface.co/paige-ai/Virchow2",
        "HF_TOKEN",
        "hf download",
        VIRCHOW2.files.revision,
    ):
        assert part in remedy
    with pytest.raises(MissingError, match="paige-ai/Virchow2 is not on this machine"):
        virchow2().setup(context)


def test_other_weights_are_refused(encoder: TimmEncoder) -> None:
    with pytest.raises(DataError, match="not the pinned weights file"):
        TimmEncoder(_tiny("0" * 64)).setup(Context())
