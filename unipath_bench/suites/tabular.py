"""The column rules, in one place: how rows of metadata become samples, whatever they were read from.

======================  ==========================================================================================
Column                  Meaning
======================  ==========================================================================================
``file_name``           Image path relative to the metadata file (folder suites).
``id``                  Sample id; default: the path, or the place in the file.
``split``               ``train``, ``test`` or ``heldout``; see :data:`SPLIT_NAMES` for the names that are understood.
``text``                Prompt; else ``caption``, else ``prompt``. ``text_column`` names another one.
``group``               Images that are not independent; else the first present of ``patient``, ``patient_id``,
                        ``case``, ``case_id``, ``slide``, ``slide_id``. ``group_column`` names another one.
``microns_per_pixel``   Scale; else ``mpp``.
``paraphrases``         Other wordings of the prompt: a list, a JSON list, or texts separated by ``|``.
``seed``                Reserved: never an attribute.
all others              Attributes: class labels, ``label`` first, the others in their order; ``attributes`` selects.
======================  ==========================================================================================

A reserved column is never an attribute, also where it is not the one in use (``slide`` beside ``group``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unipath_bench.contracts import Sample
from unipath_bench.core.errors import UsageError
from unipath_bench.core.parsing import parse_json
from unipath_bench.core.registry import suggest
from unipath_bench.suites.problems import Problems

TEXT = ("text", "caption", "prompt")
GROUP = ("group", "patient", "patient_id", "case", "case_id", "slide", "slide_id")
MICRONS = ("microns_per_pixel", "mpp")
RESERVED = frozenset({"file_name", "id", "split", "paraphrases", "seed", *TEXT, *GROUP, *MICRONS})
"""Columns with a meaning of their own: never attributes."""

MAX_CLASSES = 50
"""A column with more distinct values than this is taken for a class label only where ``attributes`` names it."""

SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "heldout": "heldout",
    "held-out": "heldout",
    "held_out": "heldout",
    "val": "heldout",
    "valid": "heldout",
    "validation": "heldout",
    "dev": "heldout",
}
"""Names of splits that are understood, in any case, and what they become."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image as it was found: where, and what its metadata say."""

    where: str
    """For messages: 'train/metadata.csv line 5'."""
    key: str
    """Id where no column gives one."""
    cells: Mapping[str, Any]
    split: str | None = None
    """From the layout of folders or files; None: the split column, or ``test``."""
    label: str | None = None
    """From class folders."""


@dataclass(frozen=True)
class Columns:
    """Which columns play which part, as far as the user says so."""

    attributes: tuple[str, ...] | None = None
    text: str | None = None
    group: str | None = None

    @classmethod
    def of(cls, attributes: Sequence[str] | str | None, text: str | None, group: str | None) -> Columns:
        """From a suite's arguments; ``attributes`` may be 'label' or 'label,organ'."""
        if isinstance(attributes, str):
            attributes = [name.strip() for name in attributes.split(",") if name.strip()]
        chosen = None if attributes is None else tuple(dict.fromkeys(attributes))
        reserved = [name for name in chosen or () if name in RESERVED]
        if reserved:
            raise UsageError(
                f"attributes={', '.join(reserved)}: a column of this name has a meaning of its own.",
                "Rename the column if it holds class labels.",
            )
        return cls(chosen, text, group)


@dataclass(frozen=True)
class Table:
    """The samples of a suite and what its card says of their columns."""

    samples: tuple[Sample, ...]
    attributes: tuple[str, ...]
    microns_per_pixel: float | None
    """Where it is the same for all."""


def build_table(rows: Sequence[Row], columns: Columns, problems: Problems) -> Table:
    """Turn rows into samples. Every offence against the rules goes to ``problems``, which is then raised.

    Raises :class:`~unipath_bench.DataError` with all of them, and
    :class:`~unipath_bench.UsageError` where an argument names a column that is not there.
    """
    present = list(dict.fromkeys(name for row in rows for name in row.cells))
    text = _column(columns.text, TEXT, present, "text_column")
    group = _column(columns.group, GROUP, present, "group_column")
    microns = _column(None, MICRONS, present, "")
    attributes = _attributes(rows, columns, present, {text, group}, problems)
    ids = [_text(row.cells.get("id")) or row.key for row in rows] if "id" in present else [row.key for row in rows]
    _check_ids(rows, ids, problems)
    prompts = _texts(rows, text, problems)
    groups = _texts(rows, group, problems)
    splits = _splits(rows, "split" in present, problems)
    scales = _scales(rows, microns, problems)
    paraphrases = _paraphrases(rows, problems)
    labels = _labels(rows, attributes, problems)
    problems.raise_if_any()
    samples = tuple(
        Sample(ids[i], splits[i], prompts[i], labels[i], groups[i] or None, paraphrases[i], scales[i])
        for i in range(len(rows))
    )
    distinct = set(scales)
    return Table(samples, attributes, distinct.pop() if len(distinct) == 1 else None)


def split_name(text: str) -> str | None:
    """``train``, ``test`` or ``heldout`` for a split's name as people write it; None where it is none."""
    return SPLIT_NAMES.get(text.strip().lower())


