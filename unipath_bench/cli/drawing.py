"""Progress bars of a run."""

from __future__ import annotations

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from unipath_bench.core.console import Console


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="dim")


class RichProgress:
    """Draws each stage with its rate and the time left, on standard error; before the first one, nothing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn("line" if console.options.ascii_only else "dots"),
            TextColumn("{task.description:<13}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> RichProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress.tasks:
            self._progress.stop()

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """Add a bar for ``stage`` that stands at ``done`` of ``total`` items; later calls move this bar."""
        self._progress.start()
        self._task = self._progress.add_task(stage, total=total, completed=done)

    def advance(self, count: int) -> None:
        """Move the current bar forward by ``count`` items; without a current bar nothing happens."""
        if self._task is not None:
            self._progress.advance(self._task, count)

    def finish(self) -> None:
        """Stop the clock of the current bar, which stays on display; without a current bar nothing happens."""
        if self._task is not None:
            self._progress.stop_task(self._task)
        self._task = None

    def note(self, text: str) -> None:
        """Print ``text`` in yellow above the bars, exactly as it is: markup in it has no effect."""
        self._console.print_line(text, "yellow")
