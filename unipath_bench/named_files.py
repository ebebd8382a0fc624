"""Files that are named by what others wrote: an index, a table, a list of questions."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path


def outside(root: Path, names: Iterable[str]) -> list[str]:
    """Return those of the names of files below ``root`` that lead out of it.

    A name leads out by ``..``, as an absolute path, or through links; names that no file can have are returned too.
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
