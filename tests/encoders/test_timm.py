"""Vision transformers of timm with random weights: Virchow2's and others' recipes at a small size."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.encoders.small_saves import save, small_timm, smaller
from unipath_bench.contracts import Context
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.encoders.panel import open_encoder, panel
from unipath_bench.encoders.pretrained import pool_tokens
from unipath_bench.encoders.timm import TimmEncoder, build_network

SPEC = small_timm("virchow2")
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TimmEncoder:
    sha256 = save(SPEC, tmp_path / SPEC.name)
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    encoder = open_encoder(SPEC.model_copy(update={"sha256": sha256}))
    assert encoder.missing(Context()) is None
    assert isinstance(encoder, TimmEncoder)
    encoder.setup(Context())
    return encoder


def _images(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_features_are_class_token_then_mean_of_patch_tokens_from_five_on(encoder: TimmEncoder) -> None:
    images = _images(4, 28)
    pixels = (images / 255 - MEAN) / STD
    with torch.no_grad():
        tokens = encoder.model.forward_features(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32))
    assert tokens.shape == (4, 1 + 4 + 4, 24)  # class, four registers, 2 x 2 patches
    features = encoder.embed_images(images)
    assert features.dtype == np.float32
    assert features.shape == (4, 48)
    np.testing.assert_allclose(features[:, :24], tokens[:, 0], atol=1e-5)
    np.testing.assert_allclose(features[:, 24:], tokens[:, 5:].numpy().mean(1), atol=1e-5)


def test_pooling_of_tokens_by_hand() -> None:
    tokens = torch.tensor([[[1.0, 2.0], [100.0, 100.0], [3.0, 5.0], [5.0, 9.0]]])
    # one class token, one register: the mean of the last two is (4, 7)
    assert pool_tokens(tokens, 2, "class+patch-mean").tolist() == [[1.0, 2.0, 4.0, 7.0]]
    assert pool_tokens(tokens, 2, "class").tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("name", ["uni", "uni2-h", "h-optimus-1", "prov-gigapath"])
def test_the_class_token_is_what_timm_itself_returns(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = small_timm(name)
    save(spec, tmp_path / spec.name)
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    encoder = open_encoder(spec)
    assert isinstance(encoder, TimmEncoder)
    encoder.setup(Context())
    side = spec.resize_to or spec.input_size
    images = _images(4, side)
    cut = (side - spec.input_size) // 2
    seen = images[:, cut : side - cut, cut : side - cut]
    pixels = (seen / 255 - np.array(spec.mean)) / np.array(spec.std)
    with torch.no_grad():
        expected = encoder.model(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32)).numpy()
    np.testing.assert_allclose(encoder.embed_images(images), expected, rtol=1e-4, atol=1e-6)


def test_order_and_padding_within_a_micro_batch_do_not_matter(encoder: TimmEncoder) -> None:
    images = _images(4, 40)
    features = encoder.embed_images(images)
    np.testing.assert_array_equal(encoder.embed_images(images[[3, 1, 0, 2]]), features[[3, 1, 0, 2]])
    np.testing.assert_array_equal(encoder.embed_images(images[[0, 1, 1, 1]])[:2], features[:2])


def test_a_gated_model_names_licence_page_token_and_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNIPATH_BENCH_WEIGHTS", raising=False)
    context = Context(cache_dir=tmp_path)
    virchow2 = open_encoder(panel()["virchow2"])
    remedy = virchow2.missing(context)
    for part in (
        "https://huggingface.co/paige-ai/Virchow2",
        "HF_TOKEN",
        "hf download paige-ai/Virchow2 model.safetensors --revision 3158645804b69e3f3bc4439d4116edddf0840a72",
        "$UNIPATH_BENCH_WEIGHTS/virchow2",
    ):
        assert part in str(remedy)
    with pytest.raises(MissingError, match="paige-ai/Virchow2 is not on this machine"):
        virchow2.setup(context)


def test_other_weights_are_refused(encoder: TimmEncoder) -> None:
    with pytest.raises(DataError, match="not the pinned weights file"):
        open_encoder(SPEC.model_copy(update={"sha256": "0" * 64})).setup(Context())


def test_a_single_file_is_enough_where_no_other_is_needed(encoder: TimmEncoder, tmp_path: Path) -> None:
    shutil.move(tmp_path / SPEC.name / SPEC.weights, tmp_path / f"{SPEC.name}.safetensors")
    again = open_encoder(SPEC)
    again.setup(Context())
    images = _images(4, 28)
    np.testing.assert_array_equal(again.embed_images(images), encoder.embed_images(images))
    by_path = open_encoder(SPEC.model_copy(update={"path": tmp_path / f"{SPEC.name}.safetensors"}))
    assert by_path.missing(Context()) is None
    assert by_path.card.revision == again.card.revision == f"sha256:{encoder.spec.sha256}"


def test_the_hubs_cache_is_read_at_the_pinned_commit(
    encoder: TimmEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNIPATH_BENCH_WEIGHTS")
    snapshots = tmp_path / "hub" / "models--paige-ai--Virchow2" / "snapshots"
    snapshots.mkdir(parents=True)
    other, pinned = snapshots / ("1" * 40), snapshots / str(SPEC.revision)
    shutil.move(tmp_path / SPEC.name, other)
    again, context = open_encoder(encoder.spec), Context(offline=True, cache_dir=tmp_path / "hub")
    assert again.missing(context) is not None
    other.rename(pinned)
    again.setup(context)
    images = _images(4, 28)
    np.testing.assert_array_equal(again.embed_images(images), encoder.embed_images(images))


def test_weights_of_another_network_are_refused(encoder: TimmEncoder, tmp_path: Path) -> None:
    deeper = SPEC.model_copy(update={"options": {**SPEC.options, "depth": 3}})
    with pytest.raises(DataError, match=r"do not fit its network.*blocks\.2"):
        open_encoder(deeper).setup(Context())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"architecture": "vit_colossal"}, "no architecture 'vit_colossal'"),
        ({"options": {"mlp_layer": "os.system"}}, "mlp_layer 'os.system' is not known"),
        ({"options": {"no_such_option": 1}}, "no_such_option"),
    ],
)
def test_unknown_networks_and_options_are_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        build_network(smaller("virchow2", **changes))


def test_a_device_that_is_not_there_is_missing(encoder: TimmEncoder) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(MissingError, match="finds no GPU"):
        encoder.setup(Context(device="cuda"))
