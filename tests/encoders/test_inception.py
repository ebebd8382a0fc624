"""Inception-v3 with random weights: torch-fidelity's network and clean-FID's resize, peers run here."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from unipath_bench.contracts import Context
from unipath_bench.core.errors import DataError, MissingError
from unipath_bench.core.images import resize_float
from unipath_bench.encoders.inception import InceptionEncoder
from unipath_bench.encoders.panel import panel
from unipath_bench.encoders.spec import EncoderSpec

FID = panel()["inception-v3"]


class _Shell(FeatureExtractorInceptionV3):
    """torch-fidelity's network before any weights are read into it."""

    def load_state_dict(self, state_dict: object, **_: object) -> None:
        return None


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EncoderSpec]:
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    torch.manual_seed(0)
    shell = _Shell("inception-v3", ["2048"], feature_extractor_weights_path=nothing)
    path = tmp_path_factory.mktemp("weights") / "random-inception.pth"
    torch.save(shell.state_dict(), path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    changes = {"weights": path.name, "sha256": sha256, "url": "https://example.org/random-inception.pth"}
    return path, FID.model_copy(update=changes)


@pytest.fixture
def encoder(random_weights: tuple[Path, EncoderSpec], monkeypatch: pytest.MonkeyPatch) -> InceptionEncoder:
    path, spec = random_weights
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(path.parent))
    encoder = InceptionEncoder(spec)
    assert encoder.missing(Context()) is None
    encoder.setup(Context())
    return encoder


def _images(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.mark.integration
def test_agrees_with_torch_fidelity_at_native_input_size(
    encoder: InceptionEncoder, random_weights: tuple[Path, EncoderSpec]
) -> None:
    peer = FeatureExtractorInceptionV3("inception-v3", ["2048"], feature_extractor_weights_path=str(random_weights[0]))
    images = _images(2, 299)
    (expected,) = peer(torch.from_numpy(images).permute(0, 3, 1, 2))
    features = encoder.embed_images(images)
    assert features.dtype == np.float32
    assert features.shape == (2, 2048) == (2, encoder.card.dimension)
    np.testing.assert_allclose(features, expected.numpy(), rtol=1e-5, atol=1e-6)
    assert features.std() > 0


@pytest.mark.parametrize("shape", [(64, 64), (400, 350)])
def test_resize_is_clean_fid(shape: tuple[int, int]) -> None:
    from cleanfid.resize import build_resizer  # type: ignore[import-untyped]

    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    expected = build_resizer("clean")(image)
    np.testing.assert_allclose(resize_float(image[None], 299, "bicubic")[0].clip(0, 255), expected, atol=1e-4)


@pytest.mark.integration
def test_the_order_within_a_micro_batch_does_not_matter(encoder: InceptionEncoder) -> None:
    images = _images(4, 80)
    order = [2, 0, 3, 1]
    np.testing.assert_array_equal(encoder.embed_images(images[order]), encoder.embed_images(images)[order])


def test_absent_weights_are_missing_with_url_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    encoder = InceptionEncoder(FID)
    for offline in (False, True):
        remedy = encoder.missing(Context(offline=offline))
        assert remedy is not None
        assert FID.url in remedy
        assert str(tmp_path / FID.weights) in remedy
    with pytest.raises(MissingError, match="is not on this machine"):
        encoder.setup(Context())


def test_torch_hubs_cache_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNIPATH_BENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = Path(torch.hub.get_dir()) / "checkpoints" / FID.weights
    assert InceptionEncoder(FID).missing(Context()) is not None
    place.parent.mkdir(parents=True)
    place.touch()
    assert InceptionEncoder(FID).missing(Context()) is None


def test_other_weights_are_refused(random_weights: tuple[Path, EncoderSpec], monkeypatch: pytest.MonkeyPatch) -> None:
    path, spec = random_weights
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(path.parent))
    with pytest.raises(DataError, match="not the pinned weights file"):
        InceptionEncoder(spec.model_copy(update={"sha256": "0" * 64})).setup(Context())
