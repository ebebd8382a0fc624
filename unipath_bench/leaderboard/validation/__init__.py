"""Holding a submission to what it claims: a table of checks, each passed, failed with the reason, or not possible."""

from unipath_bench.leaderboard.validation.checks import Check, Report
from unipath_bench.leaderboard.validation.validate import Outcome, Request, validate_archive

__all__ = ["Check", "Outcome", "Report", "Request", "validate_archive"]
