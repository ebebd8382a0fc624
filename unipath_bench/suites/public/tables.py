"""Reading some columns of a large table, and a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv

from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.parsing import parse_json
from unipath_bench.core.registry import suggest

_UNREADABLE = (pa.ArrowException, OSError, ValueError)
"""What pyarrow raises on a file that is no CSV; a text that is not UTF-8 is a ``ValueError``."""
_AGAIN = "Copy the file again from its source."


def column_names(file: Path) -> list[str]:
    """The header of a CSV file; an unnamed column is left out."""
    try:
        with csv.open_csv(file, parse_options=csv.ParseOptions(newlines_in_values=True)) as reader:
            return [name for name in reader.schema.names if name]
    except _UNREADABLE as error:
        raise DataError(f"{file} is not a CSV table that can be read: {error}", _AGAIN) from error


def read_columns(file: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """These columns of a UTF-8 CSV file as text, an empty cell as ''; nothing else of it is kept in memory.

    Raises :class:`UsageError` for a column that is not there and :class:`DataError` for a file that is no CSV.
    """
    wanted = list(dict.fromkeys(names))
    there = column_names(file)
    for name in wanted:
        if name not in there:
            raise UsageError(f"{file} has no column {name!r}.", suggest(name, there, "column"))
    try:
        table = csv.read_csv(
            file,
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                include_columns=wanted, column_types={name: pa.string() for name in wanted}
            ),
        )
        return {name: [value or "" for value in table.column(name).to_pylist()] for name in wanted}
    except _UNREADABLE as error:
        raise DataError(f"{file} is not a CSV table that can be read: {error}", _AGAIN) from error


def read_json(file: Path) -> Any:
    """A UTF-8 JSON document; raises :class:`DataError` with the place of what is wrong."""
    try:
        return parse_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{file} is not JSON that can be read: {error}", _AGAIN) from error
