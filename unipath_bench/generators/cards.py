"""From what ``--model`` names to a generator.

It names a baseline card, a card file, a registered generator or module:attribute.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unipath_bench.contracts import Generator
from unipath_bench.core.builder import build, kind_of
from unipath_bench.core.digest import digest
from unipath_bench.core.errors import BenchError, GeneratorError, UsageError
from unipath_bench.core.redaction import refuse_secrets
from unipath_bench.core.registries import GENERATORS
from unipath_bench.core.registry import load_attribute, suggest
from unipath_bench.core.resources import data_folder
from unipath_bench.schema.base import load_yaml, validate
from unipath_bench.schema.cards import GeneratorCard

AS_GIVEN = "as given"
"""The ``revision`` of a card whose user states it among the arguments: the built generator's own is taken."""


@dataclass(frozen=True, slots=True)
class Model:
    """One line of ``unipath-bench list models``."""

    name: str
    title: str
    provider: str
    """``baseline card``, or the distribution that registers the generator."""
    card: GeneratorCard | None
    """None where the registered object has none before it is built, or cannot be imported."""
    problem: str = ""
    """Why it cannot be imported."""


def load_generator(
    spec: str | Generator | Callable[..., Generator],
    arguments: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Generator:
    """The generator that ``--model`` names, built but not set up; its ``card`` says what it is.

    ``spec`` is the name of a baseline card or of a registered generator, the path of a card (``.yaml``,
    ``.yml``), ``module:attribute``, or what that names: a Generator class, an instance, or a function that returns one.
    ``arguments`` go to the constructor, over those of the card; ``overrides`` replace fields of the card,
    e.g. ``name`` or ``revision``.

    Raises :class:`UsageError` for unknown names, wrong arguments and objects that are no generator.
    """
    given = dict(arguments or {})
    card: GeneratorCard | None = None
    target: object
    if not isinstance(spec, str):
        target, named = spec, _name_of(spec)
    elif (path := _card_path(spec)) is not None:
        card = _read_card(path)
        given = {**card.arguments, **given}
        target, named = _declared(card.adapter, path), card.adapter
    else:
        target, named = GENERATORS.get(spec), spec
    source = spec if isinstance(spec, str) else named
    refuse_secrets(given, f"{source}:")
    generator = _build(target, named, given)
    final = _final_card(generator.card, card, given)
    if overrides:
        final = validate(GeneratorCard, final.model_dump(mode="python") | dict(overrides), f"the card of {source}")
    if final != generator.card:
        try:
            generator.card = final
        except AttributeError as error:
            raise UsageError(
                f"The card of {source} cannot be set, so its arguments would not be recorded: {error}.",
                "Make `card` a plain attribute of the generator's class.",
            ) from error
    return generator


def _name_of(given: object) -> str:
    """What messages call an object that was given instead of a name."""
    return str(getattr(given, "__qualname__", type(given).__qualname__))


def _build(target: Any, name: str, arguments: Mapping[str, Any]) -> Generator:
    generator = build(
        target,
        name,
        arguments,
        Generator,  # type: ignore[type-abstract]
        noun="generator",
        option="--model-arg",
        options={"images": "--images DIR"},
        failure=GeneratorError,
    )
    card = getattr(generator, "card", None)
    if not isinstance(card, GeneratorCard):
        have = "has no card" if card is None else f"has a card that is {kind_of(card)}"
        raise UsageError(
            f"The generator {name!r} {have}.",
            "Set `card = GeneratorCard(name=..., revision=..., licence=...)` on its class.",
        )
    return generator


def _declared(adapter: str, path: Path) -> Any:
    """Return the adapter that a card names.

    Of code that is not registered only a Generator class is taken: a card is data that others wrote, and any function
    with any arguments would be code.
    """
    target = GENERATORS.get(adapter)
    is_generator = isinstance(target, Generator) or (inspect.isclass(target) and issubclass(target, Generator))
    if ":" in adapter and not is_generator:
        raise UsageError(
            f"{path}: the adapter {adapter!r} is no Generator class, and a card has no other code called.",
            f"Name the class, register the function as an entry point, or say --model {adapter} yourself.",
        )
    return target


def find_card(name: str) -> GeneratorCard:
    """The card behind a name or a card's path, without building the generator."""
    path = _card_path(name)
    if path is not None:
        return _read_card(path)
    card = getattr(load_attribute(name) if ":" in name else GENERATORS.get(name), "card", None)
    if not isinstance(card, GeneratorCard):
        raise UsageError(
            f"The generator {name!r} has no card before it is built.",
            "Make `card` an attribute of its class.",
        )
    return card


def list_models() -> list[Model]:
    """Every name that ``--model`` takes, in alphabetical order."""
    cards = {name: _read_card(path) for name, path in _baselines().items()}
    models = [Model(name, card.title, "baseline card", card) for name, card in cards.items()]
    for entry in GENERATORS.entries():
        if entry.name in cards:
            continue
        try:
            card = getattr(GENERATORS.get(entry.name), "card", None)
        except BenchError as error:
            models.append(Model(entry.name, "", entry.provider, None, error.message))
            continue
        known = card if isinstance(card, GeneratorCard) else None
        models.append(Model(entry.name, known.title if known else "", entry.provider, known))
    return sorted(models, key=lambda model: model.name)


def model_digest(generator: Generator, suite_revision: str | None = None) -> str:
    """SHA-256 of all that decides the images.

    This is the part of the card that decides, the fingerprint and, for a generator that is shown the suite, the
    suite's revision. A generator class may name in ``incidental`` those of its arguments that do not decide the images
    (where files lie, time limits); they are left out.
    """
    if generator.card.oracle and suite_revision is None:
        raise ValueError(f"{generator.card.name} is shown the suite: its digest needs the suite's revision")
    incidental: frozenset[str] = getattr(generator, "incidental", frozenset())
    try:
        card = generator.card.deciding(without=("arguments",))
        arguments = generator.card.arguments
        card["arguments"] = {n: value for n, value in arguments.items() if n not in incidental}
        return digest(
            {
                "card": card,
                "fingerprint": dict(generator.fingerprint()),
                "suite": suite_revision if generator.card.oracle else None,
            }
        )
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The arguments or the fingerprint of {generator.card.name!r} cannot be written as JSON: {error}",
            "Use strings, finite numbers, booleans, lists and dictionaries with string keys.",
        ) from error


