"""The benchmarks run, and their table is printed: one tiny row of each file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = {
    "test_kernels.py": "Frechet-500x64",
    "test_reference.py": "test_reference_kernel",
    "test_sampling.py": "test_sampling",
}
"""For each file of benchmarks, what selects a row of it."""


@pytest.mark.integration
def test_the_table_has_a_row_of_every_file(tmp_path: Path) -> None:
    assert set(ROWS) == {path.name for path in (ROOT / "tests" / "benchmarks").glob("test_*.py")}
    selection = " or ".join(ROWS.values())
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "tests.benchmarks.table",
        tmp_path / "bench.json",
        "--tiny",
        "-k",
        selection,
    ]
    # A worker of xdist would tell the benchmarks that others disturb them.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "|"]
    assert table[0] == ["kernel", "implementation", "seconds", "times ours", "peak MB", "relative difference"]
    ours = [row for row in table if row[1] == "unipath-bench"]
    assert [row[0].split(",")[0] for row in ours] == ["Frechet", "reference kernel", "UniPath"]
    peers = [row for row in table[2:] if row[1] != "unipath-bench"]
    assert {row[1] for row in peers} >= {
        "torch-fidelity",
        "torchmetrics",
        "unipath-bench, four per call",
        "released way",
    }
    assert all(re.fullmatch(r"\d+\.\d\d", row[3]) for row in peers)
