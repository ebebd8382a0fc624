"""Which code a score is computed by: modules and all that they import, as one digest.

Imports of the project are followed and, for somebody else's metric, those of its own top-level package. Comments,
docstrings and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from unipath_bench.core.digest import digest_strings

_PROJECT = "unipath_bench"


@dataclass(frozen=True, slots=True)
class _Module:
    """What is read of one module."""

    digest: str
    """Of its code."""
    imports: tuple[tuple[str, str], ...]
    """(module, name) of each ``from module import name``; an empty name for ``import module``."""
    is_package: bool


def code_digest(*modules: str, alone: Sequence[str] = ()) -> str | None:
    """SHA-256 of the code of ``modules`` and of all that they import, and of the modules ``alone`` without imports.

    None where one of ``modules`` has no source, such as one that was typed in.
    """
    if any(_read(name) is None for name in modules):
        return None
    found = {name: module.digest for name in {*_closure(modules), *alone} if (module := _read(name)) is not None}
    return digest_strings(part for name in sorted(found) for part in (name, found[name]))


def find_source(module: str) -> Path | None:
    """The Python file of a module, whose top-level package must be imported; nothing is imported for it."""
    top, *rest = module.split(".")
    package = sys.modules.get(top)
    if not rest:
        own = getattr(package, "__file__", None)
        return Path(own) if own is not None and own.endswith(".py") else None
    for folder in getattr(package, "__path__", ()):
        place = Path(folder).joinpath(*rest)
        for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


def read_source(path: Path) -> str:
    """The text of a Python file."""
    return path.read_text(encoding="utf-8")


def _closure(modules: Sequence[str]) -> set[str]:
    followed = {_PROJECT, *(name.partition(".")[0] for name in modules)}
    found: set[str] = set()
    todo = list(modules)
    while todo:
        name = todo.pop()
        module = _read(name)
        if name in found or module is None:
            continue
        found.add(name)
        for source, part in module.imports:
            if source.partition(".")[0] in followed:
                todo.extend(_origins(source, part))
    return found


def _origins(source: str, part: str) -> Iterator[str]:
    """The modules that ``from source import part`` needs: of a package that hands a name on, where that comes from."""
    module = _read(source)
    if part and _read(f"{source}.{part}") is not None:
        yield f"{source}.{part}"
    elif module is not None:
        handed_on = [origin for origin, name in module.imports if name == part and origin != source]
        if module.is_package and part and handed_on:
            for origin in handed_on:
                yield from _origins(origin, part)
        else:
            yield source


@cache
def _read(name: str) -> _Module | None:
    path = find_source(name)
    if path is None:
        return None
    tree = ast.parse(read_source(path))
    is_package = path.name == "__init__.py"
    package = name if is_package else name.rpartition(".")[0]
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            source = importlib.util.resolve_name(source, package) if node.level else source
            imports += [(source, alias.name) for alias in node.names]
        for body in ("body", "orelse", "finalbody"):
            statements = getattr(node, body, None)
            if isinstance(statements, list):
                setattr(node, body, [s for s in statements if not _is_text(s)])
    return _Module(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(imports), is_package)


def _is_text(statement: ast.AST) -> bool:
    """Whether it is a docstring, or another string that nothing reads."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
