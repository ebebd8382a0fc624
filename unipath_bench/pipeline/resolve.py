"""From names to objects, each once: the tasks, the suite, the generator and the encoders of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unipath_bench.contracts import Generator, Suite
from unipath_bench.core.errors import UsageError
from unipath_bench.core.registries import ENCODERS
from unipath_bench.core.registry import is_file
from unipath_bench.generators.cards import load_generator
from unipath_bench.options import Encoder, EncoderChoice, Options, parse_encoders, parse_tasks, parse_tiers
from unipath_bench.schema.cards import SuiteCard
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.catalogue import select_tasks
from unipath_bench.suites.card import load_suite

ROLES = ("image", "judge", "alignment")


@dataclass(frozen=True)
class Resolved:
    """The objects of a run. Nothing is loaded yet, and nothing of it has been held against anything else."""

    suite: Suite
    generator: Generator
    tasks: tuple[TaskSpec, ...]
    """Their metrics are looked up when they are planned: the first one imports the numerics."""
    encoders: Mapping[str, Encoder]
    """By the name that records call them by; those alone that a task reads."""
    roles: Mapping[str, tuple[str, ...]]
    """Names of the encoders that play each role."""
    chosen: frozenset[str]
    """Names of the encoders that the user chose, where others are the suite's defaults."""


def resolve(options: Options) -> Resolved:
    """Look up every name, once.

    Raises :class:`~unipath_bench.UsageError` for an unknown name and for what is not of its kind, and
    :class:`~unipath_bench.MissingError` where an object's own package is not installed.
    """
    if options.model is None:
        raise UsageError(
            "No generator was named.", "Add --model NAME (see `unipath-bench list models`) or --images DIR."
        )
    tasks, choices = parse_tasks(options.tasks), parse_encoders(options.encoders)
    specs = select_tasks(parse_tiers(options.tiers), tasks)
    suite = load_suite(options.suite, options.data, options.suite_arguments or {}, offline=options.offline)
    specs = tasks_for(specs, suite.card, named=bool(tasks))
    generator = load_generator(options.model, dict(options.model_arguments or {}))
    encoders, roles = open_encoders(specs, suite.card, choices)
    named = {role for role, _ in map(_split, choices)}
    chosen = frozenset(name for role in named for name in roles[role] if name in encoders)
    return Resolved(suite, generator, tuple(specs), encoders, roles, chosen)


def open_encoders(
    specs: Sequence[TaskSpec], card: SuiteCard, chosen: Iterable[EncoderChoice] = ()
) -> tuple[dict[str, Encoder], dict[str, tuple[str, ...]]]:
    """The encoders that the tasks read on this suite, by their names in records, and these names by role."""
    opened: dict[str, Encoder] = {}
    assigned = assign_encoders(card.default_encoders, chosen)
    roles = {role: tuple(_recorded_name(found, opened) for found in choices) for role, choices in assigned.items()}
    read = {name for spec in specs for name in encoders_of(spec, roles)}
    return {name: opened[name] if name in opened else ENCODERS.get(name)() for name in sorted(read)}, roles


def encoders_of(spec: TaskSpec, roles: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Names of the encoders that a task is computed in; empty where it reads none, or nobody plays its role."""
    if spec.encoder is None:
        return ()
    return tuple(roles.get(spec.encoder[1:], ())) if spec.encoder.startswith("@") else (spec.encoder,)


def assign_encoders(
    defaults: Mapping[str, str], chosen: Iterable[EncoderChoice]
) -> dict[str, tuple[str | Encoder, ...]]:
    """Encoders by role: the suite's defaults, replaced role by role by what the user chose.

    Raises :class:`~unipath_bench.UsageError` for a role that there is not.
    """
    replaced: dict[str, list[str | Encoder]] = {}
    for role, encoder in map(_split, chosen):
        if role not in ROLES:
            shown = encoder if isinstance(encoder, str) else encoder.card.name
            raise UsageError(f"--encoder {role}={shown}: there is no role {role!r}.", f"Roles are {', '.join(ROLES)}.")
        if encoder not in replaced.setdefault(role, []):
            replaced[role].append(encoder)
    roles: dict[str, tuple[str | Encoder, ...]] = {role: (name,) for role, name in defaults.items()}
    return roles | {role: tuple(encoders) for role, encoders in replaced.items()}


def _split(choice: EncoderChoice) -> tuple[str, str | Encoder]:
    """A choice's role and encoder."""
    if isinstance(choice, tuple):
        return choice
    if not isinstance(choice, str):
        return "image", choice
    role, _, name = choice.rpartition("=")
    return role or "image", name


def _recorded_name(encoder: str | Encoder, opened: dict[str, Encoder]) -> str:
    """What records call an encoder: its registered name; of an object and of a file's encoder the name on its card."""
    if isinstance(encoder, str) and not is_file(encoder):
        return encoder
    made = ENCODERS.get(encoder)() if isinstance(encoder, str) else encoder
    other = opened.setdefault(made.card.name, made)
    if other is not made and other.card != made.card:
        raise UsageError(f"Two encoders are named {made.card.name!r}.", "Give one of them another name on its card.")
    return made.card.name


def tasks_for(specs: Sequence[TaskSpec], card: SuiteCard, *, named: bool = False) -> list[TaskSpec]:
    """The tasks that are for this kind of suite. A task that the user named must be."""
    fitting = [spec for spec in specs if spec.suites in ("any", card.kind)]
    others = [spec.name for spec in specs if spec not in fitting]
    if others and named:
        raise UsageError(
            f"{', '.join(others)}: for {next(s.suites for s in specs if s not in fitting)} suites, and "
            f"{card.name!r} is a {card.kind} suite.",
            "`unipath-bench list tasks` names the kind of suite that each task is for.",
        )
    return fitting


def spelled(given: object) -> str:
    """How records spell what the user named: a name or module:attribute as it is, of a file its name alone.

    An object is spelled by its class, so that records depend on no folder and on no address in memory.
    """
    if isinstance(given, str):
        return Path(given).name if is_file(given) else given
    kind = given if hasattr(given, "__qualname__") else type(given)
    return f"{kind.__module__}:{kind.__qualname__}"
