"""The strict base of every document, and reading YAML into one."""

from __future__ import annotations

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from unipath_bench.errors import UsageError, listed


class Document(BaseModel):
    """Frozen, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


DocumentT = TypeVar("DocumentT", bound=Document)


def validate(kind: type[DocumentT], value: Any, source: str) -> DocumentT:
    """Check ``value`` against ``kind``; a mismatch raises :class:`UsageError` naming ``source`` and each field."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in item['loc']) or '(document)'}: {_plainly(item, kind)}"
            for item in error.errors()
        ]
        raise UsageError(
            f"{source} is not a valid {kind.__name__}:\n{listed(problems)}",
            f"Correct these fields; `unipath-bench schema {kind.__name__}` prints what is allowed.",
        ) from error


def _plainly(item: Any, kind: type[Document]) -> str:
    if item["type"] == "extra_forbidden":
        near = get_close_matches(str(item["loc"][-1]), list(kind.model_fields), n=1)
        return "unknown key" + (f"; did you mean {near[0]!r}?" if near else "")
    return f"{item['msg']} (got {item['input']!r})" if item["type"] != "missing" else "required, but absent"


def read_yaml(path: Path) -> Any:
    """Parse a YAML file with the safe loader; errors name the file, line and column."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file.", "Check the path.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start}).", "Save the file as UTF-8.") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not valid YAML: {error}", "Correct the file.") from error


def load_yaml(kind: type[DocumentT], path: Path) -> DocumentT:
    """Read and validate one YAML document."""
    return validate(kind, read_yaml(path), str(path))


def parse_json(kind: type[DocumentT], path: Path) -> DocumentT:
    """Read and validate one JSON document; errors name the file and each wrong field."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file.", "Give a run's folder, or its record.json.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UsageError(f"{path} is not JSON: {error}", "Give a run's folder, or its record.json.") from error
    return validate(kind, value, str(path))
