"""MLflow as an output of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from unipath_bench.core.files import storage_error
from unipath_bench.pipeline.place import Place
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.run import identify
from unipath_bench.views.output import Finished, Output
from unipath_bench.views.tracking.client import database_file, default_tracking_uri
from unipath_bench.views.tracking.live import Evaluation, track
from unipath_bench.views.tracking.mlflow import log_run


class Mlflow(Output):
    """The MLflow run of the evaluation, open while it works; the same evaluation keeps its MLflow run."""

    reads = ("report",)
    _run: str | None = None

    @contextmanager
    def open(self, plan: Plan, place: Place) -> Iterator[None]:
        """Open the MLflow run; :func:`~unipath_bench.views.tracking.track` says what becomes of it at an early end."""
        if not self.settings.mlflow:
            yield
            return
        uri = self._uri(place)
        file = database_file(uri)
        if file is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise storage_error(error, file) from error
        found = identify(plan)
        evaluation = Evaluation(found.run_id, found.name, found.plan, found.framework_version)
        with track(evaluation, place.folder, tracking_uri=uri, experiment=self.settings.experiment) as self._run:
            yield

    def write(self, finished: Finished) -> str:
        """Log the record, the report and the samples."""
        if not self.settings.mlflow:
            return f"MLflow  not logged; later: unipath-bench import {finished.folder.path}"
        uri = self._uri(finished.place)
        log_run(
            finished.record,
            finished.folder.path,
            tracking_uri=uri,
            experiment=self.settings.experiment,
            tasks=finished.tasks,
            mlflow_run=self._run,
        )
        if self.settings.tracking_uri is None:
            return f"MLflow  unipath-bench ui --out {finished.place.folder}"
        return f"MLflow  {uri}, experiment {self.settings.experiment}"

    def _uri(self, place: Place) -> str:
        return self.settings.tracking_uri or default_tracking_uri(place.folder)
