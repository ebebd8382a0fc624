"""The commands as a user meets them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from unipath_bench.cli.app import invoke
from unipath_bench.cli.options import parse_arguments, parse_names
from unipath_bench.core.errors import UsageError
from unipath_bench.options import parse_tiers
from unipath_bench.schema.record import RunRecord

Output = pytest.CaptureFixture[str]


def printed(capsys: Output, *arguments: str | Path) -> str:
    assert invoke([str(a) for a in arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "tiers"),
    [("1-4", (1, 2, 3, 4)), ("2", (2,)), ("1,3", (1, 3)), ("4,1-2", (1, 2, 4)), (" 1 - 2 ", (1, 2))],
)
def test_tiers(text: str, tiers: tuple[int, ...]) -> None:
    assert parse_tiers(text) == tiers


@pytest.mark.parametrize("text", ["", "0", "1-5", "a", "1;2", "2-1"])
def test_no_tiers(text: str) -> None:
    with pytest.raises(UsageError):
        parse_tiers(text)


def test_arguments_are_yaml_scalars_and_lists() -> None:
    items = ["steps=30", "scale=1.5", "names=[a, b]", "on=true", "text=a=b"]
    assert parse_arguments(items, "--x") == {
        "steps": 30,
        "scale": 1.5,
        "names": ["a", "b"],
        "on": True,
        "text": "a=b",
    }
    for bad in (["x"], ["x=1", "x=2"], ["1x=3"], ["x=[1"]):
        with pytest.raises(UsageError, match="--x"):
            parse_arguments(bad, "--x")


def test_names_may_be_repeated_or_separated_by_commas() -> None:
    assert parse_names(["a,b", "c"]) == ("a", "b", "c")


def test_help_names_every_command_and_the_exit_codes(capsys: Output) -> None:
    text = " ".join(printed(capsys, "--help").split())
    for command in ("run", "plan", "prompts", "report", "compare", "ui", "list", "show", "doctor", "schema"):
        assert command in text
    assert "Exit codes" in text


@pytest.mark.parametrize(
    "kind", ["models", "suites", "tasks", "encoders", "metrics", "loaders", "executors", "outputs"]
)
def test_list(capsys: Output, kind: str) -> None:
    rows = json.loads(printed(capsys, "list", kind, "--json"))[kind]
    assert {r["name"] for r in rows} >= {
        "models": {"real", "memoriser", "shuffled", "mode-collapse", "blur", "stain-shift", "noise"},
        "suites": {"folder", "parquet", "huggingface", "micrograph"},
        "tasks": {"frechet-distance", "attribute-control", "memorisation"},
        "encoders": {"texture"},
        "metrics": {"frechet"},
        "loaders": {"timm", "transformers", "open_clip"},
        "executors": {"local", "processes", "ray"},
        "outputs": {"mlflow", "report"},
    }[kind]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("memoriser", "model"),
        ("frechet-distance", "task"),
        ("texture", "encoder"),
        ("frechet", "metric"),
        ("folder", "suite"),
    ],
)
def test_show(capsys: Output, name: str, kind: str) -> None:
    assert kind in json.loads(printed(capsys, "show", name, "--json"))


def test_schema_prints_a_json_schema(capsys: Output) -> None:
    schema = json.loads(printed(capsys, "schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == "RunRecord"


def test_doctor_reports_each_encoder(capsys: Output, tmp_path: Path) -> None:
    findings = {
        f["subject"]: f for f in json.loads(printed(capsys, "doctor", "--offline", "--out", tmp_path, "--json"))
    }
    assert findings["Encoder texture"]["verdict"] == "ok"
    assert all(f["remedy"] for f in findings.values() if f["verdict"] == "missing")


@pytest.mark.integration
def test_plan_counts_before_anything_runs(capsys: Output, small_tiles: Path, tmp_path: Path) -> None:
    arguments: list[str | Path] = [
        "--model",
        "tests.adapters:Painter",
        "--suite",
        "folder",
        "--data",
        small_tiles,
        "--out",
        tmp_path / "out",
        "--n",
        "12",
        "--seeds",
        "2",
    ]
    document = json.loads(printed(capsys, "plan", *arguments, "--json"))
    counts = document["plan"]["counts"]
    assert counts["generated"] == 24
    assert document["cost"]["to_generate"] == 24 + counts["variants"]
    images = counts["generated"] + counts["variants"] + counts["reference"] + counts["train"] + counts["heldout"]
    assert document["cost"]["to_embed"] == {"texture": images}
    assert not (tmp_path / "out").exists()
    invoke([str(a) for a in ["run", *arguments, "--tiers", "1"]])
    capsys.readouterr()
    assert json.loads(printed(capsys, "plan", *arguments, "--json"))["cost"]["to_generate"] == counts["variants"]


@pytest.mark.integration
def test_the_images_of_ones_own_code_by_way_of_prompts(capsys: Output, small_tiles: Path, tmp_path: Path) -> None:
    from PIL import Image

    from tests.adapters import Painter
    from unipath_bench.contracts import Request

    table = tmp_path / "requests.csv"
    assert (
        invoke(
            [
                "prompts",
                str(table),
                "--suite",
                "folder",
                "--data",
                str(small_tiles),
                "--n",
                "20",
                "--seeds",
                "2",
            ]
        )
        == 0
    )
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 40
    for row in rows:
        request = Request(
            row["sample_id"],
            row["prompt"],
            int(row["seed"]),
            int(row["replicate"]),
            int(row["height"]),
            int(row["width"]),
        )
        path = tmp_path / "images" / row["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(Painter().generate([request])[0]).save(path)
    capsys.readouterr()
    common: list[str | Path] = [
        "--suite",
        "folder",
        "--data",
        small_tiles,
        "--n",
        "20",
        "--seeds",
        "2",
        "--tasks",
        "frechet-distance,attribute-control",
        "--json",
    ]
    mine = json.loads(printed(capsys, "run", "--images", tmp_path / "images", *common, "--out", tmp_path / "a"))
    direct = json.loads(printed(capsys, "run", "--model", "tests.adapters:Painter", *common, "--out", tmp_path / "b"))
    assert mine["scores"] == direct["scores"]
    (next((tmp_path / "images").rglob("*.png"))).unlink()
    assert invoke(["run", "--images", str(tmp_path / "images"), *map(str, common), "--out", str(tmp_path / "c")]) == 4
    assert "issing" in capsys.readouterr().err


@pytest.mark.integration
def test_run_writes_every_view(capsys: Output, small_tiles: Path, tmp_path: Path) -> None:
    arguments: list[str | Path] = [
        "run",
        "--model",
        "tests.adapters:Painter",
        "--suite",
        "folder",
        "--data",
        small_tiles,
        "--n",
        "24",
        "--out",
        tmp_path,
    ]
    text = printed(capsys, *arguments)
    assert "Frechet distance" in text
    folder = next((tmp_path / "runs").iterdir())
    record = RunRecord.model_validate_json((folder / "record.json").read_text())
    assert record.name == folder.name
    page = (folder / "report.html").read_text()
    assert "painter" in page
    assert "http://" not in page.replace("http://www.w3.org", "")

    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("unipath-bench")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1
    assert runs[0].data.metrics
    printed(capsys, *arguments)
    assert len(client.search_runs([experiment.experiment_id])) == 1
    assert "painter" in printed(capsys, "show", folder)
    before = (folder / "report.html").read_bytes()
    printed(capsys, "report", folder)
    assert (folder / "report.html").read_bytes() == before


@pytest.mark.integration
def test_a_run_that_is_not_tracked_can_be_logged_later(capsys: Output, small_tiles: Path, tmp_path: Path) -> None:
    arguments: list[str | Path] = ["run", "--model", "tests.adapters:Painter", "--suite", "folder"]
    arguments += ["--data", small_tiles, "--n", "24"]
    text = printed(capsys, *arguments, "--tasks", "frechet-distance", "--out", tmp_path, "--no-mlflow")
    folder = next((tmp_path / "runs").iterdir())
    assert (folder / "report.html").exists()
    assert not (tmp_path / "mlflow.db").exists()
    assert f"not logged; later: unipath-bench import {folder}" in text
    printed(capsys, "import", folder, "--out", tmp_path)
    assert (tmp_path / "mlflow.db").exists()


@pytest.mark.integration
def test_the_former_spelling_of_no_mlflow_works_and_says_its_new_one(
    capsys: Output, small_tiles: Path, tmp_path: Path
) -> None:
    arguments = ["run", "--model", "tests.adapters:Painter", "--suite", "folder", "--data", str(small_tiles)]
    arguments += ["--n", "24", "--tasks", "kernel-distance", "--out", str(tmp_path), "--no-track"]
    assert invoke(arguments) == 0
    assert "now --mlflow and --no-mlflow" in capsys.readouterr().err
    assert not (tmp_path / "mlflow.db").exists()
