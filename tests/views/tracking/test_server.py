"""MLflow's page on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from unipath_bench.core.errors import UsageError
from unipath_bench.views.tracking import serve
from unipath_bench.views.tracking.client import connected, experiment_id
from unipath_bench.views.tracking.server import HOST, run_pages, server_command, server_environment


def test_a_taken_port_is_said_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"Port {port} on 127\.0\.0\.1") as caught:
            serve("sqlite:///unused.db", port=port)
    assert "--port" in caught.value.remedy


def test_a_server_is_not_served() -> None:
    with pytest.raises(UsageError, match="is a server already"):
        serve("https://mlflow.example.org")


def test_loopback_only_one_worker_no_jobs_no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    command = server_command("sqlite:////data/mlflow.db", 5001)
    pairs = dict(pairwise(command))
    assert pairs["--host"] == "127.0.0.1"
    assert pairs["--workers"] == "1"
    assert pairs["--default-artifact-root"] == "file:///data/mlartifacts"
    assert server_environment()["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert server_environment()["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ


@pytest.mark.integration
def test_the_pages_of_our_experiments_are_named(tmp_path: Path) -> None:
    """MLflow's front page leads to one for traces, whatever the experiment's kind."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with connected(uri, "") as client:
        client.create_experiment("somebody else's")
        number = experiment_id(client, "stains", None)
    assert run_pages(uri) == {"stains": f"#/experiments/{number}/runs?workflowType=machine_learning"}


@pytest.mark.integration
def test_it_answers_and_leaves_no_process_behind(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    code = f"from unipath_bench.views.tracking import serve; serve('sqlite:///{tmp_path}/mlflow.db', port={port})"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://{HOST}:{port}/health", process)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
        _, alive = psutil.wait_procs(children, timeout=30)
        assert alive == []
    finally:
        process.kill()
        process.wait()
    assert {p.name.split("-")[0] for p in tmp_path.iterdir()} <= {"mlflow.db", "mlartifacts"}


def _wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.3)
    pytest.fail(f"{address} did not answer within {seconds} s")
