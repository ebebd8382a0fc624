"""The examples in docstrings are true, and what a user calls from Python has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import reference_model
import unipath_bench

Output = pytest.CaptureFixture[str]


def modules_under(package: ModuleType, folder: str = "") -> dict[str, Path]:
    """The source file of each module of a package, or of a folder of it, by the module's name."""
    assert package.__file__ is not None
    root = Path(package.__file__).parent
    files = sorted((root / folder).rglob("*.py"))
    return {".".join([package.__name__, *file.relative_to(root).with_suffix("").parts]): file for file in files}


WITH_EXAMPLES = [
    name.removesuffix(".__init__")
    for package in (unipath_bench, reference_model)
    for name, file in modules_under(package).items()
    if re.search(r"^\s*>>> ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
]
METRICS = [name for name in modules_under(unipath_bench, "metrics") if not name.rpartition(".")[2].startswith("_")]


def examples_of(module: ModuleType) -> list[doctest.DocTest]:
    return [test for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_are_true(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    module = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner()
    for test in examples_of(module):
        runner.run(test)
    assert not runner.failures, capsys.readouterr().out
    assert runner.tries
    assert not list(tmp_path.iterdir()), "an example leaves files behind"


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_that_a_user_calls_has_an_example(name: str) -> None:
    module = importlib.import_module(name)
    shown = {test.name.removeprefix(f"{name}.") for test in examples_of(module)}
    functions = {key for key, value in vars(module).items() if callable(value) and not inspect.isclass(value)}
    classes = {key for key, value in vars(module).items() if inspect.isclass(value) and hasattr(value, "compute")}
    own = {key for key in functions | classes if getattr(vars(module)[key], "__module__", "") == name}
    called = {key for key in own if not key.startswith("_") and key in getattr(module, "__all__", own)}
    assert called <= shown


def test_every_public_name_is_in_an_example() -> None:
    public = {name: getattr(unipath_bench, name) for name in unipath_bench.__all__ if name != "__version__"}
    shown = {
        word
        for module in {value.__module__ for value in public.values()}
        for test in examples_of(importlib.import_module(module))
        for example in test.examples
        for word in re.findall(r"\w+", example.source)
    }
    # The functions that carry out an evaluation have a page, whose code tests/test_docs.py runs.
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text("utf-8")
    assert set(public) <= shown | set(re.findall(r"\w+", page))


def test_an_example_that_is_wrong_is_found(capsys: Output) -> None:
    wrong = ModuleType("wrong", "Two and two.\n\n>>> 2 + 2\n5\n")
    [test] = examples_of(wrong)
    assert doctest.DocTestRunner().run(test).failed == 1
    assert "Got:\n    4" in capsys.readouterr().out
