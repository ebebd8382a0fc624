"""The documentation says what is there: tasks, commands, options, names, links; and its code runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.docs_checks import DOCS, README, blocks, complaints, facts, shell_commands
from unipath_bench.audit.catalogue import DEFECTS
from unipath_bench.cli.app import invoke
from unipath_bench.contracts import Request
from unipath_bench.core.registries import ENCODERS, METRICS, SUITES
from unipath_bench.generators.cards import list_models
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.catalogue import load_tasks

TASKS = load_tasks()
PLUGIN = {"stripes"}
"""Registered by tests/plugin, the package of a third party."""
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
Output = pytest.CaptureFixture[str]


def name_of(page: Path) -> str:
    return page.relative_to(DOCS.parent).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(TASKS))
def test_every_task_has_a_page_with_its_facts_and_figures(name: str) -> None:
    spec, page = TASKS[name], text_of(DOCS / "tasks" / f"{name}.md")
    assert page.startswith(f"# {spec.title}\n")
    assert facts(spec) in page
    places = [page.index(f"\n## {heading}\n") for heading in ("What it measures", "How", "Limits", "Reference figures")]
    assert places == sorted(places)
    quoted = re.findall(r"^\| (.+) \| ([\d.]+) \| (.+) \| (.+) \|$", page[places[-1] :], flags=re.MULTILINE)
    assert quoted == [(f.metric, f"{f.value:g}", f.dataset, f.source) for f in spec.published]


def test_every_page_of_a_task_has_a_task_and_is_linked() -> None:
    assert {page.stem for page in (DOCS / "tasks").glob("*.md")} == set(TASKS)
    overview = text_of(DOCS / "tasks.md")
    for name in TASKS:
        assert f"[`{name}`](tasks/{name}.md)" in overview


@pytest.mark.integration
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_is_one_that_the_command_line_knows(page: Path) -> None:
    wrong = {" ".join(words): complaints(words) for words in shell_commands(text_of(page))}
    assert not {command: found for command, found in wrong.items() if found}


def test_commands_that_are_wrong_are_found() -> None:
    page = "```bash\nFOO=1 unipath-bench plan --model a \\\n  --prob  # --this is a comment\nunipath-bench pla\nls\n```"
    first, second = shell_commands(page)
    assert complaints(first) == ["plan has no option --prob"]
    assert complaints(second) == ["no command pla"]
    assert complaints(["unipath-bench", "run", "--model"]) == ["--model has no value"]
    assert complaints(["unipath-bench", "data", "check", "folder", "--data", "X", "--n=3"]) == []


def values_of(words: list[str], option: str) -> list[str]:
    """Names given to an option, without roles; placeholders in capitals, files and module:attr are left out."""
    given = [words[i + 1] for i, word in enumerate(words[:-1]) if word == option]
    names = [name.rpartition("=")[2] for value in given for name in value.split(",")]
    return [name for name in names if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name) and not name.endswith(".yaml")]


@pytest.mark.integration
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_name_in_a_command_is_a_registered_one(page: Path) -> None:
    for words in shell_commands(text_of(page)):
        if words[1:2] not in (["run"], ["plan"], ["audit"], ["prompts"]):
            continue
        assert set(values_of(words, "--suite")) <= set(SUITES.names()), words
        assert set(values_of(words, "--tasks")) <= set(TASKS), words
        assert set(values_of(words, "--encoder")) <= set(ENCODERS.names()), words
        assert set(values_of(words, "--defects")) <= set(DEFECTS), words
        assert set(values_of(words, "--model")) <= {model.name for model in list_models()} | PLUGIN, words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", text_of(found), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target


def test_every_task_that_is_shown_is_a_valid_one() -> None:
    shown = [yaml.safe_load(block) for page in PAGES for block in blocks(text_of(page), "yaml")]
    tasks = [TaskSpec.model_validate(document) for document in shown if "tier" in document]
    assert {task.name for task in tasks} >= {"my-frechet", "control-by-head"}
    assert {task.metric for task in tasks} <= set(METRICS.names())


@pytest.fixture
def written_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's blocks of Python as ``my_model.py`` in a folder that Python looks in."""
    code = "\n\n".join(blocks(text_of(DOCS / "write-an-adapter.md"), "python"))
    (tmp_path / "my_model.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_model", raising=False)
    return tmp_path


@pytest.mark.integration
def test_the_adapters_of_the_page_run(written_adapter: Path, small_tiles: Path, capsys: Output) -> None:
    suite = ["--suite", "folder", "--data", str(small_tiles), "--n", "8", "--tasks", "frechet-distance"]
    arguments = ["plan", *suite, "--out", str(written_adapter / "out"), "--probe"]
    for model in (["my_model:Pink"], ["my_model:Speckled", "--model-arg", "radius=3"]):
        assert invoke([*arguments, "--model", *model]) == 0, capsys.readouterr().err
    colour = written_adapter / "colour.txt"
    tinted = ["--model", "my_model:Tinted", "--model-arg", f"weights={colour}"]
    assert invoke([*arguments, *tinted]) == 3
    assert "Write three numbers to" in capsys.readouterr().err
    colour.write_text("200 150 220")
    assert invoke([*arguments, *tinted]) == 0, capsys.readouterr().err


def test_the_adapters_of_the_page_keep_the_rule(written_adapter: Path) -> None:
    import my_model  # type: ignore[import-not-found]

    requests = [Request(f"s{i}", "three dark nuclei", 7 * i, 0, 16, 24) for i in range(3)]
    assert my_model.same_whatever_the_batch(my_model.Pink(), requests)
    assert my_model.same_whatever_the_batch(my_model.Speckled(), requests)
    images = my_model.Speckled().generate(requests)
    assert images[0].shape == (16, 24, 3)
    assert not np.array_equal(images[0], images[1])

    class Careless(my_model.Pink):
        asked = 0

        def generate(self, requests):
            self.asked += len(requests)
            return [image - np.uint8(self.asked) for image in super().generate(requests)]

    assert not my_model.same_whatever_the_batch(Careless(), requests)


@pytest.mark.integration
def test_the_code_of_the_python_page_runs(
    small_tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    (tmp_path / "TILES").symlink_to(small_tiles)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "notebook"}
    for block in blocks(text_of(DOCS / "python.md"), "python"):
        exec(compile(block, "docs/python.md", "exec"), names)
    shown = capsys.readouterr().out
    assert "Frechet distance" in shown
    assert "frechet-distance[texture] distance" in shown
    assert "attribute-control[texture] will be computed" in shown
    assert "Did you mean 'memoriser'?" in shown
    assert {score.status for score in names["record"].scores} == {"computed", "not computed"}
    assert Path("side-by-side.html").is_file()
    assert len(list(Path("runs/runs").iterdir())) == 3


def test_the_metric_of_the_tasks_page_is_one() -> None:
    (code,) = (block for block in blocks(text_of(DOCS / "tasks.md"), "python") if "@metric" in block)
    found: dict[str, Any] = {}
    exec(compile(code, "docs/tasks.md", "exec"), found)
    from unipath_bench.contracts import FeatureSet, ScoreInputs

    sets = {
        "reference": FeatureSet(("a", "b"), np.zeros((2, 2), np.float32)),
        "generated": FeatureSet(("a", "b"), np.asarray([[3, 0], [3, 8]], np.float32)),
    }
    assert found["mean_shift"](ScoreInputs(sets)).values == {"shift": 5.0}  # means (0, 0) and (3, 4)
