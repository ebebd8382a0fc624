"""Data runs no code and leads out of no folder: cards, suites, parts, stores, exhibits."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unipath_bench.core.errors import BenchError, DataError, UsageError
from unipath_bench.core.files import escaping_paths, is_file_below
from unipath_bench.generators.cards import load_generator
from unipath_bench.options import Options
from unipath_bench.pipeline.merge import merge
from unipath_bench.results.gallery import Exhibits
from unipath_bench.suites.card import load_suite
from unipath_bench.suites.folder import FolderSuite
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.public.tree import image_files
from unipath_bench.suites.table_suite import slug


def tile(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).save(path)
    return path


@pytest.mark.parametrize("adapter", ["os:system", "subprocess:Popen", "builtins:exec", "pathlib:Path.touch"])
def test_a_model_card_calls_no_other_code(adapter: str, tmp_path: Path) -> None:
    card = tmp_path / "card.yaml"
    mark = tmp_path / "ran"
    card.write_text(
        f"name: x\nadapter: {adapter}\nrevision: '1'\nlicence: MIT\narguments: {{command: 'touch {mark}', args: 'touch "
        f"{mark}', source: 'open({str(mark)!r}, chr(119))', self: {mark}, shell: true}}\n"
    )
    with pytest.raises(BenchError):
        load_generator(str(card))
    assert not mark.exists()


@pytest.mark.parametrize("suite", ["os:system", "subprocess:getoutput", "builtins:eval"])
def test_a_suite_card_calls_no_other_code(suite: str, tmp_path: Path) -> None:
    card = tmp_path / "suite.yaml"
    card.write_text(f"suite: {suite}\narguments: {{command: 'touch {tmp_path}/ran', cmd: 'touch {tmp_path}/ran'}}\n")
    with pytest.raises(UsageError, match="no other code called"):
        load_suite(str(card))
    assert not (tmp_path / "ran").exists()


def make_part(folder: Path, **changes: object) -> Path:
    """A folder with the note of the one and only part of a run."""
    options = asdict(Options(model="noise", suite="phantom")) | changes
    (folder / "parts").mkdir(parents=True)
    note = {"run": "0" * 64, "number": 1, "of": 1, "options": options}
    (folder / "parts" / "0-1-of-1.json").write_text(json.dumps(note, separators=(",", ":")))
    (folder / "store" / "samples").mkdir(parents=True)
    (folder / "store" / "version.json").write_text('{"store": 2}')
    return folder


def test_a_sound_part_is_united(tmp_path: Path) -> None:
    part = make_part(tmp_path / "part")
    (part / "store" / "samples" / "a.parquet").write_bytes(b"x")
    assert merge([part], tmp_path / "whole").copied == 1
    assert (tmp_path / "whole" / "store" / "samples" / "a.parquet").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": "os:system", "model_arguments": {"command": "true"}}, "no class of a generator"),
        ({"suite": "os:system", "data": "true"}, "no class of a generator"),
        ({"encoders": ["image=os:getcwd"]}, "no class of a generator"),
        ({"trust_remote_code": True}, "--trust-remote-code"),
        ({"n": "many"}, r"is not a valid PartNote:\n.*options\.n"),
    ],
)
def test_a_part_of_somebody_elses_runs_no_code(changes: dict[str, object], problem: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=problem):
        merge([make_part(tmp_path / "part", **changes)], tmp_path / "whole")


def test_links_in_a_part_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    part = make_part(tmp_path / "part")
    (part / "store" / "samples" / "a.parquet").symlink_to(secret)
    with pytest.raises(DataError, match="is a link"):
        merge([part], tmp_path / "whole")
    assert not (tmp_path / "whole" / "store" / "samples").exists()
    folders = make_part(tmp_path / "other")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.parquet").write_text("mine")
    (folders / "store" / "samples" / "more").symlink_to(tmp_path / "elsewhere")
    assert merge([folders], tmp_path / "whole").copied == 0


def test_a_part_cannot_claim_to_be_one_of_a_billion(tmp_path: Path) -> None:
    part = make_part(tmp_path / "part")
    path = part / "parts" / "0-1-of-1.json"
    path.write_text(path.read_text().replace('"of":1', '"of":1000000000000'))
    with pytest.raises(UsageError, match="of: "):
        merge([part], tmp_path / "whole")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "link.png", "linked/x.png", "nul\0"])
def test_names_that_lead_out_of_a_folder_are_found(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    tile(home / "a" / "in.png")
    tile(tmp_path / "x.png")
    (home / "link.png").symlink_to(tmp_path / "x.png")
    (home / "linked").symlink_to(tmp_path)
    assert escaping_paths(home, [name, "a/in.png", "absent.png"]) == [name]


@pytest.mark.parametrize("name", ["nul\0", "9" * 300, f"{'9' * 200}/{'9' * 5000}"])
def test_names_that_no_file_can_have_name_none(name: str, tmp_path: Path) -> None:
    tile(tmp_path / "in.png")
    assert is_file_below(tmp_path, "in.png")
    assert not is_file_below(tmp_path, name)
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"file_name": name, "text": "glands"}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"outside the folder|not there"):
        FolderSuite(data=tmp_path, text_column="text")


def test_links_out_of_a_public_set_are_problems(tmp_path: Path) -> None:
    home = tmp_path / "set"
    tile(home / "in.png")
    (home / "out.png").symlink_to(tile(tmp_path / "x.png"))
    problems = Problems("the set")
    assert [path.name for path in image_files(home, problems)] == ["in.png"]
    with pytest.raises(DataError, match=r"out\.png"):
        problems.raise_if_any()


def test_exhibits_show_no_file_from_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "exhibits"
    folder.mkdir()
    (folder / "a.png").symlink_to(tile(tmp_path / "private.png"))
    sample = {"sample_id": "s", "prompt": "p", "labels": {}, "real": "a.png", "generated": []}
    (folder / "index.json").write_text(json.dumps({"version": 1, "samples": [sample], "neighbours": []}))
    with pytest.raises(DataError, match="leads out"):
        Exhibits.load(folder)


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a\\b", "..", "\x1b[2J", "a\nb", ""])
def test_a_name_becomes_one_part_of_a_path(name: str) -> None:
    made = slug(name)
    assert Path(made).name == made
    assert made not in ("", ".", "..")
    assert made.isprintable()


def test_braces_in_names_are_no_format(tmp_path: Path) -> None:
    problems = Problems("the folder")
    problems.add_each(["x"], "{n} rows have an empty '{0.__class__}'", "Fill them.")
    with pytest.raises(DataError, match=r"1 rows have an empty '\{0\.__class__\}'"):
        problems.raise_if_any()
