"""Names to objects: lazily, without privilege, with clear errors."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from unipath_bench.core.errors import MissingError, UsageError
from unipath_bench.core.registry import Registry, load_attribute

GROUP = "unipath_bench_test.things"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch):
    def install(*points: tuple[str, str]) -> Registry[object]:
        found = [EntryPoint(name, value, GROUP) for name, value in points]
        monkeypatch.setattr(
            "unipath_bench.core.registry.entry_points", lambda group: [p for p in found if p.group == group]
        )
        return Registry("thing", GROUP)

    return install


def test_a_registered_name_gives_its_object(registered) -> None:
    assert registered(("path", "pathlib:Path")).get("path") is Path


def test_names_import_nothing(registered) -> None:
    registry = registered(("broken", "no_such_module_at_all:X"))
    assert registry.names() == ["broken"]
    assert "broken" in registry


def test_a_module_that_is_not_installed_is_named_with_the_remedy(registered) -> None:
    with pytest.raises(MissingError, match="no_such_module_at_all") as caught:
        registered(("broken", "no_such_module_at_all.sub:X")).get("broken")
    assert caught.value.remedy == "pip install no_such_module_at_all"


def test_an_object_that_gives_itself_another_name_than_its_entry_point_is_refused(registered) -> None:
    registry = registered(("path", "pathlib:Path"), ("Path", "pathlib:Path"))
    registry.own_name = lambda found: found.__name__
    assert registry.get("Path") is Path
    with pytest.raises(UsageError, match=r"'path' .* gives itself another name: 'Path'") as caught:
        registry.get("path")
    assert caught.value.remedy == "Call the entry point what the thing is called."


def test_collisions_are_refused_and_both_targets_named(registered) -> None:
    registry = registered(("twice", "pathlib:Path"), ("twice", "pathlib:PurePath"))
    with pytest.raises(UsageError, match="pathlib:Path") as caught:
        registry.get("twice")
    assert "pathlib:PurePath" in caught.value.message


def test_the_same_registration_seen_twice_is_no_collision(registered) -> None:
    assert registered(("path", "pathlib:Path"), ("path", "pathlib:Path")).names() == ["path"]


def test_near_names_are_suggested(registered) -> None:
    registry = registered(("memoriser", "pathlib:Path"), ("real", "pathlib:Path"))
    with pytest.raises(UsageError) as caught:
        registry.get("memorizer")
    assert "'memoriser'" in caught.value.remedy


def test_far_names_get_the_whole_list(registered) -> None:
    with pytest.raises(UsageError) as caught:
        registered(("real", "pathlib:Path"), ("noise", "pathlib:Path")).get("zzzzzz")
    assert caught.value.remedy == "Known things: noise, real."


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("pathlib", "not of the form"),
        (":Path", "not of the form"),
        ("no_such_module_here:X", "no module 'no_such_module_here'"),
        ("pathlib:Pat", "no attribute 'Pat'"),
    ],
)
def test_bad_references_are_refused(reference: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        load_attribute(reference)


def test_nested_attributes_are_found() -> None:
    assert load_attribute("pathlib:Path.home") == Path.home


def test_the_working_directory_is_importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adapter_of_mine.py").write_text("ANSWER = 42\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_attribute("adapter_of_mine:ANSWER") == 42


@pytest.mark.integration
def test_listing_imports_no_heavy_package() -> None:
    code = (
        "import sys; from unipath_bench.core.registries import ENCODERS, GENERATORS, METRICS, SUITES;"
        "assert 'texture' in ENCODERS and 'diffusers' in GENERATORS and 'frechet' in METRICS and 'folder' in SUITES;"
        "heavy = {'torch', 'transformers', 'diffusers', 'mlflow', 'sklearn', 'datasets'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
