"""How options are taken on the command line: those of a run from their one definition, and what commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from unipath_bench import options
from unipath_bench.core.errors import UsageError
from unipath_bench.core.parsing import parse_yaml
from unipath_bench.core.redaction import refuse_secrets
from unipath_bench.options import Described, Options, OutputSettings, describe

DEFAULT_OUT = Path(options.DEFAULT_OUT)
DEFAULT_EXPERIMENT = options.DEFAULT_EXPERIMENT

Given = dict[str, Any]
"""What the user gave, by the names that Python's functions have for it."""


def take(
    kind: type, *, only: Collection[str] = (), without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a class, which reach it together as its first parameter, a :data:`Given`.

    ``only`` these fields are taken, or all ``without`` these. The command's own parameters stand after them, and
    switches after all options that have a value.
    """
    described = {
        name: each
        for name, each in describe(kind).items()
        if each.option.names and name not in without and (not only or name in only)
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def call(**values: Any) -> None:
            given = {name: _read(described[name], values.pop(name)) for name in described}
            command({name: value for name, value in given.items() if value is not None}, **values)

        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        parameters = [*map(_parameter, described.values()), *(each.replace(kind=each.KEYWORD_ONLY) for each in own)]
        parameters.sort(key=_is_switch)
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {each.name: each.annotation for each in parameters}
        return call

    return decorate


def _parameter(described: Described) -> inspect.Parameter:
    """The parameter of which Typer makes the option."""
    one = described.type if described.default is not None else described.type | None
    annotation = one if described.option.values == "one" else list[str] | None
    default = described.default if described.option.values == "one" else None
    option = _typer_option(described, default)
    return inspect.Parameter(described.name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


def _typer_option(described: Described, *default: Any) -> Any:
    option = described.option
    return typer.Option(
        *default,
        *option.names,
        metavar=option.metavar,
        help=option.help,
        rich_help_panel=option.panel,
        envvar=option.environment,
        min=option.least,
    )


def _read(described: Described, value: Any) -> Any:
    """What the user gave as Python's functions take it; None: nothing."""
    if described.option.values == "many":
        return parse_names(value) or None
    if described.option.values == "arguments":
        return parse_arguments(value, described.option.names[0]) or None
    return value


def _is_switch(parameter: inspect.Parameter) -> bool:
    annotation = parameter.annotation
    return (annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation) is bool


def shared(kind: type, name: str) -> Any:
    """The option of a class for a command that takes it by itself, in an annotation."""
    return _typer_option(describe(kind)[name])


Suite = Annotated[str, shared(Options, "suite")]
ModelArg = Annotated[list[str] | None, shared(Options, "model_arguments")]
SuiteArg = Annotated[list[str] | None, shared(Options, "suite_arguments")]
Data = Annotated[str | None, shared(Options, "data")]
Device = Annotated[str, shared(Options, "device")]
Offline = Annotated[bool, shared(Options, "offline")]
TrustRemoteCode = Annotated[bool, shared(Options, "trust_remote_code")]
TrackingUri = Annotated[str | None, shared(OutputSettings, "tracking_uri")]
Experiment = Annotated[str, shared(OutputSettings, "experiment")]
Out = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="DIR", help="Store, records and reports.", rich_help_panel=options.OUTPUT),
]
FormerTrack = Annotated[bool | None, typer.Option("--track/--no-track", hidden=True)]
FormerShard = Annotated[str | None, typer.Option("--shard", hidden=True)]
"""The former spelling of ``--mlflow``."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.", rich_help_panel=options.OUTPUT)]


def parse_arguments(items: list[str] | None, option: str) -> dict[str, Any]:
    """KEY=VALUE pairs; values are YAML scalars or lists (``steps=30``, ``attributes=[label]``)."""
    arguments: dict[str, Any] = {}
    for item in items or []:
        key, separator, value = item.partition("=")
        if not separator or not key.isidentifier():
            raise UsageError(f"{option} {item!r} is not of the form KEY=VALUE.", f"Example: {option} revision=main")
        if key in arguments:
            raise UsageError(f"{option} names {key!r} twice.", "Give each argument once.")
        try:
            arguments[key] = parse_yaml(value)
        except ValueError as error:
            raise UsageError(f"{option} {key}: the value is not valid YAML.", "Quote it.") from error
    refuse_secrets(arguments, option)
    return arguments


def parse_names(items: list[str] | None) -> tuple[str, ...]:
    """Repeated or comma-separated names."""
    return tuple(name for item in items or [] for name in options.parse_names(item))
