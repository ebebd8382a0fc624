"""Files: atomic writes, and names that others chose.

A file is there whole or not at all, and a full disk is an error that says so.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from unipath_bench.core.errors import MissingError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""

    def write(target: Path) -> None:
        target.write_text(text, encoding="utf-8")

    write_atomically(path, write)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it into place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(beside)
        os.replace(beside, path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        discard(beside)


def discard(path: Path) -> None:
    """Remove a temporary file, if it is there."""
    if path.exists():
        path.unlink()


def storage_error(error: OSError, path: Path) -> Exception:
    """The mendable error behind an ``OSError`` from writing ``path``; the error itself where it is none we know."""
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
