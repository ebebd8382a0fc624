"""From a name or ``module:attribute`` and arguments to an answerer or a set of questions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from unipath_bench.core.errors import UsageError
from unipath_bench.core.registry import Registry, load_attribute

MadeT = TypeVar("MadeT")


def make(registry: Registry[Callable[..., MadeT]], spec: str, arguments: Mapping[str, Any], kind: type[MadeT]) -> MadeT:
    """Look ``spec`` up and call it with ``arguments``.

    Raises :class:`~unipath_bench.UsageError` for an unknown name, for arguments that do not fit, and where the
    result is not of ``kind``.
    """
    target: Any = load_attribute(spec) if ":" in spec else registry.get(spec)
    wrong_class = inspect.isclass(target) and (not issubclass(target, kind) or inspect.isabstract(target))
    if not callable(target) or wrong_class:
        raise UsageError(
            f"{spec} is no usable {kind.__name__}.",
            f"Name a whole subclass of {kind.__name__}, or a function that returns one of its instances.",
        )
    parameters = inspect.signature(target).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = [name for name, p in parameters.items() if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    unknown = [name for name in arguments if name not in taken and not open_ended]
    lacking = [n for n in taken if parameters[n].default is inspect.Parameter.empty and n not in arguments]
    if unknown or lacking:
        told = [*(f"no argument {n!r}" for n in unknown), *(f"no value for {n!r}" for n in lacking)]
        raise UsageError(f"{spec}: there is {' and '.join(told)}.", f"It takes {', '.join(taken) or 'no arguments'}.")
    made = target(**arguments)
    if not isinstance(made, kind):
        raise UsageError(f"{spec} gives a {type(made).__name__}, no {kind.__name__}.", f"Subclass {kind.__name__}.")
    return made
