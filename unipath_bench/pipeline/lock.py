"""One run at a time in an output folder."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from unipath_bench.core.errors import UsageError
from unipath_bench.core.files import storage_error, write_text


@contextmanager
def locked(out: Path, part: str = "") -> Iterator[None]:
    """Hold the folder, or a part of it, for as long as this process lives.

    The operating system frees the lock of a process that was killed. Raises
    :class:`~unipath_bench.UsageError` naming the process that holds it.
    """
    place = out / (f"part-{part}.lock" if part else "run.lock")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, place) from error
    holder = place.with_suffix(".holder")
    lock = FileLock(place)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        who = holder.read_text(encoding="utf-8").strip() if holder.exists() else "another process"
        what = f"part {part} of a run" if part else "a run"
        raise UsageError(
            f"{out} is in use: {who} carries out {what} there.", "Wait for it, or choose another folder with --out."
        ) from error
    try:
        write_text(holder, f"process {os.getpid()} on {platform.node()}\n")
        yield
    finally:
        lock.release()
