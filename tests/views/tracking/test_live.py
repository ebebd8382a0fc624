"""A run in MLflow from its beginning: how it says that it runs, that it ended early, and that it goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import made_up_records as made_up
from unipath_bench.cli.app import invoke
from unipath_bench.core.errors import EXIT_BAD_DATA, EXIT_DONE, DataError, UsageError
from unipath_bench.results.run_folder import load_record
from unipath_bench.schema.record import RunRecord
from unipath_bench.views.tracking import Evaluation, log_run, track
from unipath_bench.views.tracking.entries import ATTEMPTS, RUN_ID, STATE
from unipath_bench.views.tracking.live import ALIVE, PROCESS, find_runs, mark_vanished
from unipath_bench.views.tracking.owner import SILENCE, Owner, read_word, word
from unipath_bench.views.tracking.signals import stoppable

pytestmark = pytest.mark.integration

if TYPE_CHECKING:
    from mlflow import MlflowClient

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

CHILD = """
import signal, sys, time
from tests import made_up_records as made_up
from pathlib import Path
from unipath_bench.views.tracking import Evaluation, track
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever started the tests may ignore it
record = made_up.record(sys.argv[2])
evaluation = Evaluation(record.run_id, record.name, record.plan, record.framework_version)
with track(evaluation, Path("."), tracking_uri=sys.argv[1]) as run:
    print(run, flush=True)
    time.sleep(600)
"""


def evaluation(record: RunRecord) -> Evaluation:
    return Evaluation(record.run_id, record.name, record.plan, record.framework_version)


def experiment_of(client: MlflowClient, name: str) -> str:
    """The id of an experiment that is there."""
    found = client.get_experiment_by_name(name)
    assert found is not None
    return found.experiment_id


class Mlflow:
    """A database and what it says."""

    def __init__(self, folder: Path) -> None:
        from mlflow import MlflowClient

        self.folder = folder
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.client = MlflowClient(self.uri)

    @contextmanager
    def track(self, record: RunRecord, **options: Any) -> Iterator[str]:
        with track(evaluation(record), self.folder, tracking_uri=self.uri, **options) as run:
            yield run

    def finish(self, record: RunRecord, run: str | None) -> str:
        return log_run(record, self.folder / "none", tracking_uri=self.uri, tasks={}, mlflow_run=run)

    def said(self, run: str) -> tuple[str, str]:
        """(status, state)"""
        found = self.client.get_run(run)
        return found.info.status, found.data.tags[STATE]


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Mlflow:
    return Mlflow(tmp_path_factory.mktemp("tracked"))


def test_running_with_its_parameters_then_finished(mlflow: Mlflow) -> None:
    record = made_up.record("whole")
    with mlflow.track(record) as run:
        held = mlflow.client.get_run(run)
        assert mlflow.said(run) == ("RUNNING", "running")
        assert held.info.run_name == record.name
        assert held.data.tags[RUN_ID] == record.run_id
        assert (held.data.params["model"], held.data.params["n"], held.data.params["images"]) == ("whole", "572", "572")
        assert Owner.read(held.data.tags[PROCESS]) == Owner.here()
        assert held.data.metrics == {}
        assert mlflow.finish(record, run) == run
    assert mlflow.said(run) == ("FINISHED", "complete")
    assert mlflow.client.get_run(run).data.metrics["tier1/frechet-distance.texture"] == 41.2


def test_an_exception_leaves_it_failed_and_the_next_attempt_takes_it_up(mlflow: Mlflow) -> None:
    record = made_up.record("unlucky")
    with pytest.raises(RuntimeError, match="no milk"), mlflow.track(record) as first:
        raise RuntimeError("no milk\nand no sugar")
    assert mlflow.said(first) == ("FAILED", "failed: RuntimeError: no milk")
    with mlflow.track(record) as second:
        assert second == first
        assert mlflow.said(second) == ("RUNNING", "running")
        assert mlflow.client.get_run(second).data.tags[ATTEMPTS] == "2"
        mlflow.finish(record, second)
    assert mlflow.said(second) == ("FINISHED", "complete")


def test_ctrl_c_and_a_polite_kill_leave_it_killed(mlflow: Mlflow) -> None:
    record = made_up.record("impatient")
    with pytest.raises(KeyboardInterrupt), mlflow.track(record) as run:
        raise KeyboardInterrupt
    assert mlflow.said(run) == ("KILLED", "killed: Ctrl-C")
    for number in (signal.SIGTERM, signal.SIGHUP):
        # In a process of its own: the one that runs the tests may handle these signals itself.
        with working(mlflow, "impatient") as (process, again):
            assert again == run
            process.send_signal(number)
            assert process.wait(timeout=60) != 0
        assert mlflow.said(run) == ("KILLED", f"killed: {number.name}")


@contextmanager
def working(mlflow: Mlflow, name: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that tracks the run of that record, and the run's id."""
    search = os.pathsep.join([str(Path(__file__).parents[3]), *(p for p in sys.path if p)])
    command = [sys.executable, "-c", CHILD, mlflow.uri, name]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONPATH": search}
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(timeout=60)


