"""Peak memory stays flat as the number of images grows: four seeds take no more than one, but for the features."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PROMPTS = 500

SCRIPT = """
import sys
from pathlib import Path
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.options import Options
from unipath_bench.pipeline.run import run
data, out, seeds = sys.argv[1:]
tasks = ("frechet-distance",)
options = Options(model="tests.adapters:Painter", suite="folder", data=data, n=500, seeds=int(seeds), tasks=tasks)
print(run(make_plan(options), Path(out)).record)
"""


def peak(real_tiles: Path, out: Path, seeds: int) -> tuple[float, int]:
    """(peak memory in MiB, features in it in bytes) of a run in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", SCRIPT, str(real_tiles), str(out), str(seeds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    record = json.loads(Path(done.stdout.strip()).read_text())
    counts, dimension = record["plan"]["counts"], record["plan"]["encoders"]["texture"]["dimension"]
    assert counts["generated"] == PROMPTS * seeds
    return record["timing"]["peak_memory_mib"], 4 * dimension * sum(counts.values())


def test_peak_memory_is_flat_in_the_number_of_images(real_tiles: Path, tmp_path: Path) -> None:
    one, features_of_one = peak(real_tiles, tmp_path / "out", 1)
    four, features_of_four = peak(real_tiles, tmp_path / "out", 4)
    more_features = (features_of_four - features_of_one) / 2**20
    assert four - more_features < 1.1 * one
