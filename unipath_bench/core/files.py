"""Files: replacing them whole, and names that others chose.

A file or folder is there whole or not at all, and a full disk is an error that says so.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from unipath_bench.core.errors import MissingError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole, its lines ending as in ``text``; see :func:`replace_file`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole; see :func:`replace_file`."""

    def write(target: Path) -> None:
        target.write_bytes(data)

    replace_file(path, write)


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it into place.

    Until then an earlier file stays as it was. Missing folders are made. The temporary name ends in ``.tmp``: numpy
    appends its own suffix to such a name, so open the file and give it the stream. Raises :class:`MissingError` where
    the disk is full or refuses.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(beside)
        os.replace(beside, path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if beside.exists():
            beside.unlink()


def replace_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write into an empty folder beside ``path``, then rename it into place.

    An earlier folder is kept until the new one is whole, and comes back where that cannot take its place. Where
    ``path`` is a link, the folder that it leads to is replaced. Raises :class:`MissingError` where the disk is full or
    refuses.
    """
    place = path.resolve()
    beside = place.with_name(f".{place.name}.{os.getpid()}.new")
    before = place.with_name(f".{place.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        fill(beside)
        if place.exists():
            os.replace(place, before)
        os.replace(beside, place)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if before.exists() and not place.exists():
            os.replace(before, place)
        for folder in (beside, before):
            shutil.rmtree(folder, ignore_errors=True)


def storage_error(error: OSError, path: Path) -> Exception:
    """The :class:`MissingError` behind an ``OSError`` from writing ``path``; the error itself where it is another."""
    if error.errno in _NO_SPACE:
        return MissingError(
            f"There is no space left to write {path}.",
            "Free some space, or choose another folder with --out. Finished shards are kept: the same command resumes.",
        )
    if error.errno in _NO_PERMISSION:
        return MissingError(f"No permission to write {path}.", "Choose a folder that you may write to with --out.")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return MissingError(f"{path.parent} is not a folder.", "Choose another folder with --out.")
    return error


def escaping_paths(root: Path, names: Iterable[str]) -> list[str]:
    """Those of the names of files below ``root`` that lead out of it, or that no file can have.

    A name leads out by ``..``, as a whole path, or through links.
    """
    home = root.resolve()
    return [name for name in names if "\0" in name or not (root / name).resolve().is_relative_to(home)]


def is_file_below(root: Path, name: str) -> bool:
    """Whether there is such a file; there is none of a name that no file can have, being too long or with a null byte.

    Raises ``OSError`` where it cannot be known, e.g. for lack of permission.
    """
    try:
        return "\0" not in name and (root / name).is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise
