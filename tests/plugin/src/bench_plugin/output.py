"""An output: how long the run took, in a file of its own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from unipath_bench.views.output import Finished, Output


class Stopwatch(Output):
    """Measures from before the run to its own turn, after the report."""

    reads = ("report",)

    @contextmanager
    def open(self, plan: object, place: object) -> Iterator[None]:
        self._begun = time.perf_counter()
        yield

    def write(self, finished: Finished) -> str:
        path = finished.folder.path / "stopwatch.txt"
        report = (finished.folder.path / "report.html").stat().st_size
        seconds = time.perf_counter() - self._begun
        path.write_text(f"{finished.record.name}: {seconds:.1f} s, a report of {report} bytes\n", encoding="utf-8")
        return f"Stopwatch  {path}"
