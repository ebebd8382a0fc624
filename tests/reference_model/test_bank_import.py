"""The released RAG_8K layout, written on the spot, and its conversion."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reference_model.bank import import_rag, load_bank
from tests.reference_model.test_bank_made_up import Compass
from unipath_bench import DataError, MissingError, UsageError

h5py = pytest.importorskip("h5py", reason="the RAG_8K layout needs h5py")

KEYS = ("slide-1/tile 0", "slide-1/tile 1", "slide-2_7.jpg")
TABLE: dict[str, Any] = {
    "sample_key": [k.encode() for k in KEYS],
    "gemini_description": ["east", "Drüse of the north", "west"],
    "conch_text_features": np.asarray([(1, 0), (0, 1), (-1, 0)], np.float16),
    "conch_visual_features": np.asarray([(1, 1), (0, 2), (-1, 0.5)], np.float32),
    "uni2h_features": np.arange(12, dtype=np.float64).reshape(3, 4),
}
INDEX = {"Gland": [0, 2], "gland ": [1], "stroma": [1], "empty": []}


def released(folder: Path, *, table: dict[str, Any] | None = None, index: object = INDEX) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "selected_8k.h5", "w") as stream:
        for name, values in {**TABLE, **(table or {})}.items():
            if values is not None:
                stream[name] = values
    (folder / "keyword_inverted_index.json").write_text(json.dumps(index))
    (folder / "llm_filtered_vocab_gemini_pro.txt").write_text('gland\n{"phrase": "necrosis"}\n')
    for i, key in enumerate(KEYS):
        path = folder / "images" / (key if key.endswith(".jpg") else f"{key}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (200, 100), (50 * i, 20, 30)).save(path, format="PNG")
    return folder


def test_everything_arrives(tmp_path: Path) -> None:
    card = import_rag(released(tmp_path / "RAG_8K"), tmp_path / "bank", thumbnail=50)
    bank = load_bank(tmp_path / "bank", retrieval=Compass())
    assert bank.content.ids == KEYS
    assert bank.content.captions == ("east", "Drüse of the north", "west")
    np.testing.assert_array_equal(bank.content.payload, np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(bank.content.text, TABLE["conch_text_features"].astype(np.float32))
    np.testing.assert_array_equal(bank.content.image, TABLE["conch_visual_features"])
    # "Gland" and "gland " are one keyword; "stroma" is not in the vocabulary, "necrosis" not in the index.
    assert {k: v.tolist() for k, v in bank.content.keywords.items()} == {"gland": [0, 1, 2]}
    assert bank.image(1).shape == (25, 50, 3)
    assert (bank.image(2) == (100, 20, 30)).all()
    assert (card.payload.name, card.payload.dimension, card.payload.digest) == ("uni2-h", 4, "")
    assert card.retrieval is not None
    assert (card.retrieval.name, card.retrieval.dimension) == ("conch", 2)
    assert (card.source.name, card.licence, card.seed) == ("RAG_8K", "CC-BY-NC-ND-4.0", None)


def test_it_retrieves(tmp_path: Path) -> None:
    import_rag(released(tmp_path / "RAG_8K"), tmp_path / "bank")
    got = load_bank(tmp_path / "bank", retrieval=Compass()).retrieve("east gland")
    # "east gland" is (1, 0): the caption "east" has cosine 1 with it, the image (1, 1) the largest, 0.7071.
    scores = {(r.name, r.score) for r in got.routes[got.ids.index(KEYS[0])] if r.name != "keyword"}
    assert scores == {("text-text", 1.0), ("text-image", 0.707107)}
    assert sum(r.name == "keyword" for routes in got.routes for r in routes) == 2


def test_without_its_encoder_it_is_an_error_never_random(tmp_path: Path) -> None:
    import_rag(released(tmp_path / "RAG_8K"), tmp_path / "bank")
    with pytest.raises(MissingError, match="'conch'"):
        load_bank(tmp_path / "bank").retrieve("east")
    with pytest.raises(MissingError, match="'uni2-h'"):
        load_bank(tmp_path / "bank").embed_image(np.zeros((8, 8, 3), np.uint8))


def test_without_images_it_has_no_thumbnails(tmp_path: Path) -> None:
    source = released(tmp_path / "RAG_8K")
    (source / "images").rename(source / "pictures")
    assert import_rag(source, tmp_path / "bank").thumbnail == 0
    assert load_bank(tmp_path / "bank").content.thumbnails == (None,) * 3


def test_without_thumbnails_the_images_are_left(tmp_path: Path) -> None:
    assert import_rag(released(tmp_path / "RAG_8K"), tmp_path / "bank", thumbnail=0).thumbnail == 0
    assert load_bank(tmp_path / "bank").content.thumbnails == (None,) * 3


def test_without_h5py_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = released(tmp_path / "RAG_8K")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingError) as refused:
        import_rag(source, tmp_path / "bank")
    assert refused.value.remedy == "pip install h5py"


def table(**changes: Any) -> Callable[[Path], str]:
    return lambda folder: (released(folder, table=changes), "selected_8k.h5")[1]


def index(value: object) -> Callable[[Path], str]:
    return lambda folder: (released(folder, index=value), "keyword_inverted_index.json")[1]


def removed(name: str) -> Callable[[Path], str]:
    def damage(folder: Path) -> str:
        (folder / name).unlink()
        return name

    return damage


def written(name: str, data: bytes) -> Callable[[Path], str]:
    return lambda folder: ((folder / name).write_bytes(data), name)[1]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (removed("selected_8k.h5"), "not there"),
        (removed("keyword_inverted_index.json"), "not there"),
        (removed("llm_filtered_vocab_gemini_pro.txt"), "not there"),
        (removed("images/slide-1/tile 1.png"), "slide-1/tile 1"),
        (written("selected_8k.h5", b"no table"), "HDF5"),
        (written("keyword_inverted_index.json", b"{"), "not JSON"),
        (written("images/slide-1/tile 1.png", b"no image"), "tile 1.png"),
        (table(uni2h_features=None), "uni2h_features"),
        (table(uni2h_features=np.ones((2, 4))), "uni2h_features"),
        (table(uni2h_features=np.full((3, 4), np.inf)), "uni2h_features"),
        (table(conch_text_features=np.ones((3, 5))), "differ in shape"),
        (table(sample_key=[b"one", b"one", b"two"]), "2 of them distinct"),
        (table(sample_key=[b"one", b"\xff", b"two"]), "UTF-8"),
        (table(gemini_description=np.ones(3)), "list of strings"),
        (index({"gland": [0, 3]}), "outside 0 .. 2"),
        (index({"gland": 1}), "outside"),
        (index({"gland": [True]}), "outside"),
        (index([]), "table of keywords"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: Callable[[Path], str], message: str) -> None:
    source = released(tmp_path / "RAG_8K")
    for stale in ("selected_8k.h5", "keyword_inverted_index.json"):
        assert (source / stale).exists()
    name = damage(source)
    with pytest.raises(DataError) as refused:
        import_rag(source, tmp_path / "bank")
    assert message in refused.value.message
    assert Path(name).parts[0] in refused.value.message
    assert not (tmp_path / "bank" / "bank.json").exists()


def test_keys_cannot_lead_out_of_the_images(tmp_path: Path) -> None:
    source = released(tmp_path / "RAG_8K", table={"sample_key": [b"../secret", KEYS[1].encode(), KEYS[2].encode()]})
    Image.new("RGB", (8, 8)).save(source / "secret.png")
    with pytest.raises(DataError, match=r"\.\./secret"):
        import_rag(source, tmp_path / "bank")


def test_a_source_that_is_no_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        import_rag(tmp_path / "nowhere", tmp_path / "bank")
