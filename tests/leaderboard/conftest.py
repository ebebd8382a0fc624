"""A tiny board on the phantom, runs for it, and the archives that they hand in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.leaderboard import entrants, forging
from tests.leaderboard.entrants import SUITE
from unipath_bench.leaderboard.submission.writing import build_archive
from unipath_bench.options import Options
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.run import run
from unipath_bench.results.run_folder import RunFolder

TASKS = ("kernel-distance", "image-to-image-recall", "clip-score", "memorisation")


@pytest.fixture(scope="session")
def entrants_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The entrants as a submitter's module lies: by itself, in no package. It is named ``entrants:NAME``."""
    folder = tmp_path_factory.mktemp("entrants")
    shutil.copy(entrants.__file__, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory, entrants_alone: None) -> forging.Arena:
    """Where the submissions of this session are made, checked and kept."""
    root = tmp_path_factory.mktemp("arena")
    made: dict[str, RunFolder] = {}

    def compete(name: str) -> RunFolder:
        if name not in made:
            model = f"entrants:{name}" if hasattr(entrants, name) else name
            options = Options(model=model, suite="phantom", suite_arguments=SUITE, tasks=TASKS, n=32)
            made[name] = run(make_plan(options), root / "out")
        return made[name]

    def submit(name: str) -> Path:
        path = root / f"{name}.zip"
        if not path.exists():
            build_archive(compete(name).path, path, "MIT; images CC0")
        return path

    board = root / "boards" / "tiny"
    (board / "entries").mkdir(parents=True)
    rules = forging.board_of(compete("Honest").load_record())
    (board / "board.yaml").write_text(yaml.safe_dump(rules.model_dump(mode="json")))
    return forging.Arena(root, board, compete, submit)
