"""The strict base of every document, and reading YAML into one."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from unipath_bench.core import parsing
from unipath_bench.core.errors import UsageError, listed

_LONGEST = 200
"""Characters of a value that a message quotes."""


class Document(BaseModel):
    """Frozen, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())
    explained_by: ClassVar[str] = "`unipath-bench schema {name}` prints what is allowed."
    """Where a user finds what a document of this kind may hold."""

    @classmethod
    def migrated(cls, value: Any, source: str) -> Any:
        """Parsed JSON as the present version of this kind has it; kinds that have had others say how.

        Raises :class:`UsageError`, naming ``source``, for a later version.
        """
        del source
        return value


DocumentT = TypeVar("DocumentT", bound=Document)


def validate(kind: type[DocumentT], value: Any, source: str) -> DocumentT:
    """Bring ``value`` to the present version and check it against ``kind``.

    A mismatch raises :class:`UsageError` naming ``source`` and each field.
    """
    try:
        return kind.model_validate(kind.migrated(value, source))
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in item['loc']) or '(document)'}: {_plainly(item, kind)}"
            for item in error.errors()
        ]
        raise UsageError(
            f"{source} is not a valid {kind.__name__}:\n{listed(problems)}",
            f"Correct these fields; {kind.explained_by.replace('{name}', kind.__name__)}",
        ) from error


def _plainly(item: Any, kind: type[Document]) -> str:
    if item["type"] == "extra_forbidden":
        near = get_close_matches(str(item["loc"][-1]), list(kind.model_fields), n=1)
        return "unknown key" + (f"; did you mean {near[0]!r}?" if near else "")
    if item["type"] == "missing":
        return "required, but absent"
    if item["type"] == "value_error" and not item["loc"]:
        return str(item["ctx"]["error"])
    given, problem = repr(item["input"]), item["msg"].removeprefix("Value error, ")
    return f"{problem} (got {given if len(given) <= _LONGEST else given[:_LONGEST] + '...'})"


def read_yaml(path: Path) -> Any:
    """Parse a YAML file with the safe loader and within bounds (:mod:`.parsing`); errors name file, line and column."""
    raw = _read(path, parsing.MAX_YAML, "Check the path.")
    try:
        return parsing.parse_yaml(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start}).", "Save the file as UTF-8.") from error
    except ValueError as error:
        raise UsageError(f"{path} is not valid YAML: {error}", "Correct the file.") from error


def load_yaml(kind: type[DocumentT], path: Path) -> DocumentT:
    """Read and validate one YAML document."""
    return validate(kind, read_yaml(path), str(path))


def parse_json(kind: type[DocumentT], path: Path) -> DocumentT:
    """Read and validate one JSON document; errors name the file and each wrong field."""
    return validate(kind, read_json(path, "Give a run's folder, or its record.json."), str(path))


def read_json(path: Path, remedy: str) -> Any:
    """Parse a JSON file within bounds (:mod:`.parsing`); :class:`UsageError` with ``remedy`` where it is none."""
    raw = _read(path, parsing.MAX_JSON, remedy)
    try:
        return parsing.parse_json(raw)
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}", remedy) from error


def _read(path: Path, limit: int, remedy: str) -> bytes:
    try:
        size = path.stat().st_size
        if size > limit:
            raise UsageError(f"{path} has {size:,} bytes; at most {limit:,} are read.", remedy)
        with path.open("rb") as stream:
            return stream.read(limit)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file.", remedy) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.", remedy) from error
