"""Killed with -9 at a random moment, over and over, then resumed: the record of an undisturbed run.

``-m slow`` does it at 200 moments, each followed by a whole run whose record is compared."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.integration

SCRIPT = """
import sys
from pathlib import Path
from unipath_bench.pipeline.executors import Execution
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.options import Options
from unipath_bench.pipeline.run import run
data, out, kind, delay = sys.argv[1:]
painter = {"model": "tests.adapters:Painter", "model_arguments": {"delay": float(delay)}}
options = Options(**painter, suite="folder", data=data, tiers=(1, 3))
execution = Execution(executor=kind, workers=1 if kind == "local" else 2)
print("started", flush=True)
print(run(make_plan(options), Path(out), batch_size=4, execution=execution).record, flush=True)
"""


def start(data: Path, out: Path, kind: str = "local", delay: float = 0.02) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(data), str(out), kind, str(delay)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def finish(data: Path, out: Path, kind: str = "local") -> dict[str, object]:
    process = start(data, out, kind)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    record: dict[str, object] = json.loads(Path(printed.strip()).read_text())
    return record


def timeless(record: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in record.items() if key != "timing"}


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_two_hundred_moments_all_give_the_same_record(small_tiles: Path, tmp_path: Path) -> None:
    begun = time.monotonic()
    undisturbed = finish(small_tiles, tmp_path / "undisturbed")
    length = time.monotonic() - begun
    moments = random.Random(9)
    killed = 0
    for number in range(200):
        out = tmp_path / str(number)
        process = start(small_tiles, out)
        time.sleep(moments.uniform(0, length))
        process.send_signal(signal.SIGKILL)
        killed += process.wait(timeout=60) == -signal.SIGKILL
        assert timeless(finish(small_tiles, out)) == timeless(undisturbed)
        shutil.rmtree(out)
    assert killed >= 150


def test_a_run_killed_ten_times_gives_the_same_record(small_tiles: Path, tmp_path: Path) -> None:
    begun = time.monotonic()
    undisturbed = finish(small_tiles, tmp_path / "undisturbed")
    length = time.monotonic() - begun
    out = tmp_path / "killed"
    moments = random.Random(8)
    killed = 0
    for _ in range(10):
        process = start(small_tiles, out)
        time.sleep(moments.uniform(0, 0.5 * length))
        process.send_signal(signal.SIGKILL)
        killed += process.wait(timeout=60) == -signal.SIGKILL
    assert killed >= 1
    resumed = finish(small_tiles, out)
    assert timeless(resumed) == timeless(undisturbed)
    timing, undisturbed_timing = resumed["timing"], undisturbed["timing"]
    assert isinstance(timing, dict)
    assert isinstance(undisturbed_timing, dict)
    assert timing["images_generated"] <= undisturbed_timing["images_generated"]


@pytest.mark.parametrize(
    ("kind", "lost_by"),
    [("processes", signal.SIGTERM), pytest.param("ray", signal.SIGKILL, marks=pytest.mark.slow)],
)
def test_a_lost_driver_takes_its_workers_along_and_the_next_one_goes_on(
    small_tiles: Path, tmp_path: Path, kind: str, lost_by: signal.Signals
) -> None:
    """``SIGTERM`` is what a batch system sends to a job that it preempts."""
    out = tmp_path / "lost"
    driver = start(small_tiles, out, kind, delay=0.1)
    deadline = time.monotonic() + 240
    while not list(out.rglob("samples/**/*.parquet")):
        assert driver.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = psutil.Process(driver.pid).children(recursive=True)
    workers = [child for child in children if "Agent" not in child.name()]  # Ray's own, which hold no model, end later.
    assert len(workers) >= 2
    driver.send_signal(lost_by)
    assert driver.wait(timeout=60) == -lost_by
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert [process.name() for process in alive] == []
    resumed = finish(small_tiles, out, kind)
    assert timeless(resumed) == timeless(finish(small_tiles, tmp_path / "undisturbed"))
    timing = resumed["timing"]
    assert isinstance(timing, dict)
    assert timing["images_generated"] < 40
