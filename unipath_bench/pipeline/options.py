"""What the user asked for: objects or names, not looked at yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from unipath_bench.contracts import Generator, ImageEncoder, Suite, TextEncoder
from unipath_bench.core.errors import UsageError
from unipath_bench.schema.base import Document
from unipath_bench.schema.task import TaskSpec

Encoder = ImageEncoder | TextEncoder
EncoderChoice = str | Encoder | tuple[str, str | Encoder]
"""``NAME`` or an encoder (for the role ``image``), ``ROLE=NAME``, or a pair of a role and either."""


@dataclass(frozen=True)
class Options:
    """What to evaluate, on what, in which tasks and encoders.

    A model, a suite, a task or an encoder is given as an object or by its name.
    """

    model: str | Generator | Callable[..., Generator]
    """An object, a class or function that makes one of ``model_arguments``, or what ``--model`` takes."""
    suite: str | Suite | Callable[..., Suite] = "phantom"
    """Likewise; a class or function is called with ``data`` and ``suite_arguments``."""
    data: str | None = None
    model_arguments: Mapping[str, Any] | None = None
    suite_arguments: Mapping[str, Any] | None = None
    tiers: tuple[int, ...] = (1, 2, 3, 4)
    tasks: tuple[str | TaskSpec, ...] = ()
    """Only these; names, paths of YAML files or specifications. Empty: all of the tiers."""
    n: int | None = None
    """Prompts; None: the whole test split."""
    seeds: int = 1
    """Images per prompt."""
    encoders: tuple[EncoderChoice, ...] = ()
    """Repeated for a panel; a role that is not named keeps the suite's default."""
    device: str = "cpu"
    offline: bool = False
    trust_remote_code: bool = False


class OptionsDocument(Document):
    """:class:`Options` in which everything is named, as a file holds them for another process."""

    model: str
    suite: str
    data: str | None = None
    model_arguments: dict[str, Any] | None = None
    suite_arguments: dict[str, Any] | None = None
    tiers: tuple[int, ...]
    tasks: tuple[str, ...] = ()
    n: int | None = None
    seeds: int = 1
    encoders: tuple[str, ...] = ()
    device: str = "cpu"
    offline: bool = False
    trust_remote_code: bool = False

    @classmethod
    def of(cls, options: Options) -> OptionsDocument:
        """Write options down. Raises :class:`~unipath_bench.UsageError` for an object, which a file cannot hold."""
        given = (options.model, options.suite, *options.tasks, *options.encoders)
        objects = [type(each).__name__ for each in given if not isinstance(each, str)]
        if objects:
            raise UsageError(
                f"A run that is divided among machines is written down by names, not objects: {', '.join(objects)}.",
                "Give its registered name or module:attribute instead.",
            )
        return cls.model_validate({name: getattr(options, name) for name in cls.model_fields})

    def options(self) -> Options:
        """The options that were written down."""
        return Options(**{name: getattr(self, name) for name in type(self).model_fields})
