"""The wheel carries tasks, baselines and boards, and runs from an empty folder in a clean environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_data_and_code_are_inside_and_tests_are_not(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("tasks", "baselines"):
        for path in (ROOT / folder).rglob("*.yaml"):
            assert f"unipath_bench/_data/{path.relative_to(ROOT).as_posix()}" in names
    boards = ROOT / "leaderboards"
    for path in [*boards.glob("*/board.yaml"), *boards.glob("*/entries/*/*")]:
        assert f"unipath_bench/_data/{path.relative_to(ROOT).as_posix()}" in names
    assert not [name for name in names if name.endswith(".zip")]
    assert "unipath_bench/py.typed" in names
    for weights in ("image", "clip", "judge", "bank"):
        assert f"unipath_bench/phantom/encoders/weights/phantom-{weights}.safetensors" in names
    assert not {n.split("/")[0] for n in names} - {
        "unipath_bench",
        "reference_model",
        f"{wheel.name.split('-py3')[0]}.dist-info",
    }


def test_it_runs_from_an_empty_folder_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    """The environment holds the wheel alone; the dependencies are lent to it by a path file, so none is downloaded."""
    environment = tmp_path / "env"
    venv.create(environment, with_pip=False, symlinks=True)
    site = next((environment / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    python = environment / "bin" / "python"
    where = subprocess.run(
        [python, "-c", "import unipath_bench; print(unipath_bench.__file__)"],
        cwd=empty,
        env=clean,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(site))
    command: list[str | Path] = [python, "-m", "unipath_bench", "run", "--model", "noise", "--n", "20", "--json"]
    done = subprocess.run(command, cwd=empty, env=clean, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert {s["tier"] for s in record["scores"]} == {1, 2, 3, 4}
    # The weights of the phantom's encoders come with the wheel: nothing is left to download.
    assert {s["status"] for s in record["scores"]} == {"computed"}
    assert [p.name for p in empty.iterdir()] == ["unipath-bench-runs"]
