"""A polite kill counts as Ctrl-C, so that what is open is closed and said to be so."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process was asked to end by a signal, whose name is the message."""


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM and SIGHUP raise :class:`Terminated` inside, as Ctrl-C raises ``KeyboardInterrupt``.

    A signal that somebody handles or ignores (``nohup``) is left alone; outside the main thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGTERM", "SIGHUP")
    wanted = [getattr(signal, name) for name in names if hasattr(signal, name)]
    taken = [number for number in wanted if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Terminated(signal.Signals(number).name)
