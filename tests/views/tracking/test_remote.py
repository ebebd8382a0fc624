"""Several processes log into one experiment of a remote server that keeps the artifacts itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import made_up_records as made_up
from unipath_bench.schema.record import RunRecord
from unipath_bench.views.image_grid import sample_grid
from unipath_bench.views.tracking.entries import STATE
from unipath_bench.views.tracking.server import HOST, server_environment

pytestmark = pytest.mark.integration

MACHINE = """
import sys
from tests import made_up_records as made_up
from pathlib import Path
from unipath_bench.views.report import write_report
from unipath_bench.views.tracking import Evaluation, log_run, track
uri, model, out = sys.argv[1:]
record, folder = made_up.record(model), Path(out) / "runs" / model
made_up.exhibits().save(folder / "exhibits")
write_report(record, None, folder / "report.html", {})
print("ready", flush=True)
sys.stdin.readline()
evaluation = Evaluation(record.run_id, record.name, record.plan, record.framework_version)
with track(evaluation, Path(out), tracking_uri=uri, experiment="team") as run:
    log_run(record, folder, tracking_uri=uri, tasks={}, mlflow_run=run)
print(run, flush=True)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """(address, folder of the artifacts) of the server that docs/tracking.md describes."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--serve-artifacts"),
        *("--artifacts-destination", (folder / "kept").as_uri()),
    ]
    process = subprocess.Popen(
        command, cwd=folder, env=server_environment(), start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://{HOST}:{port}/health", process)
        yield f"http://{HOST}:{port}", folder / "kept"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def _wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.3)
    pytest.fail(f"{address} did not answer within {seconds} s")


def test_two_processes_one_experiment_artifacts_at_the_server(server: tuple[str, Path], tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri, kept = server
    search = os.pathsep.join([str(Path(__file__).parents[3]), *(p for p in sys.path if p)])
    environment = {**os.environ, "PYTHONPATH": search, "MLFLOW_DISABLE_TELEMETRY": "true"}
    models, machines = ("left", "right"), []
    for model in models:
        (tmp_path / model).mkdir()
        machines.append(
            subprocess.Popen(
                [sys.executable, "-c", MACHINE, uri, model, str(tmp_path / model)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
                cwd=tmp_path / model,
            )
        )
    try:
        for machine in machines:
            assert machine.stdout is not None
            assert machine.stdout.readline() == "ready\n"
        for machine in machines:  # both at once find that there is no experiment yet
            assert machine.stdin is not None
            machine.stdin.write("go\n")
            machine.stdin.flush()
        ids = [machine.communicate(timeout=400)[0].strip() for machine in machines]
    finally:
        for machine in machines:
            machine.kill()
    assert [machine.returncode for machine in machines] == [0, 0]
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("team")
    assert experiment is not None
    assert experiment.artifact_location.startswith("mlflow-artifacts:")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_id for run in runs} == set(ids)
    assert {run.data.params["model"] for run in runs} == set(models)
    assert {(run.info.status, run.data.tags[STATE]) for run in runs} == {("FINISHED", "complete")}
    for run in ids:
        names = {item.path for item in client.list_artifacts(run)}
        assert names == {"record.json", "report.html", "samples.png", "attributes.csv"}
        assert len(list(kept.rglob(f"{run}/artifacts/*"))) == len(names)
    got = Path(client.download_artifacts(ids[0], "record.json", str(tmp_path)))
    assert RunRecord.model_validate_json(got.read_text(encoding="utf-8")) == made_up.record("left")
    grid = client.download_artifacts(ids[1], "samples.png", str(tmp_path))
    np.testing.assert_array_equal(np.asarray(Image.open(grid)), sample_grid(made_up.exhibits()))
    for model in models:  # nothing of MLflow's lies on the machines that logged
        assert [path.name for path in (tmp_path / model).iterdir()] == ["runs"]
