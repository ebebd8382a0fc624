"""From ``--suite`` to a suite: names, YAML cards, module:attribute, arguments."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.suites.made_up import put
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.suites.card import load_suite
from unipath_bench.suites.folder import FolderSuite
from unipath_bench.suites.micrograph import MicrographSuite

MODULE = """
from unipath_bench.contracts import Suite
from unipath_bench.suites.micrograph import MicrographSuite

FINISHED = MicrographSuite()
NUMBER = 3

def no_suite():
    return 3

def remembers_offline(offline=False):
    suite = MicrographSuite()
    suite.was_offline = offline
    return suite

def broken():
    return {}["nothing"]

class Unfinished(Suite):
    card = FINISHED.card

class TakesHubId(MicrographSuite):
    takes_hub_id = True

    def __init__(self, data, needed):
        self.data = data
"""


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    return put(tmp_path / "data" / "tiles", "x/a.png", "y/b.png")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "their_suites.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "their_suites", raising=False)
    return "their_suites"


def test_registered_names(tiles: Path) -> None:
    assert isinstance(load_suite("micrograph"), MicrographSuite)
    suite = load_suite("folder", str(tiles), {"name": "mine", "attributes": []})
    assert isinstance(suite, FolderSuite)
    assert (suite.card.name, suite.card.attributes) == ("mine", ())


def test_a_yaml_card_finds_its_data_beside_itself(tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = tiles.parent / "suite.yaml"
    card.write_text("suite: folder\ndata: tiles\narguments: {name: from-card, licence: CC0-1.0}\n")
    monkeypatch.chdir("/")
    suite = load_suite(str(card))
    assert (suite.card.name, suite.card.licence) == ("from-card", "CC0-1.0")
    assert len(suite.samples()) == 2


def test_the_command_line_goes_before_the_card(tiles: Path, tmp_path: Path) -> None:
    card = tmp_path / "suite.yml"
    card.write_text("suite: folder\ndata: nowhere\narguments: {name: from-card, licence: CC0-1.0}\n")
    suite = load_suite(str(card), str(tiles), {"name": "given"})
    assert (suite.card.name, suite.card.licence) == ("given", "CC0-1.0")


def test_data_of_a_card_are_never_looked_for_in_the_working_directory(
    tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cards").mkdir()
    card = tmp_path / "cards" / "suite.yaml"
    card.write_text("suite: folder\ndata: tiles\n")
    monkeypatch.chdir(tiles.parent)
    with pytest.raises(UsageError, match=r"cards/tiles does not exist"):
        load_suite(str(card))


def test_hub_ids_of_a_card_stay_as_they_are(module: str, tmp_path: Path) -> None:
    card = tmp_path / "suite.yaml"
    for written, expected in (("owner/name", "owner/name"), ("./owner/name", str(tmp_path / "owner/name"))):
        card.write_text(f"suite: {module}:TakesHubId\ndata: {written}\narguments: {{needed: 1}}\n")
        assert load_suite(str(card)).data == expected  # type: ignore[attr-defined]


def test_module_attributes(module: str) -> None:
    assert isinstance(load_suite(f"{module}:FINISHED"), MicrographSuite)
    assert load_suite(f"{module}:remembers_offline").was_offline is False  # type: ignore[attr-defined]
    assert load_suite(f"{module}:remembers_offline", offline=True).was_offline is True  # type: ignore[attr-defined]
    load_suite("micrograph", offline=True)


@pytest.mark.parametrize(
    ("spec", "data", "arguments", "message", "remedy"),
    [
        ("fodler", None, {}, "no suite named 'fodler'", "'folder'"),
        ("folder", None, {}, "The suite 'folder' needs data.", "--data PATH"),
        ("micrograph", "tiles", {}, "takes no --data", "--suite folder"),
        ("micrograph", None, {"size": 3}, "takes no argument 'size'", "It takes:"),
        ("folder", ".", {"nmae": "x"}, "no suite argument 'nmae'", "'name'"),
        ("parquet", ".", {"image_colum": "x"}, "image_colum", "image_column"),
        ("folder", ".", {"licence": 3}, "licence", "fields"),
        ("their_suites:FINISHED", "x", {}, "takes no arguments (data)", "Leave --data PATH out"),
        ("their_suites:NUMBER", None, {}, "an object of type int, not a suite", "subclass"),
        ("their_suites:no_suite", None, {}, "returned an object of type int, not a suite", "subclass"),
        ("their_suites:Unfinished", None, {}, "does not implement load, revision, samples", "Implement it"),
        ("their_suites:broken", None, {}, "failed while it was built: KeyError: 'nothing'", "--debug"),
        ("their_suites:FINISHED", None, {"size": 3}, "takes no arguments (size)", "--suite-arg size=... out"),
        ("their_suites:TakesHubId", "x", {}, "needs needed.", "--suite-arg needed="),
        ("their_suites:zzzz", None, {}, "no attribute 'zzzz'", "Known"),
        ("none.yaml", None, {}, "no such file", "path"),
    ],
)
def test_what_cannot_be_a_suite(
    spec: str, data: str | None, arguments: dict[str, object], message: str, remedy: str, module: str, tmp_path: Path
) -> None:
    put(tmp_path, "a.png")
    with pytest.raises(UsageError) as caught:
        load_suite(spec, data, arguments)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_wrong_cards(tmp_path: Path) -> None:
    card = tmp_path / "suite.yaml"
    card.write_text("suite: folder\ndta: tiles\n")
    with pytest.raises(UsageError, match="dta: unknown key; did you mean 'data'"):
        load_suite(str(card))
    card.write_text("suite: other.yaml\n")
    with pytest.raises(UsageError, match="is a card again"):
        load_suite(str(card))


def test_trouble_with_the_data_passes_through(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no images"):
        load_suite("folder", str(tmp_path))
