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

import pytest

SCRIPT = """
import sys
from pathlib import Path
from unipath_bench.pipeline.plan import Options, make_plan
from unipath_bench.pipeline.run import run
data, out = sys.argv[1:]
options = Options(model="adapters:Painter", model_arguments={"delay": 0.02}, suite="folder", data=data, tiers=(1, 3))
print("started", flush=True)
print(run(make_plan(options), Path(out), batch_size=4).record, flush=True)
"""


def start(data: Path, out: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(data), str(out)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def finish(data: Path, out: Path) -> dict[str, object]:
    process = start(data, out)
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
