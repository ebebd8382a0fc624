"""Options as a file holds them for another process."""

from __future__ import annotations

from typing import Any

from pydantic import create_model

from unipath_bench.core.errors import UsageError
from unipath_bench.options import Described, Options, describe, parse_encoders, parse_tasks, spell_tiers
from unipath_bench.schema.base import Document


def _field(found: Described) -> tuple[Any, Any]:
    """Type and default of an option of which everything is named."""
    if found.option.values == "many":
        return tuple[str, ...], ()
    if found.option.values == "arguments":
        return dict[str, Any] | None, None
    return (found.type if found.default is not None else found.type | None), found.default


_FIELDS: dict[str, Any] = {name: _field(found) for name, found in describe(Options).items()}
_Named: Any = create_model("_Named", __base__=Document, **_FIELDS)


class OptionsDocument(_Named):  # type: ignore[misc]
    """The fields of :class:`~unipath_bench.options.Options`, with a name for every object."""

    @classmethod
    def of(cls, options: Options) -> OptionsDocument:
        """Write options down. Raises :class:`~unipath_bench.UsageError` for an object, which a file cannot hold."""
        tasks, encoders = parse_tasks(options.tasks), parse_encoders(options.encoders)
        given = (options.model, options.suite, *tasks, *encoders)
        objects = [type(each).__name__ for each in given if not isinstance(each, str)]
        if objects:
            raise UsageError(
                f"A run that is divided among machines is written down by names, not objects: {', '.join(objects)}.",
                "Give its registered name or module:attribute instead.",
            )
        written: OptionsDocument = cls.model_validate(
            {name: getattr(options, name) for name in _FIELDS}
            | {"tasks": tasks, "encoders": encoders, "tiers": spell_tiers(options.tiers)}
            | {"data": None if options.data is None else str(options.data)}
        )
        return written

    def options(self) -> Options:
        """The options that were written down."""
        return Options(**{name: getattr(self, name) for name in _FIELDS})
