"""MLflow's own page on this machine."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess  # nosec B404
import sys
from pathlib import Path

from unipath_bench.core.console import Console
from unipath_bench.core.errors import MissingError, UsageError
from unipath_bench.core.redaction import without_credentials
from unipath_bench.views.tracking.client import KIND, artifact_location, connected
from unipath_bench.views.tracking.signals import stoppable

HOST = "127.0.0.1"


def serve(tracking_uri: str, port: int = 5000) -> None:
    """Run MLflow's server on loopback in the foreground until Ctrl-C; call it from the main thread.

    Raises :class:`~unipath_bench.UsageError` where the URI is a server already or the port is taken,
    :class:`~unipath_bench.MissingError` where MLflow does not start.
    """
    if re.match(r"https?://", tracking_uri):
        raise UsageError(f"{without_credentials(tracking_uri)} is a server already.", "Open it in a browser.")
    _require_free(port)
    pages = run_pages(tracking_uri)
    console = Console(stderr=True)
    console.print_line(f"MLflow: http://{HOST}:{port}   (Ctrl-C ends it)")
    for name, page in pages.items():
        console.print_line(f"Runs of {name}: http://{HOST}:{port}/{page}")
    with stoppable():
        process = subprocess.Popen(server_command(tracking_uri, port), env=server_environment(), start_new_session=True)  # nosec B603
        try:
            code = process.wait()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            return
    if code:
        raise MissingError(f"MLflow's server ended with code {code}.", "Its own message is above; try another --port.")


def run_pages(tracking_uri: str) -> dict[str, str]:
    """Return, by name, the pages of MLflow's site that list the runs of our experiments, the five that changed last.

    MLflow's front page leads to a page for traces, of which there are none.
    """
    with connected(tracking_uri, "Name the database that the runs were logged to.") as client:
        found = client.search_experiments(
            filter_string=f"tags.`{KIND[0]}` = '{KIND[1]}'", order_by=["last_update_time DESC"], max_results=5
        )
    return {e.name: f"#/experiments/{e.experiment_id}/runs?workflowType=machine_learning" for e in found}


def server_command(tracking_uri: str, port: int) -> list[str]:
    """The command that :func:`serve` runs: one worker, loopback only."""
    root = artifact_location(tracking_uri, Path.cwd() / "runs")
    return [
        *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri),
        *("--default-artifact-root", str(root), "--host", HOST, "--port", str(port), "--workers", "1"),
    ]


def server_environment() -> dict[str, str]:
    """This process's environment with MLflow's telemetry and job workers off."""
    return {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def _require_free(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"Port {port} on {HOST} cannot be used: {error.strerror}.", "Choose another with --port."
            ) from error
