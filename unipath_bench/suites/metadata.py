"""Reading ``metadata.csv`` and ``metadata.jsonl`` strictly, with the line of everything that is wrong."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unipath_bench.core.csv_safety import unescape_formula
from unipath_bench.core.parsing import parse_json
from unipath_bench.suites.problems import Problems

NAMES = ("metadata.csv", "metadata.jsonl")
_UTF8 = "Save the file as UTF-8, for example: iconv -f {} -t UTF-8 {name} > fixed && mv fixed {name}"


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a metadata file."""

    line: int
    """Line in the file on which the row begins, from 1."""
    cells: Mapping[str, Any]


def read_metadata(path: Path, name: str, problems: Problems) -> list[Record]:
    """The rows of a CSV or JSON-lines file, UTF-8 with or without a byte order mark.

    The apostrophe that this project's own tables have before a text that a spreadsheet would run is taken away
    (:mod:`unipath_bench.core.csv_safety`).

    What is wrong (encoding, columns, ragged or unreadable rows) goes to ``problems`` under ``name``, every line of it;
    rows that could be read are returned all the same, so that later checks can report too.
    """
    raw = path.read_bytes()
    text = _decode(raw, name, problems)
    if text is None:
        return []
    return _read_csv(text, name, problems) if path.suffix == ".csv" else _read_jsonl(text, name, problems)


def _decode(raw: bytes, name: str, problems: Problems) -> str | None:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        problems.add(f"{name} is UTF-16 text, not UTF-8", _UTF8.format("UTF-16", name=name))
        return None
    lines = enumerate(raw.split(b"\n"), start=1)
    bad = [f"line {n}: {line[:100].decode('latin-1').strip()}" for n, line in lines if not _is_utf8(line)]
    if bad:
        problems.add(
            f"{name} is not UTF-8 text ({len(bad)} lines; probably Latin-1 or Windows-1252)",
            _UTF8.format("WINDOWS-1252", name=name),
            bad,
        )
        return None
    return raw.decode("utf-8-sig")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _read_csv(text: str, name: str, problems: Problems) -> list[Record]:
    rows = _csv_rows(text, name, problems)
    first = next(rows, None)
    if first is None:
        problems.add(f"{name} is empty", "Write a header line with file_name and one row an image.")
        return []
    header = [unescape_formula(column).strip() for column in first[1]]
    doubled = sorted(column for column, count in Counter(header).items() if count > 1)
    if "" in header or doubled:
        what = f"columns with one name ({', '.join(doubled)})" if any(doubled) else "a column without a name"
        problems.add(f"the header of {name} has {what}", "Give each column a name of its own.")
        return []
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        problems.add(f"{name} is not separated by commas: {header[0]!r}", "Save it with commas between the columns.")
        return []
    records, ragged = [], []
    for line, cells in rows:
        if len(cells) == len(header):
            records.append(Record(line, dict(zip(header, map(unescape_formula, cells), strict=True))))
        elif cells:
            ragged.append(f"line {line}: {len(cells)} cells, {len(header)} columns")
    problems.add_each(
        ragged, f"{{n}} rows of {name} do not fit its header", 'Put texts that hold commas in double quotes: "a, b".'
    )
    return records


def _csv_rows(text: str, name: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begin = 1
    try:
        for cells in reader:
            yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        problems.add(
            f"{name} is not valid CSV from line {begin} on: {error}",
            'Check the double quotes there; a quote inside a quoted text is written twice: "".',
        )


def _read_jsonl(text: str, name: str, problems: Problems) -> list[Record]:
    records, bad = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except ValueError as error:
            bad.append(f"line {number}: {error}")
            continue
        if isinstance(value, dict):
            records.append(Record(number, value))
        else:
            bad.append(f"line {number}: a {type(value).__name__}, not an object")
    problems.add_each(bad, f"{{n}} lines of {name} are not JSON objects", "Write one JSON object a line, without NaN.")
    return records
