"""An MLflow run that is open while its evaluation runs, and says how it ended."""

from __future__ import annotations

import logging
import platform
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from unipath_bench.core.errors import DataError
from unipath_bench.schema.record import PlanRecord
from unipath_bench.views.tracking import entries
from unipath_bench.views.tracking.client import EXPERIMENT, QUIETLY, artifact_location, connected, experiment_id, quiet
from unipath_bench.views.tracking.owner import BEAT, Owner, read_word, user, word
from unipath_bench.views.tracking.signals import Terminated, stoppable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PROCESS, ALIVE, MACHINE = "unipath_bench.process", "unipath_bench.alive", "unipath_bench.machine"
_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known of a run before it begins."""

    run_id: str
    name: str
    plan: PlanRecord
    framework: str


@contextmanager
def track(
    evaluation: Evaluation, out: Path, *, tracking_uri: str, experiment: str = EXPERIMENT, beat: float | None = None
) -> Iterator[str]:
    """Open the MLflow run of an evaluation for the time of the ``with`` block; yields the id of the MLflow run.

    It is RUNNING meanwhile, with a tag every ``beat`` seconds (a minute) that says so. An exception leaves it FAILED,
    Ctrl-C, SIGTERM and SIGHUP leave it KILLED; :func:`~unipath_bench.views.tracking.log_run` makes it FINISHED. A run
    of the same evaluation that ended early, or whose process is gone, is taken up again; one that another process
    works on is left alone, and a second one opened. Other runs of the experiment whose process is gone are marked
    KILLED.

    Raises :class:`~unipath_bench.UsageError` before the block where MLflow refuses the URI or does not answer.
    """
    remedy = "Correct --tracking-uri, start the server, or leave --tracking-uri out: SQLite in the output folder."
    with connected(tracking_uri, remedy, first_contact=True) as client:
        location = artifact_location(tracking_uri, out / "runs" / evaluation.name)
        where = experiment_id(client, experiment, location)
        mark_vanished(client, where)
        run, fresh = _take_up(client, where, evaluation)
    with _Closing(client, run, keep=not fresh), _Pulse(client, run, beat or BEAT.total_seconds()), stoppable():
        yield run


def mark_vanished(client: MlflowClient, experiment: str) -> list[str]:
    """Mark as KILLED the RUNNING runs of an experiment whose process is gone; returns their MLflow ids."""
    now = datetime.now(UTC)
    found = []
    for run in client.search_runs([experiment], filter_string="attributes.status = 'RUNNING'", max_results=1000):
        owner = Owner.read(run.data.tags.get(PROCESS))
        if owner is not None and owner.is_gone(read_word(run.data.tags.get(ALIVE)), now):
            _end(client, run.info.run_id, "KILLED", f"killed: its process is gone (found by {platform.node()})")
            found.append(str(run.info.run_id))
    return found


def _take_up(client: MlflowClient, experiment: str, evaluation: Evaluation) -> tuple[str, bool]:
    """The MLflow run of the evaluation, and whether it has no record yet: its end is then this block's to say."""
    facts = {
        PROCESS: Owner.here().text,
        ALIVE: word(),
        MACHINE: platform.node(),
        entries.STATE: "running",
    }
    held = _find(client, experiment, evaluation.run_id)
    if held is None:
        tags = {**entries.plan_tags(evaluation.run_id, evaluation.plan), **facts, "mlflow.user": user()}
        made = client.create_run(experiment, tags={**tags, entries.ATTEMPTS: "1"}, run_name=evaluation.name)
        run = str(made.info.run_id)
        _log_parameters(client, run, entries.plan_parameters(evaluation.plan, evaluation.framework))
        return run, True
    run = str(held.info.run_id)
    if held.info.status == "FINISHED":
        return run, False
    facts[entries.ATTEMPTS] = str(int(held.data.tags.get(entries.ATTEMPTS, "1")) + 1)
    client.update_run(run, status="RUNNING")
    _log_tags(client, run, facts)
    return run, True


def _find(client: MlflowClient, experiment: str, run_id: str) -> Run | None:
    """The run to take up again: a finished one before one that ended early; none that another process works on."""
    found = find_runs(client, experiment, run_id)
    here, now = Owner.here(), datetime.now(UTC)
    free = []
    for run in found:
        owner = Owner.read(run.data.tags.get(PROCESS))
        busy = run.info.status == "RUNNING" and owner is not None and owner != here
        if not (busy and owner is not None and not owner.is_gone(read_word(run.data.tags.get(ALIVE)), now)):
            free.append(run)
    return min(free, key=lambda run: run.info.status != "FINISHED", default=None)


def find_runs(client: MlflowClient, experiment: str, run_id: str) -> list[Run]:
    """The MLflow runs of an evaluation, the newest first.

    Raises :class:`~unipath_bench.DataError` for an id that no run of this project has: it would become part of
    MLflow's query.
    """
    if not _ID.fullmatch(run_id):
        raise DataError(f"{run_id!r} is no id of a run.", "Only records that `unipath-bench run` wrote can be logged.")
    return list(
        client.search_runs([experiment], filter_string=f"tags.`{entries.RUN_ID}` = '{run_id}'", max_results=100)
    )


class _Closing:
    """Says how the block ended, if not well."""

    def __init__(self, client: MlflowClient, run: str, *, keep: bool) -> None:
        self._client = client
        self._run = run
        self._keep = keep

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None or self._keep:
            return
        from mlflow.exceptions import MlflowException

        if isinstance(error, KeyboardInterrupt):
            status, said = "KILLED", f"killed: {error if isinstance(error, Terminated) else 'Ctrl-C'}"
        else:
            status, said = "FAILED", f"failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:500]
        try:
            _end(self._client, self._run, status, said)
        except MlflowException as refused:
            error.add_note(f"MLflow could not be told of it ({str(refused).splitlines()[0]}); the next run will.")


class _Pulse:
    """Says now and then that the run is alive, from a thread that ends with the block."""

    def __init__(self, client: MlflowClient, run: str, seconds: float) -> None:
        self._client = client
        self._run = run
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="unipath-bench-mlflow", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        from mlflow.exceptions import MlflowException

        while not self._over.wait(self._seconds):
            try:
                self._client.set_tag(self._run, ALIVE, word())
            except MlflowException as error:
                _log.info("MLflow did not answer: %s", error)


def _end(client: MlflowClient, run: str, status: str, said: str) -> None:
    with quiet(QUIETLY):
        client.set_tag(run, entries.STATE, said)
        client.set_terminated(run, status)


def _log_parameters(client: MlflowClient, run: str, parameters: dict[str, str]) -> None:
    from mlflow.entities import Param

    client.log_batch(run, params=[Param(key, value) for key, value in parameters.items()])


def _log_tags(client: MlflowClient, run: str, tags: dict[str, str]) -> None:
    from mlflow.entities import RunTag

    client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])
