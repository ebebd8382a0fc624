"""Whose run it is: which process on which machine works on an MLflow run, and whether it still does."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from unipath_bench.core.digest import digest

BEAT = timedelta(seconds=60)
"""How often a live run says that it is alive."""
SILENCE = timedelta(minutes=15)
"""After how long without a word a process on another machine counts as gone."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from a later one with the same number."""

    machine: str
    """Digest of host name, boot and process namespace: the same only where process numbers mean the same."""
    pid: int
    started: float

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        return cls(_machine(), os.getpid(), _started(os.getpid()) or 0.0)

    @classmethod
    def read(cls, text: str | None) -> Owner | None:
        """What :attr:`text` wrote; None for anything else."""
        try:
            held = json.loads(text or "")
            return cls(str(held["machine"]), int(held["pid"]), float(held["started"]))
        except (ValueError, TypeError, KeyError):
            return None

    @property
    def text(self) -> str:
        """As the tag of an MLflow run."""
        return json.dumps({"machine": self.machine, "pid": self.pid, "started": self.started})

    def is_gone(self, last_word: datetime | None, now: datetime) -> bool:
        """Whether the process has ended: looked up on its own machine, elsewhere by :data:`SILENCE`."""
        if self.machine == _machine():
            started = _started(self.pid)
            return started is None or abs(started - self.started) > 1
        return last_word is not None and now - last_word > SILENCE


def word(moment: datetime | None = None) -> str:
    """The moment, or now, as the tag that says a run is alive."""
    return (moment or datetime.now(UTC)).isoformat(timespec="seconds")


def read_word(text: str | None) -> datetime | None:
    """What :func:`word` wrote; None for anything else."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def user() -> str:
    """The name of the user of this process."""
    return str(psutil.Process().username())


def _started(pid: int) -> float | None:
    """When the process of this number began, seconds since 1970; None where there is none, or its corpse alone."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    space = Path("/proc/self/ns/pid")
    parts = [
        platform.node(),
        boot.read_text(encoding="ascii").strip() if boot.exists() else "",
        os.readlink(space) if space.is_symlink() else "",
    ]
    return digest(parts)[:16]
