"""Errors that a user can mend.

Every error raised on purpose is a :class:`BenchError`: a message that names the thing, and a remedy. The command line
prints both without a traceback and exits with the error's code. Anything else that escapes is a bug of ours (code 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

EXIT_DONE = 0
EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_MISSING = 3
EXIT_BAD_DATA = 4
EXIT_REGRESSION = 5
EXIT_INTERRUPTED = 130


class BenchError(Exception):
    """An expected failure: ``message`` says what is wrong, ``remedy`` what to do about it.

    Examples:
        >>> print(BenchError("The folder tiles holds no images.", "Name the folder that holds train/ and test/."))
        The folder tiles holds no images.
        Name the folder that holds train/ and test/.
    """

    exit_code: ClassVar[int] = EXIT_BUG

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.remedy)


class UsageError(BenchError):
    """The command, a name or a configuration file is wrong (exit code 2).

    Examples:
        >>> UsageError("There is no model 'unipaht'.", "Did you mean 'unipath'?").exit_code
        2
    """

    exit_code = EXIT_USAGE


class MissingError(BenchError):
    """Something that the user can supply is not there: weights, a licence, a package, disk space (exit code 3).

    Examples:
        >>> MissingError("The weights are not there.", "Download them first.").exit_code
        3
    """

    exit_code = EXIT_MISSING


class DataError(BenchError):
    """Images, captions or an adapter's output are not usable (exit code 4).

    Examples:
        >>> DataError("tiles/a.png is no image.", "Export it again.").exit_code
        4
    """

    exit_code = EXIT_BAD_DATA


class NotComputable(BenchError):
    """A metric cannot be computed on these inputs: too few images, one class only, no paraphrases.

    ``message`` is the reason and ``remedy`` what would make it computable. It becomes the status "not computed" of a
    task; it never stops a run and never becomes a number.

    Examples:
        >>> raise NotComputable("The set has one image.", "Raise --n.")
        Traceback (most recent call last):
            ...
        unipath_bench.core.errors.NotComputable: The set has one image.
        Raise --n.
    """

    exit_code: ClassVar[int] = EXIT_MISSING


class GeneratorError(DataError):
    """A generator adapter raised, or returned something that is not the images that were asked for.

    Examples:
        It counts as unusable data.

        >>> isinstance(GeneratorError("The generator drew NaN."), DataError)
        True
    """


def listed(items: Sequence[str], limit: int = 20) -> str:
    """One item a line, indented; past ``limit`` the rest is counted.

    Examples:
        >>> print(listed(["a.png", "b.png", "c.png"], limit=2))
          - a.png
          - b.png
          - ... and 1 more
    """
    lines = [f"  - {item}" for item in items[:limit]]
    if len(items) > limit:
        lines.append(f"  - ... and {len(items) - limit} more")
    return "\n".join(lines)
