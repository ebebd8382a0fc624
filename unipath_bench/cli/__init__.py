"""The command line: parses, calls, prints.

What an evaluation is made of is put together in :mod:`unipath_bench.api`; no module here imports the pipeline. A
command about a subject with a package of its own, such as a leaderboard, calls that package.
"""

from unipath_bench.cli.app import main

__all__ = ["main"]