def test_a_signal_that_somebody_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_finished_run_that_is_repeated_and_interrupted_stays_finished(mlflow: Mlflow) -> None:
    record = made_up.record("done")
    with mlflow.track(record) as run:
        mlflow.finish(record, run)
    with pytest.raises(KeyboardInterrupt), mlflow.track(record) as again:
        raise KeyboardInterrupt
    assert again == run
    assert mlflow.said(run) == ("FINISHED", "complete")


def test_a_vanished_process_is_found_at_the_next_start_and_a_working_one_left_alone(mlflow: Mlflow) -> None:
    search = os.pathsep.join([str(Path(__file__).parents[3]), *(p for p in sys.path if p)])
    command = [sys.executable, "-c", CHILD, mlflow.uri, "worker"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": search})
    try:
        assert process.stdout is not None
        theirs = process.stdout.readline().strip()
        assert mlflow.said(theirs) == ("RUNNING", "running")
        record = made_up.record("worker")
        with mlflow.track(record) as mine:  # the same evaluation, while the other works on it
            assert mine != theirs
            assert mlflow.said(theirs) == ("RUNNING", "running")
            mlflow.finish(record, mine)
        mlflow.client.delete_run(mine)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        assert mlflow.said(theirs) == ("RUNNING", "running")  # nobody has looked yet
        with mlflow.track(made_up.record("another")) as other:
            status, state = mlflow.said(theirs)
            assert status == "KILLED"
            assert state.startswith("killed: its process is gone")
            mlflow.finish(made_up.record("another"), other)
        with mlflow.track(record) as resumed:
            assert resumed == theirs
            mlflow.finish(record, resumed)
        assert mlflow.said(theirs) == ("FINISHED", "complete")
    finally:
        process.kill()
        process.wait()


def test_another_machine_s_run_counts_as_gone_after_a_long_silence(mlflow: Mlflow) -> None:
    experiment = experiment_of(mlflow.client, "unipath-bench")
    elsewhere = Owner("another machine", 1, 0.0)
    now = datetime.now(UTC)
    runs = {
        age: mlflow.client.create_run(experiment, tags={PROCESS: elsewhere.text, ALIVE: word(now - age)}).info.run_id
        for age in (SILENCE / 2, SILENCE * 2)
    }
    stranger = mlflow.client.create_run(experiment).info.run_id  # somebody's run that says nothing of itself
    assert mark_vanished(mlflow.client, experiment) == [runs[SILENCE * 2]]
    assert mlflow.client.get_run(runs[SILENCE / 2]).info.status == "RUNNING"
    assert mlflow.client.get_run(stranger).info.status == "RUNNING"


def test_who_is_gone() -> None:
    now, here = datetime.now(UTC), Owner.here()
    assert not here.is_gone(None, now)
    assert not here.is_gone(now - timedelta(days=1), now)  # looked up, whatever the tag says
    assert Owner(here.machine, here.pid, here.started - 3600).is_gone(now, now)  # a later process of this number
    assert Owner.read(here.text) == here
    for text in (None, "", "[]", "{}", '{"machine": 1}', '{"machine": "a", "pid": "x", "started": 1}'):
        assert Owner.read(text) is None
    assert read_word(word(now)) == now.replace(microsecond=0)
    assert read_word("yesterday") is None
    assert read_word("2026-01-01T00:00:00") is None


def test_it_says_now_and_then_that_it_is_alive(mlflow: Mlflow) -> None:
    record = made_up.record("steady")
    with mlflow.track(record, beat=0.05) as run:
        mlflow.client.set_tag(run, ALIVE, "long ago")
        until = time.monotonic() + 60
        while mlflow.client.get_run(run).data.tags[ALIVE] == "long ago" and time.monotonic() < until:
            time.sleep(0.05)
        assert read_word(mlflow.client.get_run(run).data.tags[ALIVE]) is not None
        mlflow.finish(record, run)


def test_a_server_that_is_gone_at_the_end_does_not_hide_the_error(
    mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def gone(*_: object, **__: object) -> None:
        raise MlflowException("connection refused")

    def cut_off() -> None:
        with mlflow.track(made_up.record("cut off")):
            monkeypatch.setattr(MlflowClient, "set_terminated", gone)
            raise ValueError("the real trouble")

    with pytest.raises(ValueError, match="the real trouble") as caught:
        cut_off()
    assert any("connection refused" in note for note in caught.value.__notes__)


def test_a_server_that_is_not_there_is_said_before_anything_is_computed(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    uri = f"http://127.0.0.1:{port}"
    tracked = track(evaluation(made_up.record()), tmp_path, tracking_uri=uri)
    with pytest.raises(UsageError, match=f"MLflow at {uri} did not take the run") as caught:
        tracked.__enter__()
    assert time.monotonic() - began < 60
    assert "start the server" in caught.value.remedy
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_from_the_command_line_failed_then_mended_then_imported_elsewhere(
    small_tiles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    out, team = tmp_path / "out", f"sqlite:///{tmp_path / 'team.db'}"
    common = ["--suite", "folder", "--data", str(small_tiles), "--tasks", "frechet-distance", "--n", "8"]
    (memo := tmp_path / "memo").mkdir()  # the adapter raises once
    trouble = ("trouble=raises", "sample=test/sparse/test014.png", f"memo={memo}")
    command = ["run", "--model", "tests.adapters:Troubled", *common, "--out", str(out), "--experiment", "cats"]
    command += [word for argument in trouble for word in ("--model-arg", argument)]
    assert invoke(command) == EXIT_BAD_DATA
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    experiment = experiment_of(client, "cats")
    (failed,) = client.search_runs([experiment])
    assert failed.info.status == "FAILED"
    assert "a poisoned prompt" in failed.data.tags[STATE]
    assert invoke(command) == EXIT_DONE
    (mended,) = client.search_runs([experiment])
    assert (mended.info.run_id, mended.info.status) == (failed.info.run_id, "FINISHED")
    assert mended.data.tags[ATTEMPTS] == "2"
    (folder,) = (out / "runs").iterdir()
    assert mended.data.tags[RUN_ID] == load_record(folder).run_id
    capsys.readouterr()
    for _ in range(2):
        assert invoke(["import", str(folder), "--tracking-uri", team, "--experiment", "pets"]) == EXIT_DONE
    there = MlflowClient(team)
    (imported,) = there.search_runs([experiment_of(there, "pets")])
    assert imported.info.status == "FINISHED"
    assert imported.data.metrics == mended.data.metrics
    assert {a.path for a in there.list_artifacts(imported.info.run_id)} >= {"record.json", "report.html", "samples.png"}
    assert imported.info.run_id in capsys.readouterr().out


@pytest.mark.parametrize("name", ["x' OR tags.a = 'b", "", "a b", "9" * 129])
def test_a_foreign_record_whose_id_is_none_is_refused_before_mlflow_is_asked(mlflow: Mlflow, name: str) -> None:
    with pytest.raises(DataError, match="is no id of a run"):
        find_runs(mlflow.client, "0", name)
