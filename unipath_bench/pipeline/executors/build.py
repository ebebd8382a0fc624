"""From the user's choice to an executor."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Literal

from unipath_bench.core.errors import UsageError
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.executors.local import Local
from unipath_bench.pipeline.executors.protocol import Executor
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.store import Store

Kind = Literal["local", "processes", "ray"]


@dataclass(frozen=True, slots=True)
class Execution:
    """How units are done; no part of a record."""

    kind: Kind = "local"
    workers: int | None = None
    """Processes or actors; None: one a GPU with ``--device cuda``, else two."""
    batch_size: int | None = None
    timeout: float | None = None
    """Seconds without a sign of life, for ``processes``."""
    address: str | None = None
    """Of a running Ray cluster; None starts one on this machine."""


def build_executor(execution: Execution, plan: Plan, store: Store, embed: EmbedStage) -> Executor:
    """The executor; ``embed`` is the driver's own, which a local one shares.

    Raises :class:`~unipath_bench.UsageError` for settings that do not go together, and
    :class:`~unipath_bench.MissingError` where Ray is not installed.
    """
    if execution.workers is not None and execution.workers < 1:
        raise UsageError(f"--workers is {execution.workers}.", "At least one is needed.")
    if execution.timeout is not None and execution.kind != "processes":
        raise UsageError(
            f"--timeout does not go with --executor {execution.kind}: a call that hangs is ended from outside only.",
            "Add --executor processes.",
        )
    if execution.address is not None and execution.kind != "ray":
        raise UsageError("--address is for --executor ray.", "Add --executor ray, or leave --address out.")
    if execution.kind == "local":
        if execution.workers not in (None, 1):
            raise UsageError("--executor local has one worker.", "Add --executor processes, or ray.")
        return Local(plan, store, embed, execution.batch_size)
    _require_portable(plan)
    if execution.kind == "processes":
        from unipath_bench.pipeline.executors.processes import Processes

        devices = _devices(plan.options.device, execution.workers)
        return Processes(plan.options, store, devices, execution.batch_size, execution.timeout)
    from unipath_bench.pipeline.executors.ray import RayData

    return RayData(plan.options, store, execution.workers or 2, execution.batch_size, execution.address)


def _require_portable(plan: Plan) -> None:
    """Refuse objects that cannot be sent to another process."""
    try:
        pickle.dumps(plan.options)
    except Exception as error:
        raise UsageError(
            f"The model, suite, tasks or encoders cannot be sent to other processes: {type(error).__name__}: {error}",
            "Use the executor local, or give them by name or module:attribute.",
        ) from error


def _devices(device: str, workers: int | None) -> list[str]:
    """One name a worker, the device before ``#``: every GPU in turn for ``cuda``, the same device otherwise."""
    if device != "cuda":
        return [f"{device}#{number}" for number in range(workers or 2)]
    import torch

    found = torch.cuda.device_count()
    if not found:
        raise UsageError("--device cuda: there is no CUDA device.", "Use --device cpu.")
    return [f"cuda:{number % found}#{number}" for number in range(workers or found)]
