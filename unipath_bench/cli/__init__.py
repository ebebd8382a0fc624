"""The command line: parses, calls, prints."""

from unipath_bench.cli.app import main

__all__ = ["main"]
