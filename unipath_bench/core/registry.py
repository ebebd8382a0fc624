"""One generic registry: names to objects, by entry points, imported only when used.

The framework's own suites, generators, encoders, metrics and tasks are registered the same way as anybody's (see
``[project.entry-points]`` in ``pyproject.toml``): built-ins have no privilege.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from unipath_bench.core.errors import MissingError, UsageError, listed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered name: where it comes from and what it points to."""

    name: str
    target: str
    provider: str
    """Distribution that registers it."""


class Registry(Generic[T]):
    """The objects of one entry-point group.

    ``kind`` is the noun for messages ("generator"); ``group`` the entry-point group ("unipath_bench.generators");
    ``opener`` names, as ``module:attribute``, the function that makes an object of a YAML file's path, where files are
    taken for names; ``own_name`` reads the name that an object gives itself, which its entry point must repeat.
    """

    def __init__(
        self, kind: str, group: str, opener: str | None = None, own_name: Callable[[T], str] | None = None
    ) -> None:
        self.kind = kind
        self.group = group
        self.opener = opener
        self.own_name = own_name

    @cached_property
    def _entries(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group):
            other = found.get(point.name)
            if other is not None and (other.value, _provider(other)) != (point.value, _provider(point)):
                raise UsageError(
                    f"Two packages register the {self.kind} {point.name!r}:\n"
                    + listed([f"{_provider(p)}: {p.value}" for p in (other, point)]),
                    "Uninstall one of them, or rename its entry point.",
                )
            found[point.name] = point
        return found

    def names(self) -> list[str]:
        """Registered names in alphabetical order; imports nothing."""
        return sorted(self._entries)

    def entries(self) -> list[Entry]:
        """Names with their targets and providers; imports nothing."""
        return [Entry(n, self._entries[n].value, _provider(self._entries[n])) for n in self.names()]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def get(self, name: str) -> T:
        """The object for a registered name, ``module:attribute`` or, with an ``opener``, a YAML file; imported now."""
        if self.opener is not None and is_file(name):
            return cast("T", EntryPoint(name, self.opener, self.group).load()(Path(name).expanduser()))
        if ":" in name:
            return cast("T", load_attribute(name))
        point = self._entries.get(name)
        if point is None:
            raise UsageError(f"There is no {self.kind} named {name!r}.", suggest(name, self.names(), self.kind))
        try:
            found = cast("T", point.load())
        except ModuleNotFoundError as error:
            raise MissingError(
                f"The {self.kind} {name!r} (from {_provider(point)}) needs the module {error.name!r}, "
                "which is not installed.",
                f"pip install {(error.name or '').split('.')[0]}",
            ) from error
        if self.own_name is not None and self.own_name(found) != name:
            raise UsageError(
                f"The {self.kind} {name!r} (from {_provider(point)}) gives itself another name: "
                f"{self.own_name(found)!r}.",
                f"Call the entry point what the {self.kind} is called.",
            )
        return found


def is_file(name: str) -> bool:
    """Whether a name is meant as a YAML file: it ends in ``.yaml`` or ``.yml``."""
    return name.endswith((".yaml", ".yml"))


def _provider(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "unknown distribution"


def suggest(name: str, names: list[str], kind: str) -> str:
    """A remedy for a mistyped name: the near ones, or all of them."""
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return "Did you mean " + " or ".join(repr(n) for n in near) + "?"
    return f"Known {kind}s: {', '.join(names) or 'none'}."


def load_attribute(reference: str) -> Any:
    """Import ``module:attribute`` (dots allowed in both parts); the working directory counts as importable."""
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise UsageError(
            f"{reference!r} is not of the form module:attribute.", "Example: my_package.my_module:MyGenerator"
        )
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        value: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        parent = module_name.split(".")[0]
        if error.name in (module_name, parent):
            raise UsageError(
                f"{reference}: there is no module {error.name!r} here or among the installed packages.",
                "Run from the folder that holds it, or install its package.",
            ) from error
        raise MissingError(
            f"{reference}: importing it needs the module {error.name!r}, which is not installed.",
            f"pip install {(error.name or '').split('.')[0]}",
        ) from error
    for part in attribute.split("."):
        if not hasattr(value, part):
            public = [n for n in dir(value) if not n.startswith("_")]
            raise UsageError(
                f"{reference}: {module_name} has no attribute {part!r}.", suggest(part, public, "attribute")
            )
        value = getattr(value, part)
    return value
