"""What goes wrong on disk and around a run: nothing finished is lost, and no number changes.

Killed and hung workers, lost memory and poisoned prompts are in ``test_executors.py``, a killed driver in
``test_kill.py``."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.core.progress import Silent
from unipath_bench.options import Options
from unipath_bench.pipeline import run as run_module
from unipath_bench.pipeline.damage import DamagedShard
from unipath_bench.pipeline.lock import locked
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.run import run
from unipath_bench.pipeline.store import FeatureShardSet, SampleShardSet, Store
from unipath_bench.schema.record import RunRecord


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def options(small_tiles: Path) -> Options:
    return Options(
        model="tests.adapters:Painter",
        suite="folder",
        data=str(small_tiles),
        tasks=("frechet-distance", "attribute-control"),
    )


def evaluate(options: Options, out: Path, progress: Silent | None = None) -> RunRecord:
    return run(make_plan(options), out, progress=progress).load_record()


def timeless(record: RunRecord) -> str:
    return json.dumps(record.model_dump(mode="json", exclude={"timing"}), sort_keys=True)


def flip(path: Path) -> None:
    """Turn over one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def forge(path: Path) -> None:
    """Another image under the first one's digest, in a sound file."""
    family = SampleShardSet(path.parent)
    rows = family.read(path)
    family.write(path, [replace(rows[0], png=rows[1].png), *rows[1:]])


def replace_by_neighbour(path: Path) -> None:
    """A sound file of the same family under another's name."""
    path.write_bytes(next(other for other in sorted(path.parent.iterdir()) if other != path).read_bytes())


@pytest.mark.integration
@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("samples/**/*.parquet", replace_by_neighbour),
        ("features/**/*.safetensors", replace_by_neighbour),
        ("samples/**/*.parquet", flip),
        ("samples/**/*.parquet", cut),
        ("samples/**/*.parquet", forge),
        ("features/**/*.safetensors", flip),
        ("features/**/*.safetensors", cut),
        ("features/**/*.safetensors", lambda path: path.write_bytes(b"")),
    ],
)
def test_a_damaged_shard_is_set_aside_reported_and_computed_anew(
    options: Options, tmp_path: Path, pattern: str, damage: Callable[[Path], Any]
) -> None:
    before = evaluate(options, tmp_path)
    path = min((tmp_path / "store").glob(pattern))
    sound = path.read_bytes()
    damage(path)
    if damage is forge:
        for features in (tmp_path / "store").rglob("seed-0/*.safetensors"):
            features.unlink()
    notes = Notes()
    after = evaluate(options, tmp_path, notes)
    assert timeless(after) == timeless(before)
    assert after.timing.repaired == (path.relative_to(tmp_path / "store").as_posix(),)
    assert [path.name in note and "set aside" in note for note in notes.notes] == [True]
    assert path.with_name(f"{path.name}.damaged").exists()
    assert path.read_bytes() == sound or pattern.startswith("samples")
    assert evaluate(options, tmp_path).timing.repaired == ()


@pytest.mark.integration
def test_a_disk_that_spoils_what_is_written_is_an_error_not_a_loop(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = FeatureShardSet.write

    def spoiled(self: FeatureShardSet, path: Path, rows: Any) -> None:
        write(self, path, rows)
        flip(path)

    monkeypatch.setattr(FeatureShardSet, "write", spoiled)
    with pytest.raises(DamagedShard, match="damaged"):
        evaluate(options, tmp_path)


@pytest.mark.integration
def test_a_full_disk_is_named_and_the_run_goes_on_afterwards(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = evaluate(options, tmp_path / "undisturbed")
    write = SampleShardSet.write
    written: list[Path] = []

    def full(self: SampleShardSet, path: Path, rows: Any) -> None:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        write(self, path, rows)

    with monkeypatch.context() as patch:
        patch.setattr(SampleShardSet, "write", full)
        with pytest.raises(MissingError, match="no space left"):
            evaluate(options, tmp_path / "full")
    resumed = evaluate(options, tmp_path / "full")
    assert timeless(resumed) == timeless(undisturbed)
    assert resumed.timing.images_generated == undisturbed.timing.images_generated - 32


@pytest.mark.integration
def test_a_second_run_in_the_same_folder_is_told(options: Options, tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from unipath_bench.pipeline.lock import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UsageError, match=f"process {holder.pid} on .* carries out a run there"):
        evaluate(options, tmp_path)
    assert not (tmp_path / "store").exists()
    holder.kill()
    holder.wait(timeout=60)
    assert evaluate(options, tmp_path).scores  # The lock of a killed process is free.


def test_shares_do_not_lock_each_other_out(tmp_path: Path) -> None:
    with locked(tmp_path, "1-of-2"), locked(tmp_path, "2-of-2"):
        pass
    with locked(tmp_path, "1-of-2"), pytest.raises(UsageError, match="part 1-of-2"), locked(tmp_path, "1-of-2"):
        pass


@pytest.mark.integration
def test_a_clock_that_jumps_back_changes_no_number(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = evaluate(options, tmp_path / "straight")
    hours = iter(range(20, 0, -1))

    class Jumping:
        @staticmethod
        def now(_: object) -> datetime:
            return datetime(2026, 1, 1, next(hours), tzinfo=UTC)

    monkeypatch.setattr(run_module, "datetime", Jumping)
    jumped = evaluate(options, tmp_path / "jumped")
    assert jumped.timing.finished_at < jumped.timing.started_at
    assert timeless(jumped) == timeless(straight)
    assert all(seconds >= 0 for seconds in jumped.timing.seconds.values())
    assert list(jumped.timing.seconds) == ["verify", "generate", "embed", "read", "score"]


@pytest.mark.integration
@pytest.mark.parametrize("mark", [None, '{"store": 1}', '{"store": 99}'])
def test_a_store_of_another_version_is_refused_untouched(options: Options, tmp_path: Path, mark: str | None) -> None:
    evaluate(options, tmp_path)
    version = tmp_path / "store" / "version.json"
    version.unlink() if mark is None else version.write_text(mark)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")}
    with pytest.raises(UsageError, match=r"store of layout \d+; .* reads layout 2"):
        evaluate(options, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")} == before


def test_a_torn_version_mark_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "version.json").write_text("{")
    with pytest.raises(DataError, match=r"version\.json is damaged"):
        store.prepare()


def test_an_encoder_that_gives_nan_stores_nothing_of_the_shard(options: Options, tmp_path: Path) -> None:
    chosen = replace(options, encoders=("tests.adapters:NotANumber",), tasks=("frechet-distance",))
    with pytest.raises(DataError, match="NaN or infinite"):
        evaluate(chosen, tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))
