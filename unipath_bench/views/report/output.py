"""The report as an output of a run."""

from __future__ import annotations

from unipath_bench.core.files import storage_error
from unipath_bench.views.output import REPORT, Finished, Output
from unipath_bench.views.report.page import write_report


class Report(Output):
    """The HTML report beside the record."""

    def write(self, finished: Finished) -> str:
        """Write ``report.html``."""
        path = finished.folder.path / REPORT
        try:
            write_report(finished.record, finished.exhibits, path, finished.tasks)
        except OSError as error:
            raise storage_error(error, path) from error
        return f"Report  {path}"
