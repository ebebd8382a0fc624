"""JSON from an archive that somebody else made, within bounds and of its schema."""

from __future__ import annotations

from unipath_bench.core.errors import DataError
from unipath_bench.core.parsing import parse_json
from unipath_bench.schema.base import DocumentT, validate

_BITS = 63
"""Of a whole number: seeds and sizes go into int64 arrays."""


def parse_document(kind: type[DocumentT], content: bytes, name: str) -> DocumentT:
    """Read one JSON document; raises :class:`DataError` or :class:`UsageError` naming the member and the field."""
    try:
        value = parse_json(content, max_bits=_BITS)
    except ValueError as error:
        raise DataError(
            f"{name} is not plain JSON: {error}.", "Only what `unipath-bench submit` writes is taken."
        ) from error
    return validate(kind, value, name)
