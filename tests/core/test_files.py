"""Replacing files and folders: whole or not at all, and a full disk is an error with a remedy."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from unipath_bench.core.errors import MissingError
from unipath_bench.core.files import replace_file, replace_folder, write_text


def fill_with(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).touch()


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        replace_file(tmp_path / "file", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_with_the_remedy(tmp_path: Path) -> None:
    def full(path: Path) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(MissingError, match="no space left to write") as caught:
        replace_file(tmp_path / "file", full)
    assert "--out" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_write_permission_is_named(tmp_path: Path) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with pytest.raises(MissingError, match="No permission"):
        replace_file(tmp_path / "file", refused)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("I am a file")
    with pytest.raises(MissingError, match="not a folder"):
        replace_file(tmp_path / "out" / "shard", lambda path: path.touch())


def test_line_ends_are_written_as_they_are(tmp_path: Path) -> None:
    write_text(tmp_path / "sub" / "file", "a\r\nb\n\u00b5")
    assert (tmp_path / "sub" / "file").read_bytes() == b"a\r\nb\n\xc2\xb5"


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    place = tmp_path / "new" / "folder"
    replace_folder(place, fill_with("first"))
    replace_folder(place, fill_with("second"))
    assert [p.name for p in place.iterdir()] == ["second"]
    assert [p.name for p in place.parent.iterdir()] == ["folder"]


def test_a_folder_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    replace_folder(tmp_path / "folder", fill_with("first"))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "folder")
    replace_folder(link, fill_with("second"))
    assert link.is_symlink()
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["second"]


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), MissingError),
        (RuntimeError("interrupted"), RuntimeError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_folder_that_cannot_be_filled_leaves_the_earlier_one(
    tmp_path: Path, trouble: BaseException, expected: type[BaseException]
) -> None:
    replace_folder(tmp_path / "folder", fill_with("first"))

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise trouble

    with pytest.raises(expected):
        replace_folder(tmp_path / "folder", fail)
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["first"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_cannot_be_renamed_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_folder(tmp_path / "folder", fill_with("first"))
    replace = os.replace

    def refuse_the_new(source: Path, target: Path) -> None:
        if source.name.endswith(".new"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse_the_new)
    with pytest.raises(MissingError, match="No permission"):
        replace_folder(tmp_path / "folder", fill_with("second"))
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["first"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
