"""Data sets whose columns are not published: the user's map says which column is what."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.files import escaping_paths, is_file_below
from unipath_bench.suites.huggingface import fetch
from unipath_bench.suites.parquet import ParquetImages, find_files, read_parquet
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.public.images import Files
from unipath_bench.suites.public.spec import DataSet, Found, Images, Layout
from unipath_bench.suites.public.tables import column_names, read_columns
from unipath_bench.suites.tabular import Row, split_name

ROLES = ("image", "text", "group", "split", "id", "microns_per_pixel", "paraphrases")
"""What a column may be, besides an attribute of a name of the user's choice."""

_EXAMPLE = "--suite-arg 'columns={image: COLUMN, text: COLUMN, group: COLUMN, split: COLUMN, ATTRIBUTE: COLUMN}'"


@dataclass(frozen=True)
class ColumnMap(Layout):
    """Parquet files (a folder, a file, or a hub id at a pinned revision), or a CSV table with a folder of images.

    ``columns`` maps :data:`ROLES` and attribute names to columns; what is not mapped is not read.
    """

    columns: Mapping[str, str] | None = None
    """The map where the columns are published; None: the user must give it."""
    required: tuple[str, ...] = ("image",)
    """Keys that the map must have."""
    distinct: bool = False
    """Whether one image stands in several rows, of which only the first is kept."""

    arguments: ClassVar[tuple[str, ...]] = ("columns", "table", "revision", "files", "renamed_splits")
    takes_hub_id: ClassVar[bool] = True

    def find(
        self,
        data_set: DataSet,
        data: str,
        problems: Problems,
        *,
        columns: Mapping[str, str] | None = None,
        table: str | None = None,
        revision: str | None = None,
        files: list[str] | str | None = None,
        offline: bool = False,
        renamed_splits: Mapping[str, str] | None = None,
    ) -> Found:
        """Read a folder, or a hub id, by the columns that the data set or ``columns`` names.

        ``table`` names a CSV file in the folder, whose image column holds paths relative to the folder;
        ``renamed_splits`` is such as ``{fold1: test}``; ``revision`` and ``files`` go with a hub id.
        """
        source = Path(data).expanduser()
        if not source.exists():
            if data.startswith((".", "/", "~")) or data.count("/") != 1:
                raise data_set.missing(f"{data} does not exist")
            source = fetch(data, revision, files, offline)
        source = source.resolve()
        chosen = {**(self.columns or {}), **(columns or {})}
        there = column_names(source / table) if table else _parquet_columns(source, data_set)
        self._check(data_set, chosen, there)
        if table:
            rows, images = _from_table(source, table, chosen, problems)
        else:
            rows, images = _from_parquet(source, chosen, problems)
        problems.raise_if_any()
        notes = [f"Columns: {', '.join(f'{key} = {column}' for key, column in chosen.items())}."]
        if self.distinct and isinstance(images, ParquetImages):
            rows, dropped = _distinct(rows, images)
            notes.append(f"{dropped} further rows of the same images are not used.")
        return Found([_with_split(row, renamed_splits or {}) for row in rows], images, tuple(notes))

    def _check(self, data_set: DataSet, chosen: Mapping[str, str], there: list[str]) -> None:
        listed = f"Its columns here are {', '.join(there) or 'none'}."
        if self.columns is None and not chosen:
            raise UsageError(
                f"The columns of {data_set.name} are not published where this project could read them, "
                f"so it does not guess. {listed}",
                f"Say what they are: {_EXAMPLE}",
            )
        lacking = [key for key in self.required if key not in chosen]
        if lacking:
            raise UsageError(f"columns: {data_set.name} needs {' and '.join(lacking)}. {listed}", _EXAMPLE)
        absent = [f"{key}: {column}" for key, column in chosen.items() if column not in there]
        if absent:
            raise UsageError(f"columns: there is no column for {', '.join(absent)}. {listed}", _EXAMPLE)


def _parquet_columns(source: Path, data_set: DataSet) -> list[str]:
    try:
        files = find_files(source)
    except DataError as error:
        tables = ", ".join(path.name for path in sorted(source.glob("*.csv")))
        raise DataError(
            f"{source}: there are no Parquet files of {data_set.name} in the folder.",
            f"For a CSV table and a folder of images: --suite-arg table=FILE.csv (here: {tables or 'none'}).",
        ) from error
    try:
        return [str(name) for name in pq.read_schema(files[0]).names]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{files[0]} is not a Parquet file that can be read: {error}", "Copy it again.") from error


def _from_parquet(source: Path, chosen: Mapping[str, str], problems: Problems) -> tuple[list[Row], Images]:
    rows, images = read_parquet(source, chosen["image"], problems)
    return [replace(row, cells=_mapped(row.cells, chosen)) for row in rows], images


def _from_table(folder: Path, table: str, chosen: Mapping[str, str], problems: Problems) -> tuple[list[Row], Images]:
    cells = read_columns(folder / table, list(chosen.values()))
    names = cells[chosen["image"]]
    times = Counter(names)
    problems.add_each(escaping_paths(folder, times), f"{table} names {{n}} files outside {folder}", "Do not trust it.")
    absent = [name for name in times if not is_file_below(folder, name)]
    problems.add_each(absent, f"{table} names {{n}} images that are not there", f"Paths are relative to {folder}.")
    rows = [
        Row(
            f"{table} row {i + 1}",
            f"{name}#{i}" if times[name] > 1 else name,
            _mapped({column: values[i] for column, values in cells.items()}, chosen),
        )
        for i, name in enumerate(names)
    ]
    return rows, Files([folder / name for name in names])


def _mapped(cells: Mapping[str, Any], chosen: Mapping[str, str]) -> dict[str, Any]:
    return {key: cells.get(column) for key, column in chosen.items() if key != "image"}


def _with_split(row: Row, renamed: Mapping[str, str]) -> Row:
    """The split of the column, where it has a name that is known; other names are left for the table to refuse."""
    written = row.cells.get("split")
    if written is None:
        return row
    name = split_name(str(renamed.get(str(written), written)))
    cells = {**row.cells, "split": name} if name else dict(row.cells)
    return replace(row, cells=cells, split=row.split or name)


def _distinct(rows: list[Row], images: ParquetImages) -> tuple[list[Row], int]:
    """The first row of every image, by the bytes of its file."""
    first: dict[bytes, int] = {}
    for index, row in enumerate(rows):
        first.setdefault(hashlib.sha256(images.encoded(index, row.where)).digest(), index)
    kept = sorted(first.values())
    images.take(kept)
    return [rows[index] for index in kept], len(rows) - len(kept)
