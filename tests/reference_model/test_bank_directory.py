"""A bank's directory: written and read back to the bit; damage is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from reference_model.bank import load_bank
from tests.reference_model.test_bank_made_up import CAPTIONS, IDS, Compass, made_up_bank
from unipath_bench import DataError, UsageError
from unipath_bench.core.digest import digest_file
from unipath_bench.suites.parquet import ParquetSuite

FILES = ("bank.json", "bank.parquet", "features.safetensors", "keywords.json")


def test_saving_a_loaded_bank_gives_the_same_bytes(tmp_path: Path) -> None:
    first = made_up_bank(tmp_path / "first")
    load_bank(first).save(tmp_path / "second")
    assert sorted(p.name for p in (tmp_path / "second").iterdir()) == list(FILES)
    for name in FILES:
        assert (first / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_saving_replaces_an_earlier_bank(tmp_path: Path) -> None:
    folder = made_up_bank(tmp_path / "bank", order=[7, 6, 5, 4, 3, 2, 1, 0])
    load_bank(made_up_bank(tmp_path / "other")).save(folder)
    assert load_bank(folder).content.ids == IDS


def test_the_table_is_a_parquet_suite(tmp_path: Path) -> None:
    suite = ParquetSuite(made_up_bank(tmp_path) / "bank.parquet")
    assert [s.id for s in suite.samples()] == list(IDS)
    assert [s.prompt for s in suite.samples()] == list(CAPTIONS)
    np.testing.assert_array_equal(suite.load(suite.samples()[3]), np.full((4, 4, 3), 30))


def sealed(folder: Path, name: str) -> None:
    """Write the true digest of a changed file into the card, so that what follows is what is tested."""
    card = json.loads((folder / "bank.json").read_text())
    card["files"][name] = digest_file(folder / name)
    (folder / "bank.json").write_text(json.dumps(card))


def card_without(key: str) -> Callable[[Path], str]:
    def damage(folder: Path) -> str:
        card = json.loads((folder / "bank.json").read_text())
        del card[key]
        (folder / "bank.json").write_text(json.dumps(card))
        return "bank.json"

    return damage


def features(**arrays: np.ndarray) -> Callable[[Path], str]:
    def damage(folder: Path) -> str:
        good = {"payload": np.ones((8, 3)), "text": np.ones((8, 2)), "image": np.ones((8, 2)), **arrays}
        save_file({k: v.astype(np.float32) for k, v in good.items() if v.size}, folder / "features.safetensors")
        sealed(folder, "features.safetensors")
        return "features.safetensors"

    return damage


def keywords(text: str) -> Callable[[Path], str]:
    def damage(folder: Path) -> str:
        (folder / "keywords.json").write_text(text)
        sealed(folder, "keywords.json")
        return "keywords.json"

    return damage


def cut(name: str) -> Callable[[Path], str]:
    def damage(folder: Path) -> str:
        (folder / name).write_bytes((folder / name).read_bytes()[:-7])
        return name

    return damage


def removed(name: str) -> Callable[[Path], str]:
    def damage(folder: Path) -> str:
        (folder / name).unlink()
        return name

    return damage


def fewer_rows(folder: Path) -> str:
    table = pq.read_table(folder / "bank.parquet")
    pq.write_table(table.slice(0, 5), folder / "bank.parquet")
    sealed(folder, "bank.parquet")
    return "bank.parquet"


def other_columns(folder: Path) -> str:
    pq.write_table(pa.table({"id": list(IDS)}), folder / "bank.parquet")
    sealed(folder, "bank.parquet")
    return "bank.parquet"


def not_parquet(folder: Path) -> str:
    (folder / "bank.parquet").write_text("no")
    sealed(folder, "bank.parquet")
    return "bank.parquet"


NAN = np.full((8, 3), np.nan)
GOOD = '"signet ring cell":[7],"ring":[7],"cell":[7],"north":[1,2]'
DAMAGES = [
    *(removed(name) for name in FILES),
    *(cut(name) for name in FILES),
    card_without("payload"),
    card_without("files"),
    features(payload=np.ones((7, 3))),
    features(payload=NAN),
    features(text=np.ones((0, 2))),
    features(extra=np.ones((8, 2))),
    keywords('{"gland":[5,6,8],' + GOOD + "}"),
    keywords('{"gland":[6,5],' + GOOD + "}"),
    keywords('{"gland":[],' + GOOD + "}"),
    keywords('{"gland":["5"],' + GOOD + "}"),
    keywords('{"Gland":[5],' + GOOD + "}"),
    keywords("{" + GOOD + "}"),
    keywords("[]"),
    fewer_rows,
    other_columns,
    not_parquet,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_with_its_file(tmp_path: Path, damage: Callable[[Path], str]) -> None:
    folder = made_up_bank(tmp_path)
    load_bank(folder)
    name = damage(folder)
    with pytest.raises(DataError) as refused:
        load_bank(folder)
    assert str(folder / name) in refused.value.message
    assert refused.value.remedy


def test_an_unknown_key_in_the_card_is_named(tmp_path: Path) -> None:
    folder = made_up_bank(tmp_path)
    card = json.loads((folder / "bank.json").read_text())
    (folder / "bank.json").write_text(json.dumps({**card, "pickle": "no"}))
    with pytest.raises(DataError, match="pickle"):
        load_bank(folder)


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        load_bank(tmp_path / "nowhere")


def test_a_bank_without_thumbnails_gives_no_images(tmp_path: Path) -> None:
    bank = load_bank(made_up_bank(tmp_path), retrieval=Compass())
    card = bank.card.model_copy(update={"thumbnail": 0})
    content = bank.content.__class__(**{**vars(bank.content), "thumbnails": (None,) * 8})
    bare = bank.__class__(card, content, retrieval=Compass())
    bare.save(tmp_path / "bare")
    again = load_bank(tmp_path / "bare", retrieval=Compass())
    assert again.retrieve("east", with_images=True).images == ()
    with pytest.raises(DataError, match="no image of a"):
        again.image(0)
