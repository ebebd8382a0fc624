"""Training curves in MLflow and, always, as lines of JSON beside the checkpoints."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reference_model.training.config import TrackingConfig, TrainingConfig
from unipath_bench.core.files import write_text

CURVES = "curves.jsonl"
_RUN = "mlflow-run.txt"


class Tracker:
    """Collects figures and writes them in batches. One MLflow run a training folder, resumed trainings included."""

    def __init__(self, folder: Path, *, active: bool = True) -> None:
        self.folder = folder
        self.active = active
        """False in all processes but one."""
        self._lines: list[str] = []
        self._metrics: list[tuple[str, float, int, int]] = []
        self._client: Any = None
        self._run = ""

    def open(self, config: TrainingConfig) -> None:
        """Start or go on with the MLflow run that the configuration asks for."""
        if not self.active or config.tracking.uri is None:
            return
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=config.tracking.uri)
        path = self.folder / _RUN
        if path.is_file():
            self._run = path.read_text(encoding="utf-8").strip()
            return
        run = self._client.create_run(_experiment(self._client, config.tracking), run_name=config.name)
        self._run = str(run.info.run_id)
        write_text(path, self._run + "\n")
        for name, value in _flat(config.model_dump(mode="json")).items():
            self._client.log_param(self._run, name, str(value)[:500])

    def log(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Keep figures of a stage at a step until :meth:`flush`."""
        if not self.active or not values:
            return
        self._lines.append(json.dumps({"stage": stage, "step": step, **values}))
        now = int(time.time() * 1000)
        self._metrics += [(f"{stage}/{name}", value, now, step) for name, value in values.items()]

    def flush(self) -> None:
        """Write what was kept."""
        if self._lines:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / CURVES).open("a", encoding="utf-8") as stream:
                stream.writelines(f"{line}\n" for line in self._lines)
        if self._client is not None and self._metrics:
            from mlflow.entities import Metric

            entries = [Metric(*entry) for entry in self._metrics]
            for start in range(0, len(entries), 1000):
                self._client.log_batch(self._run, metrics=entries[start : start + 1000])
        self._lines, self._metrics = [], []

    def close(self) -> None:
        """Write what was kept and end the run."""
        self.flush()
        if self._client is not None:
            self._client.set_terminated(self._run, "FINISHED")


def _experiment(client: Any, tracking: TrackingConfig) -> str:
    found = client.get_experiment_by_name(tracking.experiment)
    return str(found.experiment_id if found is not None else client.create_experiment(tracking.experiment))


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found.update(_flat(inner, f"{prefix}{name}.") if isinstance(inner, Mapping) else {f"{prefix}{name}": inner})
    return found
