"""When a task has no number."""

from __future__ import annotations

from typing import ClassVar

from unipath_bench.core.errors import EXIT_MISSING, BenchError


class NotComputable(BenchError):
    """A metric cannot be computed on these inputs: too few images, one class only, no paraphrases.

    ``message`` is the reason and ``remedy`` what would make it computable.
    :func:`unipath_bench.scoring.evaluate` turns it into the status "not computed"; it never stops a run and
    never becomes a number.
    """

    exit_code: ClassVar[int] = EXIT_MISSING
