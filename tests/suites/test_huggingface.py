"""The huggingface suite: folders of ``datasets``, hub ids from the cache, and never the network in offline mode."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any, NoReturn

import datasets
import httpx
import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from tests.suites.made_up import pixels, png, put
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.suites import hub
from unipath_bench.suites.card import load_suite
from unipath_bench.suites.huggingface import HuggingFaceSuite
from unipath_bench.suites.verify import verify_by_loading

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches, and a network that refuses: no test here may reach for it."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_DATASETS_OFFLINE", raising=False)

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the network was reached for")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path / "hub-cache"


def dataset(seeds: range, **columns: Any) -> datasets.Dataset:
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["stroma", "tumour"]),
            "text": datasets.Value("string"),
            **{name: datasets.List(datasets.Value("string")) for name in columns},
        }
    )
    data = {
        "image": [{"bytes": png(seed), "path": None} for seed in seeds],
        "label": [seed % 2 for seed in seeds],
        "text": [f"text {seed}" for seed in seeds],
        **columns,
    }
    return datasets.Dataset.from_dict(data, features=features)


def save(path: Path) -> Path:
    parts = datasets.DatasetDict(
        {"train": dataset(range(3)), "validation": dataset(range(3, 4)), "test": dataset(range(4, 6))}
    )
    parts.save_to_disk(str(path))
    return path


def check(suite: HuggingFaceSuite) -> None:
    assert [(s.id, s.split) for s in suite.samples() if s.split != "test"] == [
        ("train/0", "train"),
        ("train/1", "train"),
        ("train/2", "train"),
        ("validation/0", "heldout"),
    ]
    for sample in suite.samples():
        seed = int(sample.prompt.split()[1])
        assert sample.labels == {"label": ["stroma", "tumour"][seed % 2]}
        np.testing.assert_array_equal(suite.load(sample), pixels(seed))
    assert (suite.card.height, suite.card.width, suite.card.attributes) == (8, 8, ("label",))
    verify_by_loading(suite)


def test_a_dataset_dict_from_disk(tmp_path: Path) -> None:
    suite = HuggingFaceSuite(save(tmp_path / "saved"))
    check(suite)
    assert suite.card.name == "saved"


def test_one_dataset_from_disk_is_all_test(tmp_path: Path) -> None:
    dataset(range(2), paraphrases=[["a", "b"], ["c", "d"]]).save_to_disk(str(tmp_path / "one"))
    suite = HuggingFaceSuite(tmp_path / "one")
    assert [(s.id, s.split, s.paraphrases) for s in suite.samples()] == [
        ("0", "test", ("a", "b")),
        ("1", "test", ("c", "d")),
    ]


def parquet_folder(root: Path) -> Path:
    for name, seeds in (("train", range(3)), ("validation", range(3, 4)), ("test", range(4, 6))):
        path = root / "data" / f"{name}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset(seeds).to_parquet(str(path))
    return root


def test_a_folder_of_parquet_files_as_load_dataset_reads_it(tmp_path: Path) -> None:
    check(HuggingFaceSuite(parquet_folder(tmp_path / "files")))


def test_an_image_folder_is_read_by_path_and_splits_can_be_renamed(tmp_path: Path) -> None:
    put(tmp_path / "tiles", "x/a.png", "y/b.png")
    with_default = HuggingFaceSuite(tmp_path / "tiles")
    assert {s.split for s in with_default.samples()} == {"train"}
    suite = HuggingFaceSuite(tmp_path / "tiles", splits={"train": "test"})
    assert [(s.split, s.labels["label"]) for s in suite.samples()] == [("test", "x"), ("test", "y")]
    np.testing.assert_array_equal(suite.load(suite.samples()[1]), pixels(1))
    with pytest.raises(UsageError, match="no split named trian"):
        HuggingFaceSuite(tmp_path / "tiles", splits={"trian": "test"})


def test_unknown_splits_are_an_error(tmp_path: Path) -> None:
    datasets.DatasetDict({"fold1": dataset(range(2))}).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(DataError, match="1 splits have names that are not known:\n  - fold1") as caught:
        HuggingFaceSuite(tmp_path / "saved")
    assert "splits={NAME: test}" in caught.value.remedy


def test_a_missing_class_is_an_empty_label(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    data = {"image": [{"bytes": png(i), "path": None} for i in range(3)], "label": [0, -1, None]}
    datasets.Dataset.from_dict(data, features=features).save_to_disk(str(tmp_path / "one"))
    with pytest.raises(DataError, match="2 rows have an empty 'label':\n  - row 1\n  - row 2"):
        HuggingFaceSuite(tmp_path / "one")


def test_images_are_checked_by_our_own_reader(tmp_path: Path) -> None:
    cells = [{"bytes": png(0), "path": None}, {"bytes": png(1)[:-9], "path": None}, None]
    features = datasets.Features({"image": datasets.Image()})
    datasets.Dataset.from_dict({"image": cells}, features=features).save_to_disk(str(tmp_path / "one"))
    with pytest.raises(DataError) as caught:
        verify_by_loading(HuggingFaceSuite(tmp_path / "one"))
    assert "1 is cut short or damaged" in caught.value.message
    assert "2 has no image bytes and no path" in caught.value.message


def test_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty cannot be loaded by Hugging Face datasets"):
        HuggingFaceSuite(tmp_path / "empty")


@pytest.mark.integration
def test_the_revision_follows_the_content(tmp_path: Path) -> None:
    first = HuggingFaceSuite(save(tmp_path / "a")).revision
    assert HuggingFaceSuite(save(tmp_path / "b")).revision == first
    assert HuggingFaceSuite(parquet_folder(tmp_path / "c")).revision == first
    parts = datasets.load_from_disk(str(tmp_path / "a"))
    parts["test"] = dataset(range(5, 7))
    parts.save_to_disk(str(tmp_path / "d"))
    assert HuggingFaceSuite(tmp_path / "d").revision != first


def cached(root: Path) -> None:
    """A repository in the hub's cache, as a download leaves it."""
    parquet_folder(root / "datasets--owner--tiles" / "snapshots" / COMMIT)


