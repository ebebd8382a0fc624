"""What an output is: something that is written after a run, such as the report, and may accompany it."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, ClassVar

from unipath_bench.core.errors import UsageError
from unipath_bench.core.registries import OUTPUTS
from unipath_bench.options import OutputChoice, OutputSettings

if TYPE_CHECKING:
    from unipath_bench.pipeline.place import Place
    from unipath_bench.pipeline.plan import Plan
    from unipath_bench.results.gallery import Exhibits
    from unipath_bench.results.run_folder import RunFolder
    from unipath_bench.schema.record import RunRecord
    from unipath_bench.schema.task import TaskSpec

REPORT = "report.html"
"""Name of the report in a run's folder, which other outputs read."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run whose record is written."""

    place: Place
    """Where the user wanted the output of runs."""
    folder: RunFolder
    """Where the files of this run lie, and what an output writes goes."""
    record: RunRecord
    exhibits: Exhibits
    """The images that the report shows."""
    tasks: Mapping[str, TaskSpec]
    """By name."""


class Output(ABC):
    """One output of one run; made before the run begins."""

    reads: ClassVar[tuple[str, ...]] = ()
    """Names of the outputs that are written before this one, which reads their files."""

    def __init__(self, settings: OutputSettings) -> None:
        self.settings = settings

    def open(self, plan: Plan, place: Place) -> AbstractContextManager[object]:
        """Accompany the run: its context is entered before anything is computed, and left after all outputs."""
        return nullcontext()

    @abstractmethod
    def write(self, finished: Finished) -> str | None:
        """Write the output; returns a line for the user, such as ``"Report  PATH"``, or None."""


def make_outputs(choices: Sequence[OutputChoice] | None, settings: OutputSettings) -> list[Output]:
    """The outputs of these names and classes, or all that are registered, each after those that it reads.

    Raises :class:`~unipath_bench.UsageError` for an unknown name, for what is no output, and where they read one
    another in a circle.
    """
    registered = {entry.target: entry.name for entry in OUTPUTS.entries()}
    made: dict[str, Output] = {}
    for choice in OUTPUTS.names() if choices is None else choices:
        target: Any = OUTPUTS.get(choice) if isinstance(choice, str) else choice
        name = choice if isinstance(choice, str) else _reference(choice)
        name = registered.get(name, name)
        output = target(settings) if inspect.isfunction(target) or _is_output_class(target) else None
        if not isinstance(output, Output):
            raise UsageError(f"{name} is no output.", f"Name a subclass of {Output.__module__}.{Output.__name__}.")
        made[name] = output
    return _in_order(made)


def _reference(target: object) -> str:
    """``module:attribute``, or what the object shows of itself."""
    return f"{target.__module__}:{target.__qualname__}" if hasattr(target, "__qualname__") else repr(target)


def _is_output_class(target: object) -> bool:
    return inspect.isclass(target) and issubclass(target, Output)


def _in_order(outputs: dict[str, Output]) -> list[Output]:
    """Each after those that it reads, otherwise by name."""
    before = {name: [other for other in output.reads if other in outputs] for name, output in outputs.items()}
    try:
        return [outputs[name] for name in TopologicalSorter(before).static_order()]
    except CycleError as error:
        raise UsageError(
            f"Outputs read one another in a circle: {' -> '.join(error.args[1])}.",
            "Uninstall one of them, or correct what it reads.",
        ) from error
