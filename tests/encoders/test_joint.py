"""open_clip's and KEEP's kinds with random weights: their features are those of the libraries' own calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.encoders.small_saves import save, small_biomedclip, small_keep, small_open_clip
from unipath_bench.contracts import Context
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.encoders.keep import KeepEncoder
from unipath_bench.encoders.open_clip import OpenClipEncoder
from unipath_bench.encoders.panel import open_encoder
from unipath_bench.encoders.pretrained import PretrainedJoint
from unipath_bench.encoders.spec import EncoderSpec

SPECS = {"open_clip": small_open_clip(), "biomedclip": small_biomedclip(), "keep": small_keep()}
TEXTS = ["gland", "tumour with necrosis"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("joint")
    for spec in SPECS.values():
        save(spec, root / spec.name)
    return root


def _open(name: str, folder: Path, **changes: object) -> PretrainedJoint:
    spec = SPECS[name].model_copy(update={"path": folder / SPECS[name].name, **changes})
    encoder = open_encoder(spec)
    assert encoder.missing(Context()) is None
    encoder.setup(Context())
    assert isinstance(encoder, PretrainedJoint)
    return encoder


def _pixels(spec: EncoderSpec) -> tuple[np.ndarray, torch.Tensor]:
    """Images of the input size, and what the network sees of them by hand."""
    size = spec.input_size
    images = np.random.default_rng(4).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    pixels = (images / 255 - np.array(spec.mean)) / np.array(spec.std)
    return images, torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32)


@pytest.mark.integration
@pytest.mark.parametrize("name", ["open_clip", "biomedclip"])
def test_open_clips_features_are_those_of_its_own_forward_pass(name: str, folder: Path) -> None:
    encoder = _open(name, folder)
    assert isinstance(encoder, OpenClipEncoder)
    images, pixels = _pixels(SPECS[name])
    length = encoder.context_length
    if name == "open_clip":
        from open_clip import SimpleTokenizer

        tokens = SimpleTokenizer(context_length=77)(TEXTS)
    else:
        # the tiny BERT's vocabulary: five special tokens, a to z, ##a to ##z; 2 begins and 3 ends a text
        words = [[5 + ord(w[0]) - 97, *(31 + ord(c) - 97 for c in w[1:])] for w in TEXTS[1].split()]
        second = [2, *(i for word in words for i in word), 3]
        first = [2, 5 + 6, 31 + 11, 31, 31 + 13, 31 + 3, 3]  # g, ##l, ##a, ##n, ##d
        tokens = torch.tensor([row + [0] * (length - len(row)) for row in (first, second)])
    with torch.no_grad():
        image, text, _ = encoder.model(pixels, tokens)  # each divided by its norm
    ours, theirs = encoder.embed_images(images), image.numpy()
    np.testing.assert_allclose(ours / np.linalg.norm(ours, axis=1, keepdims=True), theirs, atol=1e-5)
    words_ours = encoder.embed_texts(TEXTS)
    np.testing.assert_allclose(words_ours / np.linalg.norm(words_ours, axis=1, keepdims=True), text.numpy(), atol=1e-5)


def test_keeps_features_are_its_parts_by_hand(folder: Path) -> None:
    encoder = _open("keep", folder)
    assert isinstance(encoder, KeepEncoder)
    images, pixels = _pixels(SPECS["keep"])
    head = encoder.model["visual_head"]
    with torch.no_grad():
        token = encoder.model["visual"].forward_features(pixels)[:, 0].numpy().astype(float)
        text = encoder.model["text"](input_ids=torch.tensor([[2, 11, 42, 31, 44, 34, 3]])).pooler_output.numpy()
    hidden = token @ head[0].weight.detach().numpy().T + head[0].bias.detach().numpy()
    from scipy.special import erf

    activated = hidden * (1 + erf(hidden / np.sqrt(2))) / 2  # GELU
    expected = activated @ head[2].weight.detach().numpy().T + head[2].bias.detach().numpy()
    np.testing.assert_allclose(encoder.embed_images(images), expected, atol=1e-5)
    np.testing.assert_allclose(encoder.embed_texts(["gland"]), text, atol=1e-5)


@pytest.mark.integration
@pytest.mark.parametrize("name", SPECS)
def test_order_padding_and_neighbours_do_not_matter(name: str, folder: Path) -> None:
    encoder = _open(name, folder)
    images, _ = _pixels(SPECS[name])
    features = encoder.embed_images(images)
    np.testing.assert_array_equal(encoder.embed_images(images[[3, 1, 0, 2]]), features[[3, 1, 0, 2]])
    alone, beside = encoder.embed_texts(["gland", "gland"]), encoder.embed_texts(TEXTS)
    np.testing.assert_array_equal(alone[0], beside[0])


@pytest.mark.parametrize(("name", "length"), [("open_clip", 77), ("biomedclip", 24), ("keep", 24)])
def test_long_texts_are_cut_with_a_warning(name: str, length: int, folder: Path) -> None:
    with pytest.warns(UserWarning, match=rf"1 of 2 texts are longer than {length} tokens"):
        assert _open(name, folder).embed_texts(["gland " * 80, "gland"]).shape == (2, 8)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    deeper = {**SPECS["open_clip"].options, "vision_cfg": {**SPECS["open_clip"].options["vision_cfg"], "layers": 3}}
    with pytest.raises(DataError, match="do not fit its network"):
        _open("open_clip", folder, options=deeper)


@pytest.mark.integration
def test_a_training_checkpoint_is_read_too(folder: Path, tmp_path: Path) -> None:
    spec = SPECS["open_clip"]
    state = torch.load(folder / spec.name / spec.weights, weights_only=True)
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "checkpoint.pt")
    images, _ = _pixels(spec)
    again = _open("open_clip", folder, path=tmp_path / "checkpoint.pt")
    np.testing.assert_array_equal(again.embed_images(images), _open("open_clip", folder).embed_images(images))


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="no architecture 'ViT-Z-99'"):
        _open("open_clip", folder, architecture="ViT-Z-99")