def test_a_hub_id_needs_a_revision() -> None:
    with pytest.raises(UsageError, match="owner/tiles needs a revision") as caught:
        HuggingFaceSuite("owner/tiles")
    assert "--suite-arg revision=COMMIT" in caught.value.remedy


def test_what_is_neither_path_nor_hub_id() -> None:
    with pytest.raises(UsageError, match="neither a path that exists nor a hub id"):
        HuggingFaceSuite("./no/such/folder")


@pytest.mark.parametrize("how", ["argument", "environment", "constant", "load_suite"])
def test_offline_reads_the_cache_or_says_how_to_fill_it(
    how: str, caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if how == "constant":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def build() -> Any:
        if how == "load_suite":
            return load_suite("huggingface", "owner/tiles", {"revision": COMMIT}, offline=True)
        return HuggingFaceSuite("owner/tiles", revision=COMMIT, offline=how == "argument")

    begin = time.monotonic()
    with pytest.raises(MissingError, match=f"owner/tiles at revision {COMMIT} is not in the cache") as caught:
        build()
    assert time.monotonic() - begin < 5
    assert f"hf download owner/tiles --repo-type dataset --revision {COMMIT}" in caught.value.remedy
    cached(caches)
    suite = build()
    check(suite)
    assert suite.card.name == "owner-tiles"


def response(status: int) -> Any:
    """As the hub answers; of httpx or of httpx2, by the version of huggingface_hub: only the status is read."""
    return httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co/datasets/owner/tiles"))


@pytest.mark.parametrize(
    ("error", "message", "remedy"),
    [
        (
            GatedRepoError("gated", response=response(403)),
            "is gated",
            "Accept its terms at https://huggingface.co/datasets/o",
        ),
        (RepositoryNotFoundError("no", response=response(404)), "There is no data set owner/tiles", "HF_TOKEN"),
        (RevisionNotFoundError("no", response=response(404)), "has no revision", "commits/main"),
        (httpx.ConnectError("refused"), "Fetching owner/tiles failed: refused", "hf download"),
        (OSError(28, "No space left on device"), "No space left", "hf download"),
    ],
)
def test_what_the_hub_answers_becomes_a_remedy(
    error: Exception, message: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise error

    monkeypatch.setattr(hub, "snapshot_download", fail)
    with pytest.raises(MissingError) as caught:
        HuggingFaceSuite("owner/tiles", revision=COMMIT)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_a_part_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    folder = parquet_folder(tmp_path / "files")

    def download(name: str, **options: Any) -> str:
        asked.update(options, name=name)
        return str(folder)

    monkeypatch.setattr(hub, "snapshot_download", download)
    check(HuggingFaceSuite("owner/tiles", revision=COMMIT, files="data/*.parquet"))
    assert asked == {
        "name": "owner/tiles",
        "repo_type": "dataset",
        "revision": COMMIT,
        "allow_patterns": ["data/*.parquet"],
        "local_files_only": False,
    }
    assert huggingface_hub.snapshot_download is not download
