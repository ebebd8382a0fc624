"""One self-contained HTML report of a run."""

from unipath_bench.views.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
