"""Whose code an adapter is: its package, version and a digest of its sources. Nothing of it is imported."""

from __future__ import annotations

import importlib.util
from importlib.metadata import packages_distributions, version
from pathlib import Path

from unipath_bench.core.digest import digest_file, digest_strings
from unipath_bench.core.registries import GENERATORS
from unipath_bench.leaderboard.submission.layout import Adapter
from unipath_bench.schema.record import PlanRecord


def describe_adapter(plan: PlanRecord) -> Adapter:
    """The adapter of a run, as it is installed here.

    A registered generator or ``module:attribute`` is traced to its distribution; a module that belongs to none is
    described by its own source alone. Where it cannot be found here, only its name is given.
    """
    spec = plan.model.adapter or plan.model_spec
    registered = {entry.name: entry for entry in GENERATORS.entries()}
    entry = registered.get(spec)
    target = entry.target if entry is not None else spec
    if ":" not in target:
        return Adapter(target=target)
    top = target.partition(":")[0].partition(".")[0]
    files = source_files(top)
    package, _, number = entry.provider.rpartition(" ") if entry is not None else _distribution(top)
    return Adapter(
        target=target,
        package=package,
        version=number,
        source_sha256=source_digest(files) if files else "",
        files=len(files),
    )


def source_files(top: str) -> dict[str, Path]:
    """The Python files of a top-level package or module by name; none where it cannot be found."""
    found = importlib.util.find_spec(top)
    if found is None:
        return {}
    if found.submodule_search_locations is None:
        return {f"{top}.py": Path(found.origin)} if found.origin and Path(found.origin).is_file() else {}
    roots = [Path(place) for place in found.submodule_search_locations]
    return {path.relative_to(root.parent).as_posix(): path for root in roots for path in sorted(root.rglob("*.py"))}


def source_digest(files: dict[str, Path]) -> str:
    """SHA-256 over the names and contents of source files; the same wherever the package is installed."""
    return digest_strings(part for name in sorted(files) for part in (name, digest_file(files[name])))


def _distribution(top: str) -> tuple[str, str, str]:
    """Name, a space, and version of the distribution that a module belongs to; empty where it belongs to none."""
    names = packages_distributions().get(top, [])
    return (names[0], " ", version(names[0])) if names else ("", "", "")
