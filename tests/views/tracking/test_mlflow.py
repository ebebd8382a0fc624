"""Runs in a real MLflow with SQLite."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import made_up_records as made_up
from unipath_bench.core.errors import UsageError
from unipath_bench.schema.record import RunRecord
from unipath_bench.views.image_grid import sample_grid
from unipath_bench.views.report import write_report
from unipath_bench.views.tracking import log_run
from unipath_bench.views.tracking.client import artifact_location
from unipath_bench.views.tracking.entries import RUN_ID, attributes_csv, metrics, parameters

pytestmark = pytest.mark.integration

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def finished(folder: Path, record: RunRecord) -> Path:
    """A run's folder as the pipeline leaves it."""
    path = folder / "runs" / record.name
    made_up.exhibits().save(path / "exhibits")
    write_report(record, None, path / "report.html", made_up.tasks())
    return path


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Two runs logged, the first of them twice, from an empty working folder."""
    from mlflow import MlflowClient

    root, here = tmp_path_factory.mktemp("out put"), tmp_path_factory.mktemp("elsewhere")
    uri = f"sqlite:///{root / 'mlflow.db'}"
    records = [made_up.record(), made_up.record("real", flagged=False, shift=-0.2, kind="phantom")]
    before = Path.cwd()
    os.chdir(here)
    try:
        ids = [log_run(r, finished(root, r), tracking_uri=uri, tasks=made_up.tasks()) for r in records]
        again = log_run(records[0], finished(root, records[0]), tracking_uri=uri, tasks=made_up.tasks())
        yield SimpleNamespace(
            root=root, here=here, uri=uri, records=records, ids=ids, again=again, client=MlflowClient(uri)
        )
    finally:
        os.chdir(before)


def test_one_run_an_evaluation_and_the_same_again(logged: SimpleNamespace) -> None:
    assert logged.again == logged.ids[0]
    assert len(set(logged.ids)) == 2
    experiment = logged.client.get_experiment_by_name("unipath-bench")
    runs = logged.client.search_runs([experiment.experiment_id])
    assert {run.info.run_id for run in runs} == set(logged.ids)
    assert {run.info.run_name for run in runs} == {record.name for record in logged.records}
    assert {run.info.status for run in runs} == {"FINISHED"}
    history = logged.client.get_metric_history(logged.ids[0], "tier1/frechet-distance.texture")
    assert [entry.value for entry in history] == [41.2]


def test_every_number_is_a_metric(logged: SimpleNamespace) -> None:
    held = logged.client.get_run(logged.ids[0]).data.metrics
    record: RunRecord = logged.records[0]
    assert held == metrics(record)
    assert held["value/frechet-distance.texture.frechet_distance"] == 41.2
    assert held["tier1/frechet-distance.texture"] == 41.2
    assert held["scale/frechet-distance.texture.frechet_distance.good_end"] == 22.5
    assert held["scale/frechet-distance.texture.frechet_distance.bad_end"] == 484.0
    # (484 - 41.2) / (484 - 22.5) of the scale
    assert held["position/frechet-distance.texture"] == pytest.approx(100 * 442.8 / 461.5)
    assert held["tier4/third-party-colour"] == 3.1
    assert not [key for key in held if "virchow2" in key or "plip" in key]  # not computed: no number
    values = [v for s in record.scores for v in s.values.values()]
    assert sum(key.startswith("value/") for key in held) == len(values)
    assert sum(key.startswith("tier") for key in held) == sum(v.headline for v in values)


def test_parameters_and_tags(logged: SimpleNamespace) -> None:
    first, second = (logged.client.get_run(i).data for i in logged.ids)
    assert first.params == parameters(logged.records[0], made_up.tasks())
    assert (first.params["model"], first.params["n"], first.params["tiers"]) == ("memoriser", "572", "1,2,3,4")
    assert first.params["task.memorisation"] == "version 1, metric memorisation"
    assert first.params["task.third-party-colour"] == "version 1"
    assert first.tags[RUN_ID] == logged.records[0].run_id
    assert (first.tags["unipath_bench.kind"], second.tags["unipath_bench.kind"]) == ("tissue", "phantom")
    assert (first.tags["unipath_bench.memorisation"], second.tags["unipath_bench.memorisation"]) == (
        "flagged",
        "not flagged",
    )
    assert first.tags["unipath_bench.coupled"] == "image-to-image-recall[conch]"
    assert first.tags["unipath_bench.not_computed"] == "frechet-distance[virchow2], clip-score[plip]"
    assert "phantom: The suite is a procedural test object" in second.tags["mlflow.note.content"]


def test_the_suite_is_the_run_s_data_set(logged: SimpleNamespace) -> None:
    inputs = logged.client.get_run(logged.ids[0]).inputs.dataset_inputs
    assert len(inputs) == 1
    dataset = inputs[0].dataset
    revision = logged.records[0].plan.suite_revision
    assert (dataset.name, dataset.digest) == ("folder", revision[:36])
    assert json.loads(dataset.source)["revision"] == revision
    assert json.loads(dataset.profile)["kind"] == "tissue"


def test_artifacts_lie_beside_the_database(logged: SimpleNamespace, tmp_path: Path) -> None:
    run = logged.ids[0]
    names = {item.path for item in logged.client.list_artifacts(run)}
    assert names == {"record.json", "report.html", "samples.png", "attributes.csv"}
    assert (logged.root / "mlartifacts" / run / "artifacts" / "record.json").exists()
    got = {name: Path(logged.client.download_artifacts(run, name, str(tmp_path))) for name in names}
    assert RunRecord.model_validate_json(got["record.json"].read_text(encoding="utf-8")) == logged.records[0]
    np.testing.assert_array_equal(np.asarray(Image.open(got["samples.png"])), sample_grid(made_up.exhibits()))
    assert (
        got["report.html"].read_bytes() == (logged.root / "runs" / logged.records[0].name / "report.html").read_bytes()
    )
    rows = list(csv.DictReader(io.StringIO(got["attributes.csv"].read_text(encoding="utf-8"))))
    assert [(r["attribute"], r["weighted_f1"], r["ece"]) for r in rows] == [
        ("label", "0.928", "0.031"),
        ("haemorrhage", "0.77", "0.052"),
    ]


def test_no_trace_in_the_working_folder_or_in_mlflow_s_settings(logged: SimpleNamespace) -> None:
    import mlflow

    assert list(logged.here.iterdir()) == []
    assert str(logged.root) not in mlflow.get_tracking_uri()
    assert mlflow.active_run() is None
    assert list(logged.here.iterdir()) == []


def test_one_batch_a_run(logged: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    calls: list[int] = []
    batch = MlflowClient.log_batch

    def counted(self: Any, run_id: str, metrics: Any = (), **rest: Any) -> Any:
        calls.append(len(metrics))
        return batch(self, run_id, metrics=metrics, **rest)

    monkeypatch.setattr(MlflowClient, "log_batch", counted)
    for single in ("log_metric", "log_param"):
        monkeypatch.delattr(MlflowClient, single)
    record = made_up.record("third")
    log_run(record, logged.root / "nothing there", tracking_uri=logged.uri, tasks={}, experiment="other")
    assert calls == [len(metrics(record))]


def test_a_changed_number_becomes_the_run_s_newest(logged: SimpleNamespace) -> None:
    record = made_up.record("fourth")
    run = log_run(record, logged.root / "none", tracking_uri=logged.uri, tasks={}, experiment="other")
    value = made_up.value(12.5, "Fréchet distance", "lower")
    score = record.scores[0].model_copy(update={"values": {"frechet_distance": value}})
    timing = record.timing.model_copy(update={"finished_at": "2026-01-06T10:00:00+00:00"})
    changed = record.model_copy(update={"scores": (score, *record.scores[1:]), "timing": timing})
    assert log_run(changed, logged.root / "none", tracking_uri=logged.uri, tasks={}, experiment="other") == run
    assert logged.client.get_run(run).data.metrics["tier1/frechet-distance.texture"] == 12.5


def test_the_environment_and_the_loggers_are_as_before(
    logged: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    level = logging.getLogger("mlflow").level
    log_run(made_up.record(), logged.root / "none", tracking_uri=logged.uri, tasks={}, experiment="other")
    assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ
    assert logging.getLogger("mlflow").level == level


@pytest.mark.parametrize("uri", ["file:///nowhere/mlruns", "gopher://example.invalid"])
def test_a_tracking_uri_that_mlflow_refuses_is_the_user_s_to_mend(uri: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"did not take the run") as caught:
        log_run(made_up.record(), tmp_path, tracking_uri=uri, tasks={})
    assert "--tracking-uri" in caught.value.remedy
    assert "unipath-bench import" in caught.value.remedy


def test_names_that_mlflow_would_refuse_are_made_legal() -> None:
    odd = made_up.score("odd", 1, "Odd", {"a/b@1": made_up.value(1.0, "x", "lower")}, encoder="module:Class")
    keys = metrics(made_up.record(some=[odd]))
    assert keys == {"tier1/odd.module_Class": 1.0, "value/odd.module_Class.a_b_1": 1.0}


def test_a_place_beyond_the_scale_is_held_at_its_end() -> None:
    # -3 lies below the bad end 0, 7 above the good end 5; 1 lies a fifth of the way
    values = {"below": -3.0, "above": 7.0, "within": 1.0}
    scores = [
        made_up.score(name, 2, name, {"v": made_up.value(x, "", "higher", (0.0, 5.0))}) for name, x in values.items()
    ]
    keys = metrics(made_up.record(some=scores))
    places = {key: keys[key] for key in keys if key.startswith("position/")}
    assert places == {
        "position/below.texture": 0.0,
        "position/above.texture": 100.0,
        "position/within.texture": pytest.approx(20.0),
    }
    assert keys["tier2/below.texture"] == -3.0


def test_a_model_s_arguments_are_parameters_numbers_as_numbers() -> None:
    record = made_up.record()
    arguments = {"strength": 0.5, "steps": 30, "mode": "blur", "sizes": [1, 2], "on": True}
    model = record.plan.model.model_copy(update={"arguments": arguments})
    plan = record.plan.model_copy(update={"model": model, "suite_arguments": {"fold": 3}})
    found = parameters(record.model_copy(update={"plan": plan}), {})
    assert {key: text for key, text in found.items() if "argument" in key} == {
        "model.argument.strength": "0.5",
        "model.argument.steps": "30",
        "model.argument.mode": "blur",
        "model.argument.sizes": "[1, 2]",
        "model.argument.on": "True",
        "suite.argument.fold": "3",
    }


def test_a_data_set_that_another_run_brings_at_the_same_time_is_brought_again(
    logged: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    refusals = [MlflowException("UNIQUE constraint failed: datasets.name")] * 2
    bring = MlflowClient.log_inputs

    def refused(self: Any, run_id: str, **more: Any) -> None:
        if refusals:
            raise refusals.pop()
        bring(self, run_id, **more)

    monkeypatch.setattr(MlflowClient, "log_inputs", refused)
    record = made_up.record("crowded")
    run = log_run(record, logged.root / "none", tracking_uri=logged.uri, tasks={}, experiment="other")
    assert len(logged.client.get_run(run).inputs.dataset_inputs) == 1
    refusals += [MlflowException("no")] * 10
    with pytest.raises(UsageError, match="did not take the run: no"):
        log_run(made_up.record("fifth"), logged.root / "none", tracking_uri=logged.uri, tasks={}, experiment="other")


def test_no_attributes_no_table() -> None:
    assert attributes_csv(made_up.record(some=[])) == ""


def test_where_artifacts_go(tmp_path: Path) -> None:
    assert artifact_location("https://mlflow.example.org", tmp_path) is None
    assert artifact_location("sqlite:////data/x/mlflow.db", tmp_path) == "file:///data/x/mlartifacts"
    assert artifact_location("sqlite:////data/x/mlflow.db?timeout=5", tmp_path) == "file:///data/x/mlartifacts"
    assert artifact_location("sqlite:///mlflow.db", tmp_path) == (Path.cwd() / "mlartifacts").as_uri()
    assert artifact_location("postgresql://host/db", tmp_path / "run") == (tmp_path / "mlartifacts").as_uri()
