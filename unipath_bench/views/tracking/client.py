"""MLflow's client, quietly: which experiment, where artifacts go, and what a refusal says."""

from __future__ import annotations

import importlib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from unipath_bench.core.errors import UsageError
from unipath_bench.core.redaction import without_credentials
from unipath_bench.options import DEFAULT_EXPERIMENT

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = DEFAULT_EXPERIMENT
QUIETLY = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_NOISY = ("alembic", "mlflow")
KIND = ("mlflow.experimentKind", "custom_model_development")
"""Tag of our experiments: of runs and metrics rather than of traces."""
FIRST_CONTACT = "2"
"""Retries of a request before anything has been computed: a server that is not there is said within seconds."""


@contextmanager
def connected(tracking_uri: str, remedy: str, *, first_contact: bool = False) -> Iterator[MlflowClient]:
    """A client of the server or database at ``tracking_uri``; no global setting of MLflow is touched.

    What MLflow raises inside becomes a :class:`~unipath_bench.UsageError` with this remedy.
    """
    settings = dict(QUIETLY)
    if first_contact and _RETRIES not in os.environ:
        settings[_RETRIES] = FIRST_CONTACT
    with quiet(settings):
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        try:
            yield MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
        except MlflowException as error:
            raise UsageError(
                without_credentials(f"MLflow at {tracking_uri} did not take the run: {str(error).splitlines()[0]}"),
                remedy,
            ) from error


def experiment_id(client: MlflowClient, name: str, location: str | None) -> str:
    """The experiment of that name; made where it is not there, by whoever of several processes comes first."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=dict([KIND])))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage != "active":
        raise UsageError(
            f"MLflow's experiment {name!r} was deleted.", "Restore it there, or name another with --experiment."
        )
    return str(found.experiment_id)


def artifact_location(tracking_uri: str, run_folder: Path) -> str | None:
    """Where artifacts go: beside an SQLite file, beside the runs for another database, None (its own) for a server."""
    if re.match(r"https?://|databricks|uc:", tracking_uri):
        return None
    file = database_file(tracking_uri)
    folder = file.parent if file is not None else run_folder.absolute().parent
    return (folder / "mlartifacts").as_uri()


def default_tracking_uri(out: Path) -> str:
    """SQLite in the output folder."""
    return f"sqlite:///{(out / 'mlflow.db').absolute()}"


def database_file(tracking_uri: str) -> Path | None:
    """The SQLite file of a tracking URI; None for another kind."""
    found = re.fullmatch(r"sqlite:///(.+?)(\?.*)?", tracking_uri)
    return Path(found.group(1)).absolute() if found else None


@contextmanager
def quiet(settings: Mapping[str, str]) -> Iterator[None]:
    """Variables of the environment set, and MLflow's migration messages silenced; both as before afterwards."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    importlib.import_module("mlflow")  # sets its loggers' levels
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
