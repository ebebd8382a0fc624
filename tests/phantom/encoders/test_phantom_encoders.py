"""The shipped encoders: they load, are what their cards say, and give the same vector whatever the batch."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unipath_bench.contracts import Context, ImageEncoder, TextEncoder
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.encoders.embedding import embed_images, embed_texts
from unipath_bench.phantom.encoders import (
    NAMES,
    WEIGHTS,
    PhantomBank,
    PhantomClip,
    PhantomImage,
    PhantomJudge,
    read_card,
    separation_problems,
)
from unipath_bench.phantom.encoders.__main__ import main
from unipath_bench.phantom.encoders.cards import weights_path
from unipath_bench.phantom.encoders.data import BENCHMARK_SEED

ALL = (PhantomImage, PhantomClip, PhantomJudge, PhantomBank)
PAIRS = (PhantomClip, PhantomBank)
TEXTS = ["Solid sheets of clear cells, no necrosis.", "", "ünheard-of wörds 42", "spindle cells in myxoid stroma"]


@pytest.fixture(scope="module", params=ALL, ids=lambda cls: cls.name)
def encoder(request: pytest.FixtureRequest) -> ImageEncoder:
    made = request.param()
    assert made.missing(Context()) is None
    made.setup(Context())
    return made


@pytest.fixture(scope="module", params=PAIRS, ids=lambda cls: cls.name)
def pair(request: pytest.FixtureRequest) -> TextEncoder:
    made = request.param()
    made.setup(Context())
    return made


def _images(count: int, side: int = 64) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_the_card_is_that_of_the_weights(encoder: ImageEncoder) -> None:
    card = encoder.card
    data = weights_path(WEIGHTS, card.name).read_bytes()
    assert card.revision == hashlib.sha256(data).hexdigest()
    assert (card.input_size, card.resize, card.precision) == (64, "bicubic", "float32")
    assert not card.pathology
    assert "phantom" in card.notes
    assert card.modalities == (("image", "text") if isinstance(encoder, TextEncoder) else ("image",))


@pytest.mark.integration
def test_a_vector_depends_on_its_image_alone(encoder: ImageEncoder) -> None:
    images = _images(40)
    features = encoder.embed_images(images)
    assert features.dtype == np.float32
    assert features.shape == (40, encoder.card.dimension)
    assert np.isfinite(features).all()
    assert len(np.unique(features.round(4), axis=0)) == 40
    np.testing.assert_array_equal(encoder.embed_images(images), features)
    order = np.random.default_rng(6).permutation(40)
    np.testing.assert_array_equal(encoder.embed_images(images[order]), features[order])
    np.testing.assert_array_equal(
        np.concatenate([encoder.embed_images(images[i : i + 7]) for i in range(0, 40, 7)]), features
    )
    np.testing.assert_array_equal(embed_images(encoder, list(images), [str(i) for i in range(40)]), features)


def test_other_sizes_go_through_pillows_bicubic(encoder: ImageEncoder) -> None:
    large = _images(2, 128)
    small = np.stack([np.asarray(Image.fromarray(i).resize((64, 64), Image.Resampling.BICUBIC)) for i in large])
    np.testing.assert_array_equal(encoder.embed_images(large), encoder.embed_images(small))


@pytest.mark.parametrize("wrong", [np.zeros((1, 64, 64, 3), np.float32), np.zeros((64, 64, 3), np.uint8)])
def test_what_is_no_batch_of_images_is_refused(encoder: ImageEncoder, wrong: np.ndarray) -> None:
    with pytest.raises(DataError, match=encoder.card.name):
        encoder.embed_images(wrong)


def test_a_texts_vector_depends_on_the_text_alone(pair: TextEncoder) -> None:
    features = pair.embed_texts(TEXTS)
    assert features.dtype == np.float32
    assert features.shape == (4, pair.card.dimension)
    assert np.isfinite(features).all()
    assert (np.linalg.norm(features, axis=1) > 0).all()
    np.testing.assert_array_equal(pair.embed_texts(TEXTS[::-1]), features[::-1])
    np.testing.assert_array_equal(np.concatenate([pair.embed_texts([text]) for text in TEXTS]), features)
    np.testing.assert_array_equal(pair.embed_texts((TEXTS * 12)[:45])[-5:], pair.embed_texts((TEXTS * 12)[40:45]))
    np.testing.assert_array_equal(embed_texts(pair, TEXTS), features)


def test_a_text_that_is_cut_is_counted(pair: TextEncoder) -> None:
    with pytest.warns(UserWarning, match=r"1 of 2 texts are longer than 96 tokens"):
        pair.embed_texts(["necrosis " * 97, "necrosis"])


def test_the_four_are_separate() -> None:
    cards = [read_card(WEIGHTS, name) for name in NAMES]
    assert separation_problems(cards) == []
    assert BENCHMARK_SEED not in {card.data_seed for card in cards}
    # The evaluation tiles of the cards were trained on by none.
    assert not {card.scores.suite_seed for card in cards} & {card.data_seed for card in cards}
    states = [hashlib.sha256(weights_path(WEIGHTS, name).read_bytes()).hexdigest() for name in NAMES]
    assert states == [card.sha256 for card in cards]


def test_encoders_that_share_something_are_named() -> None:
    image, clip = (read_card(WEIGHTS, name) for name in NAMES[:2])
    twin = clip.model_copy(update={"data_seed": image.data_seed, "sha256": image.sha256})
    assert separation_problems([image, twin]) == [
        f"phantom-image and phantom-clip have the same data_seed: {image.data_seed}",
        f"phantom-image and phantom-clip have the same sha256: {image.sha256}",
    ]


def test_shipped_weights_are_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 8_000_000


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path in WEIGHTS.glob("phantom-judge.*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_changed_weights_are_refused(copy: Path) -> None:
    path = weights_path(copy, "phantom-judge")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="not the pinned weights file"):
        PhantomJudge(copy).setup(Context())


def test_absent_weights_and_cards_are_named_with_the_remedy(copy: Path) -> None:
    encoder = PhantomJudge(copy)
    weights_path(copy, "phantom-judge").unlink()
    assert "train-encoders phantom-judge" in (encoder.missing(Context()) or "")
    with pytest.raises(MissingError, match=r"phantom-judge\.safetensors is not there"):
        encoder.setup(Context())
    with pytest.raises(MissingError, match=r"phantom-image\.json is not there"):
        _ = PhantomImage(copy).card


def test_the_card_of_another_encoder_is_refused(copy: Path) -> None:
    shutil.copy(copy / "phantom-judge.json", copy / "phantom-image.json")
    with pytest.raises(UsageError, match="the card of 'phantom-judge'"):
        _ = PhantomImage(copy).card


def test_the_tables_show_the_cards(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    judge = read_card(WEIGHTS, "phantom-judge")
    row = next(line for line in printed.splitlines() if line.startswith("| pleomorphism |"))
    assert f"| {judge.scores.weighted_f1['JPEG 75']['pleomorphism']:.3f} |" in row
    assert all(f"`{name}`" in printed for name in NAMES)
    assert main([str(tmp_path)]) == 3
    assert "phantom-image.json is not there" in capsys.readouterr().err


def test_the_shipped_cards_say_what_is_required() -> None:
    judge, clip = (read_card(WEIGHTS, name).scores for name in ("phantom-judge", "phantom-clip"))
    assert judge.test_tiles >= 1000
    assert min(judge.weighted_f1["plain"].values()) >= 0.90
    assert min(min(scores.values()) for scores in judge.weighted_f1.values()) >= 0.85
    cosines = clip.responses
    span = cosines["none"]["0"] - cosines["caption of another tile"]["1"]
    shifts = cosines["stain, hematoxylin times 1 + s, eosin over it"]
    assert max(abs(shifts[s] - cosines["none"]["0"]) for s in ("0.05", "0.1", "0.2")) <= 0.02 * span
