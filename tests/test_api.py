"""The Python entrance: the command line's options as keywords, objects or names, and the same record."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import unipath_bench as ub
from tests.adapters import Painter
from unipath_bench import api
from unipath_bench.cli import options as opt
from unipath_bench.cli.app import invoke
from unipath_bench.core.console import Console
from unipath_bench.encoders.texture import TextureEncoder
from unipath_bench.options import Option, Options, OutputSettings, RunOptions, describe
from unipath_bench.pipeline.options import OptionsDocument
from unipath_bench.schema.record import RunRecord
from unipath_bench.suites.folder import FolderSuite
from unipath_bench.views.output import Finished, Output
from unipath_bench.views.report.output import Report

TASKS = ("frechet-distance", "attribute-control")
HEAVY = "torch transformers diffusers mlflow sklearn scipy ray matplotlib pandas huggingface_hub"


def timeless(record: RunRecord, *, spelling: bool = True) -> dict[str, Any]:
    """A record without its times and, unless ``spelling``, without how the user named model and suite."""
    found = record.model_dump(exclude={"timing"})
    if not spelling:
        del found["run_id"], found["name"]
        for name in ("model_spec", "suite_spec", "suite_data"):
            del found["plan"][name]
    return found


@pytest.mark.integration
def test_objects_names_and_the_command_line_give_one_record(
    small_tiles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "--model", "tests.adapters:Painter", "--suite", "folder", "--data", str(small_tiles)]
    arguments += ["--tiers", "1,3", "--tasks", ",".join(TASKS), "--n", "24", "--seeds", "2", "--encoder", "texture"]
    assert invoke([*arguments, "--out", str(tmp_path / "line"), "--no-mlflow", "--json"]) == 0
    line = RunRecord.model_validate_json(capsys.readouterr().out)
    named = ub.evaluate(
        "tests.adapters:Painter",
        suite="folder",
        data=small_tiles,
        tiers="1,3",
        tasks=TASKS,
        n=24,
        seeds=2,
        encoders="texture",
        out=tmp_path / "named",
        mlflow=False,
    )
    assert timeless(named.record) == timeless(line)
    tasks = [task for task in ub.list_tasks((1, 3)) if task.name in TASKS]
    objects = ub.evaluate(
        Painter(),
        suite=FolderSuite(str(small_tiles)),
        tasks=tasks,
        n=24,
        seeds=2,
        encoders=[TextureEncoder(), ("judge", "texture")],
        out=str(tmp_path / "objects"),
        outputs=(),
    )
    judged = ub.plan(
        Painter, suite=FolderSuite, data=small_tiles, tasks=tasks, n=24, seeds=2, encoders=["texture", "judge=texture"]
    )
    again = ub.carry_out(judged, tmp_path / "named", outputs=())
    assert again.record.timing.images_generated == 0
    assert timeless(objects.record, spelling=False) == timeless(again.record, spelling=False)
    assert {score.status for score in objects.record.scores} == {"computed"}


@pytest.fixture(scope="module")
def finished(small_tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> ub.Result:
    """A small evaluation of which only the report was written."""
    return ub.evaluate(
        Painter(),
        suite="folder",
        data=small_tiles,
        tasks="kernel-distance",
        n=20,
        out=tmp_path_factory.mktemp("finished"),
        outputs=["report"],
    )


@pytest.mark.integration
def test_a_result_shows_itself_and_is_taken_for_a_run(finished: ub.Result, tmp_path: Path) -> None:
    folder = finished.folder.path
    assert {path.name for path in folder.iterdir()} == {"record.json", "report.html", "exhibits"}
    assert not (folder.parents[1] / "mlflow.db").exists()
    stream = io.StringIO()
    finished.show(Console(file=stream, width=200))
    assert "Kernel distance" in stream.getvalue()
    assert stream.getvalue().endswith(f"Record  {folder / 'record.json'}\nReport  {folder / 'report.html'}\n")
    assert ub.load_record(folder) == ub.load_record(str(folder / "record.json")) == finished.record
    page = ub.write_report(finished, tmp_path / "again.html")
    assert page.read_bytes() == (folder / "report.html").read_bytes()
    other = finished.record.model_copy(update={"name": "other", "run_id": "0" * 64})
    comparison = ub.compare(finished, other, html=tmp_path / "side.html")
    assert {row.key for row in comparison.rows} == {"kernel-distance[texture]"}
    assert timeless(ub.load_record(folder)) == timeless(finished.record)
    assert (tmp_path / "side.html").is_file()
    with pytest.raises(ub.UsageError, match="two runs or more"):
        ub.compare(finished)


class Stopwatch(Output):
    """Writes a file."""

    reads = ("report",)

    def write(self, finished: Finished) -> str:
        """Say what there is."""
        assert (finished.folder.path / "report.html").exists()
        return f"Seen  {self.settings.experiment}"


@pytest.mark.integration
def test_outputs_are_names_or_classes(
    finished: ub.Result, small_tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "from the environment")
    options: dict[str, Any] = {"suite": "folder", "data": small_tiles, "tasks": "kernel-distance", "n": 20}
    out = finished.folder.path.parents[1]
    both = ub.evaluate(Painter, **options, out=out, outputs=[Stopwatch, Report])
    assert [message.split()[0] for message in both.messages] == ["Report", "Seen"]
    assert both.messages[1] == "Seen  from the environment"
    named = ub.evaluate(Painter, **options, out=out, outputs=["report", "tests.test_api:Stopwatch"], experiment="mine")
    assert named.messages[1] == "Seen  mine"
    wrong: dict[str, Any] = {"no output named 'reprot'": "reprot", "builtins:dict is no output": dict, "3 is no": 3}
    for message, output in wrong.items():
        with pytest.raises(ub.UsageError, match=message):
            ub.evaluate(Painter, **options, out=tmp_path, outputs=[output])
    assert not list(tmp_path.iterdir())


@pytest.mark.integration
def test_parts_are_merged(small_tiles: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"suite": "folder", "data": small_tiles, "tasks": "kernel-distance", "n": 40}
    for number in (1, 2):
        told = ub.evaluate_part("tests.adapters:Painter", **options, part=(number, 2), out=tmp_path / str(number))
        assert f"Part {number} of 2 is complete" in told
    with pytest.raises(ub.UsageError, match="lacking: 2"):
        ub.merge([tmp_path / "1"])
    settings = OutputSettings(mlflow=False)
    merged = ub.merge([tmp_path / "1", tmp_path / "2"], tmp_path / "whole", settings=settings)
    alone = ub.evaluate("tests.adapters:Painter", **options, out=tmp_path / "alone", outputs=())
    assert timeless(merged.record) == timeless(alone.record)
    assert merged.record.timing.images_generated == 0


@pytest.mark.parametrize(
    ("options", "message", "remedy"),
    [
        ({"sedes": 2}, "evaluate has no option 'sedes'", "'seeds'"),
        ({"encoder": "texture"}, "no option 'encoder'", "'encoders'"),
        ({"n": "24"}, "n is '24'", "whole number"),
        ({"n": True}, "n is True", "whole number"),
        ({"batch_size": 0}, "batch_size is 0", "1 or more"),
        ({"timeout": "soon"}, "timeout is 'soon'", "a number"),
        ({"offline": "yes"}, "offline is 'yes'", "True or False"),
        ({"tiers": "1-5"}, "names no tiers", "1 to 4"),
        ({"tiers": [1, 7]}, "names no tiers", "1 to 4"),
        ({"suite": "phantm"}, "no suite named 'phantm'", "'phantom'"),
        ({"tasks": ["kernel-distanse"]}, "no task named", "'kernel-distance'"),
        ({"encoders": {"judge": "texture"}}, "no encoder named 'judge'", "Known|mean"),
        ({"executor": "slurm"}, "no executor named 'slurm'", "local"),
        ({"images": "here"}, "--images goes with --model folder", "Leave"),
    ],
    ids=str,
)
def test_what_is_wrong_with_the_options_is_said(
    options: dict[str, Any], message: str, remedy: str, tmp_path: Path
) -> None:
    with pytest.raises(ub.UsageError, match=message) as caught:
        ub.evaluate("real", **options, out=tmp_path)
    assert remedy.split("|")[0] in caught.value.remedy or remedy.split("|")[-1] in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_without_a_model_the_remedy_is_named() -> None:
    with pytest.raises(ub.UsageError, match="No generator was named"):
        ub.plan()
    with pytest.raises(ub.UsageError, match="list_requests has no option 'model'"):
        ub.list_requests(model="real")
    with pytest.raises(ub.UsageError, match="names no part"):
        ub.evaluate_part("real")


def test_images_are_short_for_the_model_folder(small_tiles: Path, tmp_path: Path) -> None:
    requests = ub.list_requests(suite="folder", data=small_tiles, n=4, seeds=2)
    assert [request.replicate for request in requests] == [0] * 4 + [1] * 4
    from PIL import Image

    from unipath_bench.generators.folder import expected_file_name

    for request in requests:
        path = tmp_path / expected_file_name(request)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((request.height, request.width, 3), np.uint8)).save(path)
    planned = ub.plan(images=tmp_path, suite="folder", data=small_tiles, n=4, seeds=2, model_arguments={"paired": True})
    assert planned.options == Options(
        "folder",
        suite="folder",
        data=small_tiles,
        n=4,
        seeds=2,
        model_arguments={"paired": True, "images": str(tmp_path)},
    )
    assert OptionsDocument.of(planned.options).options() == Options(
        "folder",
        suite="folder",
        data=str(small_tiles),
        n=4,
        seeds=2,
        model_arguments={"paired": True, "images": str(tmp_path)},
    )


class Watchful(Painter):
    """Notes whether the hub may be asked."""

    seen: Sequence[tuple[str | None, bool]] = ()

    def check(self, requests: Sequence[ub.Request]) -> None:
        """Look around."""
        from huggingface_hub import constants

        Watchful.seen = [*Watchful.seen, (os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE)]


def test_offline_holds_for_the_call_alone(small_tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(Watchful, "seen", ())
    for offline in (True, False):
        ub.plan(Watchful, suite="folder", data=small_tiles, tasks="kernel-distance", offline=offline)
    assert Watchful.seen == [("1", True), (None, False)]


def test_an_option_is_written_in_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class More(Options):
        zoom: Annotated[float, Option("--zoom", "-z", metavar="TIMES", help="Enlarge.", panel="How", least=1)] = 2.0

    received: list[Any] = []

    @api._takes(More)
    def enlarge(options: More) -> float:
        """Enlarge."""
        return options.zoom

    @opt.take(More)
    def command(given: opt.Given) -> None:
        received.append(enlarge(**given))

    assert (enlarge(), enlarge("real", zoom=3)) == (2.0, 3)
    assert "zoom: Enlarge." in (enlarge.__doc__ or "")
    with pytest.raises(ub.UsageError, match=r"zoom is 0\.5"):
        enlarge(zoom=0.5)
    application = typer.Typer()
    application.command()(command)
    assert CliRunner().invoke(application, ["-z", "4"]).exit_code == 0
    assert received == [4.0]
    assert CliRunner().invoke(application, ["--zoom", "0.5"]).exit_code == 2
    assert "TIMES" in CliRunner().invoke(application, ["--help"]).output


def test_a_command_gives_the_function_what_the_user_gave_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: dict[str, Any] = {}
    result = SimpleNamespace(show=lambda: None)
    monkeypatch.setattr(api, "evaluate", lambda **given: taken.update(given) or result)
    arguments = ["--model", "real", "--model-arg", "a=[1, 2]", "-e", "x,judge=y", "-e", "z", "--no-mlflow"]
    assert invoke(["run", *arguments]) == 0
    assert taken.pop("progress") is not None
    encoders = ("x", "judge=y", "z")
    chosen = {"model": "real", "model_arguments": {"a": [1, 2]}, "encoders": encoders, "mlflow": False}
    defaults = {name: each.default for name, each in describe(RunOptions).items() if each.option.names}
    assert chosen.items() <= taken.items()
    assert {**defaults, **taken} == {**defaults, **chosen}


@pytest.mark.integration
def test_the_package_is_imported_without_a_heavy_one() -> None:
    code = f"import sys, unipath_bench; heavy = set('{HEAVY}'.split()) & set(sys.modules); assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True)
