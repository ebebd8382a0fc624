"""From what the user wrote after ``--suite`` to a suite: a registered name, a YAML card, or ``module:attribute``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from unipath_bench.contracts import Suite
from unipath_bench.core.builder import build, parameters_of
from unipath_bench.core.errors import UsageError
from unipath_bench.core.redaction import refuse_secrets
from unipath_bench.core.registries import SUITES
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
    data: str | Path | None = None,
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
    if data is not None:
        if callable(factory) and not isinstance(factory, Suite) and "data" not in parameters_of(factory):
            raise UsageError(
                f"The suite {spec!r} brings its own data and takes no --data.",
                "For a folder of your own: --suite folder.",
            )
        given["data"] = str(data)
    if offline and "offline" in parameters_of(factory):
        given["offline"] = True
    refuse_secrets(given, f"{spec}:")
    return build(
        factory,
        spec,
        given,
        Suite,  # type: ignore[type-abstract]
        noun="suite",
        option="--suite-arg",
        options={"data": "--data PATH"},
    )


def _beside(card: Path, data: str, *, hub_ids: bool) -> str:
    """``data`` relative to the card's folder; a hub id stays as it is where there is no such path."""
    path = card.parent / Path(data).expanduser()
    return data if hub_ids and not path.exists() and not data.startswith((".", "/", "~")) else str(path)
