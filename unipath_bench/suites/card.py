"""From what the user wrote after ``--suite`` to a suite: a registered name, a YAML card, or ``module:attribute``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from unipath_bench.contracts import Suite
from unipath_bench.core.errors import UsageError
from unipath_bench.core.redaction import refuse_secrets
from unipath_bench.core.registries import SUITES
from unipath_bench.core.registry import suggest
from unipath_bench.schema.base import Document, load_yaml


class SuiteFile(Document):
    """A suite with its data and arguments, as a YAML file."""

    suite: str = Field(description="Registered suite or module:attribute.")
    data: str | None = Field(
        default=None, description="Where its data lie, relative to this file; or a hub id, where the suite takes one."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments, as with --suite-arg.")


def load_suite(
    spec: str | Suite | Callable[..., Suite],
    data: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    *,
    offline: bool = False,
) -> Suite:
    """Build the suite that ``spec`` names: a registered name, a path ending in .yaml or .yml, or ``module:attribute``.

    ``spec`` may also be what that names: a suite, a class of suites, or a function that returns one.

    ``data`` and ``arguments`` go before those of a YAML file. With ``offline`` a suite that takes an ``offline``
    argument reaches for nothing. Raises :class:`~unipath_bench.UsageError` for unknown names and arguments, and
    whatever the suite raises over its data.
    """
    given = dict(arguments or {})
    factory: object = spec
    if not isinstance(spec, str):
        spec = str(getattr(spec, "__qualname__", type(spec).__qualname__))
    elif spec.endswith((".yaml", ".yml")):
        path = Path(spec).expanduser()
        card = load_yaml(SuiteFile, path)
        if card.suite.endswith((".yaml", ".yml")):
            raise UsageError(f"{path}: suite: {card.suite} is a card again.", "Name a suite or module:attribute there.")
        spec, given = card.suite, {**card.arguments, **given}
        factory = SUITES.get(spec)
        is_suite = isinstance(factory, Suite) or (inspect.isclass(factory) and issubclass(factory, Suite))
        if ":" in spec and not is_suite:
            # A card is data that others wrote: any function with any arguments would be code.
            raise UsageError(
                f"{path}: {spec!r} is no Suite class, and a card has no other code called.",
                f"Name the class, register the function as an entry point, or say --suite {spec} yourself.",
            )
        if data is None and card.data is not None:
            data = _beside(path, card.data, hub_ids=bool(getattr(factory, "takes_hub_id", False)))
    else:
        factory = SUITES.get(spec)
    if isinstance(factory, Suite):
        if data is not None or given:
            raise UsageError(f"{spec} is a finished suite: it takes no --data and no arguments.", "Leave them out.")
        return factory
    if not callable(factory):
        raise UsageError(f"{spec} is a {type(factory).__name__}, not a suite.", "Name a Suite class or a function.")
    if data is not None:
        given["data"] = data
    if offline and "offline" in inspect.signature(factory).parameters:
        given["offline"] = True
    _check_arguments(factory, given, spec)
    refuse_secrets(given, f"{spec}:")
    suite: object = factory(**given)
    if not isinstance(suite, Suite):
        raise UsageError(f"{spec} returned a {type(suite).__name__}, not a Suite.", "Subclass unipath_bench.Suite.")
    return suite


def _beside(card: Path, data: str, *, hub_ids: bool) -> str:
    """``data`` relative to the card's folder; a hub id stays as it is where there is no such path."""
    path = card.parent / Path(data).expanduser()
    return data if hub_ids and not path.exists() and not data.startswith((".", "/", "~")) else str(path)


def _check_arguments(factory: Callable[..., Suite], given: Mapping[str, Any], spec: str) -> None:
    parameters = inspect.signature(factory).parameters
    named = [n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if "data" in given and "data" not in named:
        raise UsageError(
            f"The suite {spec!r} brings its own data and takes no --data.", "For a folder of your own: --suite folder."
        )
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in given:
            if name not in named:
                raise UsageError(f"The suite {spec!r} has no argument {name!r}.", suggest(name, named, "argument"))
    for name, parameter in parameters.items():
        if name in named and parameter.default is parameter.empty and name not in given:
            option = "--data PATH" if name == "data" else f"--suite-arg {name}=..."
            raise UsageError(f"The suite {spec!r} needs {name!r}.", f"Add {option}.")
