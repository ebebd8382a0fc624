"""A third-party package: everything that UniPath-Bench needs of it is in its entry points."""

from pathlib import Path


def tasks_folder() -> Path:
    """Where this package keeps its tasks."""
    return Path(__file__).parent / "tasks"