def _column(chosen: str | None, candidates: Sequence[str], present: Sequence[str], argument: str) -> str | None:
    if chosen is None:
        return next((name for name in candidates if name in present), None)
    if chosen not in present:
        raise UsageError(f"{argument}={chosen}: there is no such column.", suggest(chosen, list(present), "column"))
    return chosen


def _attributes(
    rows: Sequence[Row], columns: Columns, present: Sequence[str], used: set[str | None], problems: Problems
) -> tuple[str, ...]:
    nested = {name for row in rows for name, cell in row.cells.items() if isinstance(cell, (list, dict, tuple, bytes))}
    eligible = [n for n in present if n not in RESERVED and n not in used and n not in nested]
    if "label" in eligible or len({row.label for row in rows} - {None}) > 1:
        eligible = ["label", *(n for n in eligible if n != "label")]
    if columns.attributes is not None:
        absent = [name for name in columns.attributes if name not in eligible]
        if absent:
            raise UsageError(
                f"attributes={', '.join(absent)}: no such label column.", suggest(absent[0], eligible, "label column")
            )
        return columns.attributes
    counts = {name: len({_label(row, name) for row in rows}) for name in eligible}
    crowded = [f"{name}: {count} different values" for name, count in counts.items() if count > MAX_CLASSES]
    if crowded:
        few = [name for name, count in counts.items() if count <= MAX_CLASSES]
        choice = few[0] if len(few) == 1 else f"[{','.join(few)}]"
        problems.add(
            f"{len(crowded)} columns have more than {MAX_CLASSES} different values and can hardly be class labels",
            f"Say which columns are labels: --suite-arg attributes={choice}",
            crowded,
        )
    return tuple(eligible)


def _label(row: Row, name: str) -> str:
    value = _text(row.cells.get(name))
    return value or (row.label or "" if name == "label" and "label" not in row.cells else "")


def _labels(rows: Sequence[Row], attributes: Sequence[str], problems: Problems) -> list[dict[str, str]]:
    labels = [{name: _label(row, name) for name in attributes} for row in rows]
    for name in attributes:
        problems.add_each(
            [row.where for row, found in zip(rows, labels, strict=True) if not found[name]],
            f"{{n}} rows have an empty {name!r}",
            "Fill the cells, or leave the column out: --suite-arg attributes=[...] names the label columns to use.",
        )
    return labels


def _check_ids(rows: Sequence[Row], ids: Sequence[str], problems: Problems) -> None:
    places: dict[str, list[str]] = {}
    for row, name in zip(rows, ids, strict=True):
        places.setdefault(name, []).append(row.where)
    problems.add_each(
        [f"{name}: {', '.join(where)}" for name, where in places.items() if len(where) > 1],
        "{n} ids belong to more than one sample",
        "Give each sample an id of its own, and list each file once.",
    )


def _texts(rows: Sequence[Row], column: str | None, problems: Problems) -> list[str]:
    if column is None:
        return [""] * len(rows)
    values = [_text(row.cells.get(column)) for row in rows]
    if any(values):
        problems.add_each(
            [row.where for row, value in zip(rows, values, strict=True) if not value],
            f"{{n}} rows have an empty {column!r} while others do not",
            "Fill the cells, or drop the column.",
        )
    return values


def _splits(rows: Sequence[Row], has_column: bool, problems: Problems) -> list[str]:
    splits, unknown, contrary = [], [], []
    for row in rows:
        split = row.split
        if has_column:
            written = _text(row.cells.get("split"))
            named = split_name(written)
            if named is None:
                unknown.append(f"{row.where}: {written!r}")
            elif split is not None and named != split:
                contrary.append(f"{row.where}: {written!r}, but the image lies in {split!r}")
            split = named or split
        splits.append(split or "test")
    problems.add_each(unknown, "{n} rows have a split that is not known", "Call the splits train, test and heldout.")
    problems.add_each(contrary, "{n} rows contradict the folder or file that they are in", "Drop the split column.")
    return splits


def _scales(rows: Sequence[Row], column: str | None, problems: Problems) -> list[float | None]:
    if column is None:
        return [None] * len(rows)
    scales: list[float | None] = []
    bad = []
    for row in rows:
        written = _text(row.cells.get(column))
        try:
            value = float(written) if written else None
        except ValueError:
            value = math.nan
        if value is not None and not 0 < value < math.inf:
            bad.append(f"{row.where}: {written!r}")
        scales.append(value)
    problems.add_each(bad, f"{{n}} rows have a {column} that is no positive number", "Write microns, such as 0.5.")
    return scales


def _paraphrases(rows: Sequence[Row], problems: Problems) -> list[tuple[str, ...]]:
    found, bad = [], []
    for row in rows:
        value = row.cells.get("paraphrases")
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = parse_json(value)
            except ValueError as error:
                bad.append(f"{row.where}: {error}")
                value = []
        items = value if isinstance(value, (list, tuple)) else _text(value).split("|")
        if not all(isinstance(item, str) for item in items):
            bad.append(f"{row.where}: not a list of texts")
            items = []
        found.append(tuple(item.strip() for item in items if item.strip()))
    problems.add_each(bad, "{n} rows have paraphrases that cannot be read", 'Write ["one", "two"] or one|two.')
    return found


def _text(value: Any) -> str:
    """A cell as text without surrounding white space; empty for nothing, NaN and null."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()
