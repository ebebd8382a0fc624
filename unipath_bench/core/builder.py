"""From what a name stands for to an object: a class or function is called, a finished object taken as it is.

The errors are written for whoever typed the arguments, and for whoever wrote the class.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from unipath_bench.core.errors import BenchError, UsageError
from unipath_bench.core.registry import suggest

T = TypeVar("T")


def build(
    target: Any,
    name: str,
    arguments: Mapping[str, Any],
    kind: type[T],
    *,
    noun: str,
    option: str,
    options: Mapping[str, str] | None = None,
    failure: type[BenchError] = UsageError,
) -> T:
    """An object of ``kind``: what ``target`` returns for ``arguments``, or ``target`` itself where it is one.

    Args:
        target: a subclass of ``kind``, a function that returns one, or an instance.
        name: what the user called it, for messages.
        arguments: keyword arguments.
        kind: the class or protocol of the result.
        noun: what messages call it ("generator").
        option: the option that gives an argument ("--model-arg").
        options: arguments that have an option of their own ("data": "--data PATH").
        failure: the error where ``target`` itself fails.

    Raises :class:`UsageError` where the target gives no object of ``kind`` or the arguments do not fit, and ``failure``
    for whatever it raises that is no :class:`BenchError`.
    """
    ways = {argument: (options or {}).get(argument, f"{option} {argument}=...") for argument in arguments}
    if not inspect.isclass(target) and isinstance(target, kind):
        if arguments:
            raise UsageError(
                f"{name} is a finished {noun}, so it takes no arguments ({', '.join(sorted(arguments))}).",
                f"Leave {' and '.join(ways.values())} out, or name its class.",
            )
        return target
    if not callable(target) or (inspect.isclass(target) and not _may_give(target, kind)):
        raise UsageError(
            f"{name} is {kind_of(target)}, not a {noun}.",
            f"Name a subclass of {kind.__name__}, an instance of one, or a function that returns one.",
        )
    if inspect.isabstract(target):
        lacking = ", ".join(sorted(getattr(target, "__abstractmethods__", ())))
        raise UsageError(
            f"The {noun} {name!r} does not implement {lacking}.",
            f"Implement it; {kind.__module__}.{kind.__name__} says what it must do.",
        )
    check_arguments(target, name, arguments, noun=noun, option=option, options=options)
    try:
        result = target(**arguments)
    except BenchError:
        raise
    except Exception as error:
        raise failure(
            f"The {noun} {name!r} failed while it was built: {type(error).__name__}: {error}",
            "Correct its code or its arguments. --debug shows the traceback.",
        ) from error
    if not isinstance(result, kind):
        raise UsageError(
            f"{name} returned {kind_of(result)}, not a {noun}.",
            f"It must return an instance of a subclass of {kind.__name__}.",
        )
    return result


def check_arguments(
    target: Any,
    name: str,
    arguments: Mapping[str, Any],
    *,
    noun: str,
    option: str,
    options: Mapping[str, str] | None = None,
) -> None:
    """Raise :class:`UsageError` for arguments that ``target`` does not take, or that it needs and did not get.

    The parameters are those of :func:`build`.
    """
    parameters = parameters_of(target)
    named = [n for n, p in parameters.items() if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = f"It takes: {', '.join(named) or 'no arguments'}."
    for argument in arguments:
        if argument not in named and not open_ended:
            near = suggest(argument, named, "argument")
            raise UsageError(
                f"The {noun} {name!r} takes no argument {argument!r}.",
                f"{near} {taken}" if "mean" in near else taken,
            )
    lacking = [n for n in named if parameters[n].default is inspect.Parameter.empty and n not in arguments]
    if lacking:
        ways = " and ".join((options or {}).get(n, f"{option} {n}=...") for n in lacking)
        raise UsageError(f"The {noun} {name!r} needs {', '.join(lacking)}.", f"Give {ways}. {taken}")


def parameters_of(target: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of a class or function by name; none where it cannot be called or, written in C, tells none."""
    try:
        return inspect.signature(target).parameters if callable(target) else {}
    except ValueError:
        return {}


def kind_of(value: Any) -> str:
    """What ``value`` is, for messages."""
    return f"the class {value.__name__}" if inspect.isclass(value) else f"an object of type {type(value).__name__}"


def _may_give(target: type, kind: type) -> bool:
    """Whether calling a class may give an object of ``kind``; of a protocol with attributes, only the object tells."""
    try:
        return issubclass(target, kind)
    except TypeError:
        return True
