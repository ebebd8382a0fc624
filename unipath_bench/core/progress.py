"""How a stage tells what it does; the command line draws it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the stages of a run."""

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """A stage begins: ``total`` items in all, of which ``done`` were there before."""

    def advance(self, count: int) -> None:
        """``count`` more items are finished."""

    def finish(self) -> None:
        """The stage is over."""

    def note(self, text: str) -> None:
        """Something that the user should know, and that does not stop the run."""


class Silent:
    """Draws nothing."""

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """Do nothing."""
        pass

    def advance(self, count: int) -> None:
        """Do nothing."""
        pass

    def finish(self) -> None:
        """Do nothing."""
        pass

    def note(self, text: str) -> None:
        """Drop the text."""
        pass
