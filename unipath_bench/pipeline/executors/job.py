"""What an executor is made of: the user's settings, and what there is to do."""

from __future__ import annotations

import pickle  # nosec B403  # written to see whether it can be, and never read
from dataclasses import dataclass
from typing import Literal

from unipath_bench.core.errors import UsageError
from unipath_bench.options import Execution, Options
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.generate import GenerateStage
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.store import Store
from unipath_bench.pipeline.worker import Worker

Setting = Literal["workers", "timeout", "address"]


@dataclass(frozen=True, slots=True)
class Job:
    """What an executor is called with."""

    plan: Plan
    store: Store
    embed: EmbedStage
    """The driver's own, for an executor that works in this process."""
    execution: Execution

    def accept(self, *settings: Setting) -> None:
        """Refuse, as :class:`~unipath_bench.UsageError`, settings other than these; every executor calls it first."""
        given, name = self.execution, self.execution.executor
        if given.workers is not None and given.workers < 1:
            raise UsageError(f"--workers is {given.workers}.", "At least one is needed.")
        if given.timeout is not None and "timeout" not in settings:
            raise UsageError(
                f"--timeout does not go with --executor {name}: a call that hangs is ended from outside only.",
                "Add --executor processes.",
            )
        if given.address is not None and "address" not in settings:
            raise UsageError("--address is for --executor ray.", "Add --executor ray, or leave --address out.")
        if given.workers not in (None, 1) and "workers" not in settings:
            raise UsageError(f"--executor {name} has one worker.", "Add --executor processes, or ray.")

    def portable_options(self) -> Options:
        """The run's options, to plan it again in another process.

        Raises :class:`~unipath_bench.UsageError` where they hold an object that cannot be sent there.
        """
        options = self.plan.options
        try:
            pickle.dumps(options)
        except Exception as error:
            raise UsageError(
                f"Model, suite, tasks or encoders cannot be sent to other processes: {type(error).__name__}: {error}",
                "Use the executor local, or give them by name or module:attribute.",
            ) from error
        return options

    def worker(self) -> Worker:
        """A worker in this process."""
        return Worker(GenerateStage(self.plan, self.store, self.execution.batch_size), self.embed)
