"""Turn an adapter's class, function or instance into a generator, with errors that an adapter's author can use."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from unipath_bench.contracts import Generator
from unipath_bench.core.errors import BenchError, GeneratorError, UsageError
from unipath_bench.core.registry import suggest
from unipath_bench.schema.cards import GeneratorCard

_OPTIONS = {"images": "--images DIR"}


def build(target: Any, named: str, arguments: Mapping[str, Any]) -> Generator:
    """Call a class or function with ``arguments``, or take an instance as it is.

    Raises :class:`UsageError` where the result is no Generator with a card, or the arguments do not fit, and
    :class:`GeneratorError` where the adapter's own constructor fails.
    """
    if isinstance(target, Generator):
        if arguments:
            raise UsageError(
                f"{named} is a finished generator, so it takes no arguments ({', '.join(sorted(arguments))}).",
                "Leave --model-arg out, or name its class.",
            )
        return _with_card(target, named)
    if inspect.isclass(target) and issubclass(target, Generator) and inspect.isabstract(target):
        lacking = ", ".join(sorted(target.__abstractmethods__))
        raise UsageError(
            f"The generator {named} does not implement {lacking}.", "Implement it; see docs/generators.md."
        )
    if not callable(target) or (inspect.isclass(target) and not issubclass(target, Generator)):
        raise UsageError(
            f"{named} is {_kind(target)}, not a generator.",
            "Name a subclass of unipath_bench.Generator, an instance of one, or a function that returns one.",
        )
    _check_arguments(target, named, arguments)
    try:
        result = target(**arguments)
    except BenchError:
        raise
    except Exception as error:
        raise GeneratorError(
            f"The generator {named} failed while it was built: {type(error).__name__}: {error}",
            "Mend the adapter, or its arguments. --debug shows the traceback.",
        ) from error
    if not isinstance(result, Generator):
        raise UsageError(
            f"{named} returned {_kind(result)}, not a generator.",
            "It must return an instance of a subclass of unipath_bench.Generator.",
        )
    return _with_card(result, named)


def _check_arguments(target: Any, named: str, arguments: Mapping[str, Any]) -> None:
    parameters = inspect.signature(target).parameters
    named_only = [n for n, p in parameters.items() if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = f"It takes: {', '.join(named_only) or 'no arguments'}."
    for name in arguments:
        if name not in named_only and not open_ended:
            near = suggest(name, named_only, "argument")
            raise UsageError(
                f"The generator {named} takes no argument {name!r}.",
                f"{near} {taken}" if "mean" in near else taken,
            )
    lacking = [n for n in named_only if parameters[n].default is inspect.Parameter.empty and n not in arguments]
    if lacking:
        ways = " and ".join(_OPTIONS.get(name, f"--model-arg {name}=...") for name in lacking)
        raise UsageError(f"The generator {named} needs {', '.join(lacking)}.", f"Give {ways}. {taken}")


def _with_card(generator: Generator, named: str) -> Generator:
    card = getattr(generator, "card", None)
    if not isinstance(card, GeneratorCard):
        have = "has no card" if card is None else f"has a card that is {_kind(card)}"
        raise UsageError(
            f"The generator {named} {have}.",
            "Set `card = GeneratorCard(name=..., revision=..., licence=...)` on its class.",
        )
    return generator


def _kind(value: Any) -> str:
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    return f"an object of type {type(value).__name__}"
