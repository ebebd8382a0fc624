"""Classifiers in the store: trained once for the real images, whoever the generator is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from unipath_bench.cli.app import invoke
from unipath_bench.core.artifact_cache import Artifact, ArtifactCache
from unipath_bench.core.errors import DataError
from unipath_bench.scoring.classifiers.linear import Linear

Output = pytest.CaptureFixture[str]


def test_files_give_back_every_bit(tmp_path: Path) -> None:
    shelf = ArtifactCache(tmp_path / "classifiers")
    arrays = {"a": np.asarray([[np.pi, -0.0], [1e-300, 3.0]]), "b": np.asarray(0.1)}
    for key, kept in (("01", Artifact({"classes": ["ä", "b"], "k": 3}, arrays)), ("02", Artifact({"k": 5}))):
        assert shelf.find(key) is None
        shelf.put(key, kept)
        found = shelf.find(key)
        assert found is not None
        assert found.settings == kept.settings
        assert {n: a.tobytes() for n, a in found.arrays.items()} == {n: a.tobytes() for n, a in kept.arrays.items()}
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".safetensors"}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "0a.safetensors").write_bytes(b"not a classifier")
    with pytest.raises(DataError, match=r"0a\.safetensors is damaged") as caught:
        ArtifactCache(tmp_path).find("0a")
    assert "Delete this file" in caught.value.remedy
    shelf = ArtifactCache(tmp_path)
    shelf.put("0b", Artifact({"k": 1}, {"a": np.ones(8)}))
    path = tmp_path / "0b.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")  # one bit of the last number
    with pytest.raises(DataError, match="differs from its digest"):
        shelf.find("0b")


@pytest.mark.integration
def test_the_next_generator_finds_them_trained(
    small_tiles: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(model: str, out: Path) -> list[dict[str, object]]:
        suite = ["--suite", "folder", "--data", str(small_tiles), "--tasks", "attribute-control", "--n", "16"]
        assert invoke(["run", "--model", model, *suite, "--out", str(out), "--json"]) == 0
        return json.loads(capsys.readouterr().out)["scores"]

    alone = scores("memoriser", tmp_path / "alone")
    scores("tests.adapters:Painter", tmp_path / "shared")
    files = sorted((tmp_path / "shared/store/classifiers").rglob("*.safetensors"))
    assert len(files) == 3  # of one attribute: its penalty, its probe and its temperature

    def trained_again(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(Linear, "fit", trained_again)
    monkeypatch.setattr(Linear, "settled", trained_again)
    assert scores("memoriser", tmp_path / "shared") == alone
    assert sorted((tmp_path / "shared/store/classifiers").rglob("*.safetensors")) == files
