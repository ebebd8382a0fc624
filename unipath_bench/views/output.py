"""What an output is: something that is written after a run, such as the report, and may accompany it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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
class OutputSettings:
    """What the user asks of the outputs."""

    mlflow: bool = True
    """Whether the run is logged to MLflow: false with ``--no-mlflow``."""
    tracking_uri: str | None = None
    """Of MLflow; None: a database in the output folder."""
    experiment: str | None = None
    """MLflow's; None: the usual one."""


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
