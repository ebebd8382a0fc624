"""Where tasks, baseline cards and boards lie: in the wheel, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def data_folder(name: str) -> Path:
    """The folder ``tasks``, ``baselines`` or ``leaderboards`` of this installation."""
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def tasks_folder() -> Path:
    """The framework's own tasks; registered as an entry point like anybody's."""
    return data_folder("tasks")
