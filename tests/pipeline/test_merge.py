"""Shares of a run from several machines: what is brought together, and what a folder cannot have done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.options import Options
from unipath_bench.pipeline.merge import PartNote, merge, note_part
from unipath_bench.pipeline.plan import Plan, make_plan
from unipath_bench.pipeline.store import Store
from unipath_bench.pipeline.work import Part

Shares = Callable[..., list[Path]]
SHARD = "samples/model/seed-0/000000-rows.parquet"


@pytest.fixture(scope="module")
def plan(small_tiles: Path) -> Plan:
    return make_plan(Options(model="tests.adapters:Painter", suite="folder", data=str(small_tiles), n=4))


@pytest.fixture
def parts(plan: Plan, tmp_path: Path) -> Shares:
    """Folders of a run's parts, with one shard each; their options are changed as is asked."""

    def make(*numbers: int, of: int = 2, **changes: Any) -> list[Path]:
        folders = []
        for number in numbers:
            folder = tmp_path / f"part{number}"
            Store(folder / "store").prepare()
            shard = folder / "store" / f"features/encoder/suite/train/{number:06d}-rows.safetensors"
            shard.parent.mkdir(parents=True)
            shard.write_bytes(b"rows")
            note = note_part(plan, folder, Part(number, of))
            document = json.loads(note.read_text(encoding="utf-8"))
            document["options"] |= changes
            note.write_text(PartNote.model_validate(document).model_dump_json(), encoding="utf-8")
            folders.append(folder)
        return folders

    return make


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / "store" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_every_shard_is_brought_once_and_the_options_come_back(plan: Plan, parts: Shares, tmp_path: Path) -> None:
    folders = parts(1, 2)
    put(folders[0], SHARD, b"the same")
    put(folders[1], SHARD, b"the same")
    put(folders[1], f"{SHARD}.damaged", b"set aside")
    put(folders[1], "scores/of-one-machine.json", b"{}")
    out = tmp_path / "out"
    found = merge(folders, out)
    assert (found.options, found.copied) == (plan.options, 3)
    assert (out / "store" / SHARD).read_bytes() == b"the same"
    assert not list(out.rglob("*.damaged")) + list(out.rglob("of-one-machine.json"))
    assert merge(folders, out).copied == 0
    assert merge(folders, folders[0]).copied == 1  # one of the folders may be where they are brought


def test_shares_that_are_lacking_are_named(parts: Shares) -> None:
    with pytest.raises(UsageError, match="Of 5 parts, these are lacking: 1, 3, 5"):
        merge(parts(2, 4, of=5), Path("out"))


def test_two_contents_of_one_shard_are_both_named(parts: Shares, tmp_path: Path) -> None:
    folders = parts(1, 2)
    put(folders[0], SHARD, b"these rows")
    other = put(folders[1], SHARD, b"other rows")
    with pytest.raises(DataError, match=re.escape(str(other)) + ".* are one shard with different content"):
        merge(folders, tmp_path / "out")


def test_a_link_in_somebody_s_folder_is_not_followed(parts: Shares, tmp_path: Path) -> None:
    (secret := tmp_path / "secret").write_text("private", encoding="utf-8")
    folders = parts(1, 2)
    link = put(folders[1], SHARD, b"")
    link.unlink()
    link.symlink_to(secret)
    with pytest.raises(DataError, match="is a link"):
        merge(folders, tmp_path / "out")


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "os:getcwd"},
        {"suite": "tests.adapters:Painter"},
        {"encoders": ("texture", "image=tests.adapters:Painter")},
    ],
)
def test_a_folder_cannot_have_other_code_called(parts: Shares, tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="which is no class of a generator, suite or encoder"):
        merge(parts(1, 2, **changes), tmp_path / "out")


def test_code_of_the_hub_runs_where_it_is_allowed_here_again(parts: Shares, tmp_path: Path) -> None:
    folders = parts(1, 2, trust_remote_code=True)
    with pytest.raises(UsageError, match="which a folder cannot ask for by itself"):
        merge(folders, tmp_path / "out")
    assert merge(folders, tmp_path / "out", trust_remote_code=True).options.trust_remote_code
