"""Several processes on this machine, a device each: for many GPUs, and to survive what kills a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from unipath_bench.core.errors import BenchError, GeneratorError, UsageError
from unipath_bench.options import Options
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.executors.job import Job
from unipath_bench.pipeline.executors.protocol import LostWork
from unipath_bench.pipeline.generate import GenerateStage
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.store import Store
from unipath_bench.pipeline.work import Done, WorkItem
from unipath_bench.pipeline.worker import Worker

MAX_DEATHS = 3
"""Processes that an item may take with it before it is given up."""
IN_FLIGHT = 2
"""Work items a process holds at a time, so that the next one's images are decoded while one is embedded."""


class ForeignFailure(BenchError):
    """Something unforeseen in a worker process, with its traceback."""


@dataclass(slots=True)
class _Hand:
    """One worker process and what it was given."""

    device: str
    process: Any
    pipe: Connection
    items: deque[WorkItem] = field(default_factory=deque)
    flushed: bool = False
    """Whether it was asked for what it still holds, since the last item it was given."""
    last_sign: float = 0.0
    doing: str = "its start"


class Processes:
    """Worker processes, replaced when they die.

    There is one a GPU with ``--device cuda``, else two, or as many as ``workers`` says. ``timeout``: seconds without a
    sign of life (a call of the generator that ends, an item that is done) after which a process is stopped and what it
    was doing is named; None waits for ever.
    """

    def __init__(self, job: Job) -> None:
        job.accept("workers", "timeout")
        self._options = job.portable_options()
        self._address = job.store.root, job.store.url
        self._batch_size = job.execution.batch_size
        self._timeout = job.execution.timeout
        self._context = multiprocessing.get_context("spawn")
        self._devices = _devices(job.plan.options.device, job.execution.workers)
        self._hands: list[_Hand] = []
        self._deaths: Counter[WorkItem] = Counter()

    def carry_out(self, items: Sequence[WorkItem]) -> Iterator[Done]:
        """Do every item on whichever process is free.

        Raises :class:`~unipath_bench.GeneratorError` naming what hung or what killed three processes.
        """
        try:
            yield from self._carry_out(deque(items), set(items), len(items))
        except BaseException:
            self.close()  # What is in flight must not answer a later call.
            raise

    def _carry_out(self, todo: deque[WorkItem], left: set[WorkItem], total: int) -> Iterator[Done]:
        while left:
            self._employ(min(len(self._devices), len(left)))
            for hand in self._hands:
                self._give(hand, todo)
            for hand in self._heard():
                message = self._receive(hand)
                if message is None:
                    self._bury(hand, todo)
                elif isinstance(message, Done):
                    hand.items.remove(message.item)
                    left.discard(message.item)
                    yield message
                elif isinstance(message, BaseException):
                    raise message
                else:
                    hand.doing = message
            self._look_for_hung()
            if not todo and not any(hand.items for hand in self._hands) and left:
                raise LostWork(len(left), total)

    def close(self) -> None:
        """Stop the processes."""
        for hand in self._hands:
            hand.process.kill()
        for hand in self._hands:
            hand.process.join()
            hand.pipe.close()
        self._hands = []

    def _employ(self, wanted: int) -> None:
        busy = {hand.device for hand in self._hands}
        for device in [d for d in self._devices if d not in busy][: max(0, wanted - len(self._hands))]:
            ours, theirs = self._context.Pipe()
            options = replace(self._options, device=device.partition("#")[0])
            process = self._context.Process(
                target=_serve, args=(theirs, options, self._address, self._batch_size), daemon=True
            )
            process.start()
            theirs.close()
            self._hands.append(_Hand(device, process, ours, last_sign=time.monotonic()))

    def _give(self, hand: _Hand, todo: deque[WorkItem]) -> None:
        try:
            while todo and len(hand.items) < IN_FLIGHT:
                hand.pipe.send(todo[0])
                hand.items.append(todo.popleft())
                hand.flushed = False
            if not todo and hand.items and not hand.flushed:
                hand.pipe.send(None)
                hand.flushed = True
        except (BrokenPipeError, ConnectionResetError):
            return  # It died: the wait below hears of it.

    def _heard(self) -> list[_Hand]:
        ready = set(wait([hand.pipe for hand in self._hands], timeout=1.0))
        return [hand for hand in self._hands if hand.pipe in ready]

    def _receive(self, hand: _Hand) -> Any:
        """A message, or None where the process is gone."""
        hand.last_sign = time.monotonic()
        try:
            return hand.pipe.recv()
        except (EOFError, ConnectionResetError):
            return None

    def _bury(self, hand: _Hand, todo: deque[WorkItem]) -> None:
        """Take a dead process's items back; the first was the one that it was at."""
        hand.process.join()
        hand.pipe.close()
        self._hands.remove(hand)
        if not hand.items:
            return
        first = hand.items[0]
        self._deaths[first] += 1
        if self._deaths[first] >= MAX_DEATHS:
            raise GeneratorError(
                f"{MAX_DEATHS} worker processes died at {first} (exit code {hand.process.exitcode}), the last one "
                f"during {hand.doing}.",
                "Exit code -9 is mostly memory: use fewer workers or a smaller --batch-size. Finished shards are kept.",
            )
        todo.extendleft(reversed(hand.items))

    def _look_for_hung(self) -> None:
        if self._timeout is None:
            return
        for hand in self._hands:
            silent = time.monotonic() - hand.last_sign
            if hand.items and silent > self._timeout:
                raise GeneratorError(
                    f"A worker process gave no sign of life for {silent:.0f} s during {hand.doing}.",
                    "Raise --timeout if that is how long it takes; finished shards are kept.",
                )


def _serve(pipe: Connection, options: Options, address: tuple[Path, str | None], batch_size: int | None) -> None:
    """A worker process: items in, :class:`Done`, signs of life and errors out. None asks for what is still held."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        plan, store = make_plan(options), Store.open(*address)
        worker = Worker(GenerateStage(plan, store, batch_size, watch=pipe.send), EmbedStage(plan, store))
        while True:
            for done in worker.complete_all(_items(pipe)):
                pipe.send(done)
    except BenchError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # The driver is gone.
    except Exception:
        # Nothing may be lost on the way to the driver, whatever it was.
        pipe.send(
            ForeignFailure("A worker process failed:\n" + traceback.format_exc(), "Report it with this traceback.")
        )


def _items(pipe: Connection) -> Iterator[WorkItem]:
    while (item := pipe.recv()) is not None:
        yield item


def _devices(device: str, workers: int | None) -> list[str]:
    """One name a worker, the device before ``#``: every GPU in turn for ``cuda``, the same device otherwise."""
    if device != "cuda":
        return [f"{device}#{number}" for number in range(workers or 2)]
    import torch

    found = torch.cuda.device_count()
    if not found:
        raise UsageError("--device cuda: there is no CUDA device.", "Use --device cpu.")
    return [f"cuda:{number % found}#{number}" for number in range(workers or found)]
