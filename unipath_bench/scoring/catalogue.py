"""The tasks that are installed: YAML files in the folders of the entry-point group ``unipath_bench.tasks``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unipath_bench.core.errors import MissingError, UsageError, listed
from unipath_bench.core.registries import TASKS
from unipath_bench.core.registry import suggest
from unipath_bench.schema.base import load_yaml
from unipath_bench.schema.task import TaskSpec

SUFFIXES = (".yaml", ".yml")


def task_folders() -> list[Path]:
    """The folder of each registered task collection; raises :class:`MissingError` for one that is not there."""
    folders = []
    for name in TASKS.names():
        target = TASKS.get(name)
        folder = target() if callable(target) else Path(target)
        if not folder.is_dir():
            raise MissingError(
                f"The task collection {name!r} names the folder {folder}, which does not exist.",
                "Reinstall the package that provides it.",
            )
        folders.append(folder)
    return folders


def load_tasks(folders: Sequence[Path] | None = None) -> dict[str, TaskSpec]:
    """Every task by name, ordered by tier, then name.

    ``folders`` are searched recursively for YAML files; by default the folders of all installed collections.
    Raises :class:`UsageError` for a file that is no valid task and for two files that define the same name,
    naming both.
    """
    found: dict[str, tuple[Path, TaskSpec]] = {}
    for folder in task_folders() if folders is None else folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file()):
            spec = load_yaml(TaskSpec, path)
            if spec.name in found:
                raise UsageError(
                    f"Two files define the task {spec.name!r}:\n{listed([str(found[spec.name][0]), str(path)])}",
                    "Rename one of the tasks.",
                )
            found[spec.name] = (path, spec)
    return dict(sorted(((n, s) for n, (_, s) in found.items()), key=lambda item: (item[1].tier, item[0])))


def select_tasks(
    tiers: Sequence[int] = (1, 2, 3, 4), names: Sequence[str | TaskSpec] = (), folders: Sequence[Path] | None = None
) -> list[TaskSpec]:
    """Return the tasks of these tiers; with ``names`` only those.

    Each of ``names`` is a task's name, the path of a single YAML file, or a specification. In the order of tier and
    name. Raises :class:`UsageError` for an unknown name (with near ones), for a named task outside the tiers, and
    where nothing is left.

    Examples:
        >>> [task.name for task in select_tasks(names=["clip-score"])]
        ['clip-score']
        >>> {task.tier for task in select_tasks(tiers=[1, 2])}
        {1, 2}
    """
    known = load_tasks(folders)
    chosen = dict(known) if not names else {}
    for name in names:
        if isinstance(name, TaskSpec):
            spec = _distinct(name, "This specification", known)
        elif _is_path(name):
            spec = _distinct(load_yaml(TaskSpec, Path(name)), name, known)
        elif name in known:
            spec = known[name]
        else:
            raise UsageError(f"There is no task named {name!r}.", suggest(name, list(known), "task"))
        if spec.tier not in tiers:
            raise UsageError(
                f"The task {spec.name!r} is of tier {spec.tier}, which is not among the tiers {_spell(tiers)}.",
                f"Add tier {spec.tier} to --tiers, or leave the task out.",
            )
        chosen[spec.name] = spec
    selected = sorted((s for s in chosen.values() if s.tier in tiers), key=lambda s: (s.tier, s.name))
    if not selected:
        raise UsageError(f"There are no tasks in the tiers {_spell(tiers)}.", "Tiers are 1 to 4.")
    return selected


def _is_path(name: str) -> bool:
    return name.endswith(SUFFIXES)


def _distinct(spec: TaskSpec, source: str, known: dict[str, TaskSpec]) -> TaskSpec:
    if spec.name in known and known[spec.name] != spec:
        raise UsageError(
            f"{source} defines the task {spec.name!r}, which is installed already with other content.",
            "Give it another name: two different tasks of one name cannot be told apart in a record.",
        )
    return spec


def _spell(tiers: Sequence[int]) -> str:
    return ", ".join(str(t) for t in sorted(tiers)) or "(none)"
