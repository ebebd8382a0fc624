"""JSON from a file that somebody else made: no NaN, no infinity, no key twice, no depth without end."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from unipath_bench.errors import DataError
from unipath_bench.schema.base import DocumentT, validate

MAX_DEPTH = 60


def parse_document(kind: type[DocumentT], content: bytes, name: str) -> DocumentT:
    """Read one JSON document; raises :class:`DataError` or :class:`UsageError` naming the member and the field."""
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_object)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(
            f"{name} is not plain JSON: {error}.", "Only what `unipath-bench submit` writes is taken."
        ) from error
    problem = _problem(value, 0)
    if problem:
        raise DataError(f"{name} {problem}.", "Only what `unipath-bench submit` writes is taken.")
    return validate(kind, value, name)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it holds a key twice")
    return found


def _problem(value: Any, depth: int) -> str:
    if depth > MAX_DEPTH:
        return f"is nested more than {MAX_DEPTH} deep"
    if isinstance(value, float) and not math.isfinite(value):
        return "holds a number beyond float64"
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return "holds a whole number of more than 63 bits"
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((problem for each in inner if (problem := _problem(each, depth + 1))), "")