def _baselines() -> dict[str, Path]:
    return {path.stem: path for path in sorted(data_folder("baselines").glob("*.yaml"))}


def _card_path(spec: str) -> Path | None:
    """The YAML file that ``spec`` names; None for a registered generator or module:attribute."""
    if spec.endswith((".yaml", ".yml")):
        return Path(spec).expanduser()
    if ":" in spec:
        return None
    baselines = _baselines()
    if spec not in baselines:
        if spec not in GENERATORS:
            known = sorted({*baselines, *GENERATORS.names()})
            raise UsageError(
                f"There is no model named {spec!r}.",
                suggest(spec, known, "model") + " A card's path (.yaml) and module:attribute work too.",
            )
        return None
    if spec in GENERATORS and _read_card(baselines[spec]).adapter != spec:
        raise UsageError(
            f"The name {spec!r} means two models: the card {baselines[spec]} and a registered generator.",
            "Uninstall the package that registers it, or name the card by its path.",
        )
    return baselines[spec]


def _read_card(path: Path) -> GeneratorCard:
    card = load_yaml(GeneratorCard, path)
    if not card.adapter:
        raise UsageError(
            f"{path} names no adapter.",
            f"Add `adapter:` with one of {', '.join(GENERATORS.names())}, or module:attribute.",
        )
    if path.parent == data_folder("baselines") and card.name != path.stem:
        raise UsageError(f"{path} is a card named {card.name!r}.", f"Name it {path.stem!r}, as its file.")
    return card


def _final_card(built: GeneratorCard, written: GeneratorCard | None, arguments: Mapping[str, Any]) -> GeneratorCard:
    """The written card where there is one, completed from the built generator's own where it is silent."""
    card = built
    if written is not None:
        silent = {
            name: getattr(built, name) for name in GeneratorCard.model_fields if name not in written.model_fields_set
        }
        if written.revision == AS_GIVEN:
            silent["revision"] = built.revision
        card = written.model_copy(update=silent)
    plain = {name: _plain(value) for name, value in {**built.arguments, **arguments}.items()}
    return card.model_copy(update={"arguments": plain})


def _plain(value: Any) -> Any:
    """Paths as strings; anything else that JSON lacks is left for :func:`model_digest` to refuse."""
    return json.loads(json.dumps(value, default=str)) if isinstance(value, Path | dict | list | tuple) else value
