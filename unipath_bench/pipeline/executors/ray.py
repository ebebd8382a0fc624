"""Ray Data: an actor pool over the items, on one machine or a cluster that sees the store's folder."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unipath_bench.core.errors import BenchError, GeneratorError, MissingError
from unipath_bench.options import Options
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.executors.job import Job
from unipath_bench.pipeline.executors.protocol import LostWork
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.generate import GenerateStage
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.store import Store
from unipath_bench.pipeline.work import Done, WorkItem
from unipath_bench.pipeline.worker import Worker

RETRIES = 9
"""Times that an item is done again whose actor died; the next death ends the run."""


_COLUMNS = ("stage", "family", "position", "rows")


class RayData:
    """``workers`` Ray actors (two), each with the models loaded once.

    An actor or machine that dies is replaced by Ray and its item is done again, up to ``RETRIES`` times; an item that
    raises ends the run. Rows that Ray might drop are counted. Ray's own reports to its makers are off, unless the
    environment turns them on.

    ``address``: of a running cluster; None starts Ray on this machine. With ``--device cuda`` each actor takes an equal
    part of the GPUs.
    """

    def __init__(self, job: Job) -> None:
        job.accept("workers", "address")
        workers, address = job.execution.workers or 2, job.execution.address
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise MissingError("Ray is not installed.", 'Run: pip install "unipath-bench[ray]"') from error
        self._ray: Any = ray
        self._options = job.portable_options()
        self._address = job.store.root.absolute(), job.store.url
        self._workers = workers
        self._batch_size = job.execution.batch_size
        self._started = not ray.is_initialized()
        if self._started:
            own: dict[str, Any] = {} if address else {"num_cpus": workers + 1}
            self._ray.init(
                address=address or "local", include_dashboard=False, log_to_driver=False, logging_level="warning", **own
            )

    def carry_out(self, items: Sequence[WorkItem]) -> Iterator[Done]:
        """Do every item on whichever actor is free.

        Raises what the work raised, and :class:`~unipath_bench.GeneratorError` naming an item that killed every
        actor that worked on it.
        """
        import ray.data
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        if not items:
            return
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = 0
        gpus = self._ray.cluster_resources().get("GPU", 0) if self._options.device.startswith("cuda") else 0
        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        begun = self._ray.remote(num_cpus=0, scheduling_strategy=here)(_Begun)
        rows = ray.data.from_items([_row(item) for item in items], override_num_blocks=len(items))
        done = rows.map_batches(
            _Actor,
            fn_constructor_args=(
                self._options,
                self._address,
                self._batch_size,
                list(sys.path),
                begun.remote(),
                RETRIES,
            ),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(self._workers, len(items))),
            num_cpus=1,
            num_gpus=gpus / self._workers if gpus else None,
        )
        left = set(items)
        error = None
        # To the end in any case: a thread of Ray Data that still works when Ray is shut down takes this process along.
        for row in done.iter_rows():
            error = error or row["error"]
            if error is not None:
                continue
            item = _item(row)
            left.discard(item)
            yield Done(item, int(row["generated"]), int(row["embedded"]))
        if error is not None:
            raise error
        if left:
            raise LostWork(len(left), len(items))

    def close(self) -> None:
        """Leave the cluster; a Ray that was started here ends."""
        if self._started:
            self._ray.shutdown()


def _row(item: WorkItem) -> dict[str, str | int]:
    """A item as a row of a Ray data set."""
    return {"stage": item.stage, "family": item.family.name, "position": item.position, "rows": item.rows}


def _item(row: Mapping[str, Any]) -> WorkItem:
    """The item of a row."""
    stage, family, position, rows = (row[column] for column in _COLUMNS)
    return WorkItem(str(stage), Family.parse(str(family)), int(position), int(rows))  # type: ignore[arg-type]


class _Begun:
    """How often each item was begun.

    The counts are kept by an actor of its own on the driver's machine, so that they outlive any item and any other
    machine.
    """

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()
        self._stopped = False

    def count(self, item: str) -> int:
        """One time more; returns how many that makes, or 0 where nothing is to be begun any more."""
        self._times[item] += 1
        return 0 if self._stopped else self._times[item]

    def stop(self) -> None:
        """Let no item be begun any more: one has failed."""
        self._stopped = True


class _Actor:
    """A worker in Ray's hands. What the work raised is an answer too, so that Ray does not try it again."""

    def __init__(
        self,
        options: Options,
        address: tuple[Path, str | None],
        batch_size: int | None,
        path: list[str],
        begun: Any,
        retries: int,
    ) -> None:
        sys.path[:] = path
        import ray

        self._ray: Any = ray
        self._begun = begun
        self._retries = retries
        device = "cuda" if ray.get_gpu_ids() else options.device
        plan, store = make_plan(replace(options, device=device)), Store.open(*address)
        self._worker = Worker(GenerateStage(plan, store, batch_size), EmbedStage(plan, store))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        columns = zip(*(batch[column] for column in _COLUMNS), strict=True)
        answers = [self._answer(_item(dict(zip(_COLUMNS, values, strict=True)))) for values in columns]
        errors = np.empty(len(answers), dtype=object)
        errors[:] = [error for _, error in answers]
        return {
            **batch,
            "generated": np.array([done.generated for done, _ in answers]),
            "embedded": np.array([done.embedded for done, _ in answers]),
            "error": errors,
        }

    def _answer(self, item: WorkItem) -> tuple[Done, BenchError | None]:
        died = self._ray.get(self._begun.count.remote(str(item))) - 1
        if died < 0:
            return Done(item), None
        if died > self._retries:
            self._begun.stop.remote()
            return Done(item), GeneratorError(
                f"{died} actors, one after the other, died at {item}.",
                "It is mostly memory: use fewer workers or a smaller --batch-size. --executor processes names the "
                "images at which a process dies. Finished shards are kept.",
            )
        try:
            return self._worker.complete(item), None
        except BenchError as error:
            self._begun.stop.remote()
            return Done(item), error
