"""The details of what was measured, as the kind that a test expects."""

from __future__ import annotations

from typing import TypeVar

from unipath_bench.contracts import Measurement
from unipath_bench.schema.base import Document
from unipath_bench.schema.record import TaskScore

KindT = TypeVar("KindT", bound=Document)


def table(found: Measurement | TaskScore, kind: type[KindT]) -> KindT:
    """The details, which must be of this kind."""
    assert isinstance(found.details, kind), f"details of the kind {type(found.details).__name__}"
    return found.details
