"""The ``parquet`` suite: images and metadata in Parquet files, as Hugging Face lays them out."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa
import pyarrow.parquet as pq

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest_file
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.images import image_size, read_image
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.table_suite import Description, Size, TableSuite, check_arguments
from unipath_bench.suites.tabular import SPLIT_NAMES, Columns, Row, build_table, split_name

CACHE_BYTES = 64 * 2**20
"""Encoded images kept in memory; at least the row group in use."""


MAX_ROWS = 20_000_000
"""Rows of a suite; a file of some bytes can claim any number."""

MAX_TEXT = 4 * 2**30
"""Bytes of the metadata of a row group once unpacked: a small file can hold any number of one long text."""

_BATCH = 1024

READING_ERRORS = (pa.ArrowException, ValueError, MemoryError, OverflowError)
"""What pyarrow raises on a damaged file, ``OSError`` apart: a text that is not UTF-8 is a ``ValueError``."""


@dataclass(frozen=True, slots=True)
class _Place:
    file: Path
    group: int
    row: int


class ParquetImages:
    """Encoded images in the rows of Parquet files, read row group by row group."""

    def __init__(self, root: Path, files: Sequence[Path]) -> None:
        self._root = root
        self._files = list(files)
        self._places: list[_Place] = []
        self._columns: dict[Path, str] = {}
        self._groups = _RowGroups(CACHE_BYTES)

    def add(self, file: Path, column: str, rows: Iterable[tuple[int, int]]) -> None:
        """Rows of ``file`` as (row group, row in it); ``column`` holds their images."""
        self._columns[file] = column
        self._places.extend(_Place(file, group, row) for group, row in rows)

    def take(self, rows: Sequence[int]) -> None:
        """Keep these rows alone, in this order."""
        self._places = [self._places[row] for row in rows]

    def encoded(self, index: int, name: str) -> bytes:
        """The image file in row ``index``; raises :class:`DataError` under ``name`` where there is none."""
        place = self._places[index]
        cell = self._groups.column(place.file, place.group, self._columns[place.file])[place.row].as_py()
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(data, bytes):
            raise DataError(
                f"{name} ({name_of(place.file, self._root)}) has no image bytes.",
                "Embed the images when writing the file: dataset.to_parquet(path) of Hugging Face datasets does.",
            )
        return data

    def read(self, index: int, name: str) -> RGBImage:
        """Decode row ``index``: uint8 (H, W, 3)."""
        return read_image(self.encoded(index, name), name)

    def size(self, index: int) -> tuple[int, int] | None:
        """(height, width) from the image's header; None where there is none."""
        try:
            return image_size(self.encoded(index, ""))
        except DataError:
            return None

    def digests(self) -> Iterator[str]:
        """SHA-256 of each file."""
        return (digest_file(file) for file in self._files)


class ParquetSuite(TableSuite):
    """One Parquet file, or a folder of them, such as ``data/train-00000-of-00002.parquet`` or ``test/0000.parquet``.

    The image column is binary, or a struct with ``bytes`` as Hugging Face ``datasets`` writes it: ``image`` where there
    is one, the only one of that type otherwise, or the one that ``image_column`` names. A file's split is the start of
    its name, or its folder's name, or its ``split`` column; without any, all is ``test``. Columns follow
    :mod:`unipath_bench.suites.tabular`; nested ones are left alone. Ids default to file and row number. Images are read
    row group by row group, of which up to 64 MiB stay in memory.
    """

    def __init__(
        self,
        data: Path | str,
        *,
        image_column: str | None = None,
        attributes: Sequence[str] | str | None = None,
        text_column: str | None = None,
        group_column: str | None = None,
        size: Size = "uniform",
        **description: Unpack[Description],
    ) -> None:
        check_arguments(type(self), size, description)
        self.root = Path(data).expanduser().resolve()
        problems = Problems(str(self.root))
        rows, self._images = read_parquet(self.root, image_column, problems)
        if not rows:
            problems.add("the Parquet files have no rows", "Check --data.")
            problems.raise_if_any()
        table = build_table(rows, Columns.of(attributes, text_column, group_column), problems)
        super().__init__(table, self.root.stem if self.root.is_file() else self.root.name, size, description)

    def _read(self, index: int) -> RGBImage:
        return self._images.read(index, self._table.samples[index].id)

    def _header_size(self, index: int) -> tuple[int, int] | None:
        return self._images.size(index)

    def _content(self) -> Iterable[str]:
        return self._images.digests()


def read_parquet(root: Path, image_column: str | None, problems: Problems) -> tuple[list[Row], ParquetImages]:
    """The rows of the Parquet files at ``root``, all their plain columns as cells, and their images.

    A file that cannot be read goes to ``problems``. Raises :class:`UsageError` where ``root`` is not there or the image
    column is not clear, :class:`DataError` where there are no Parquet files.
    """
    files = find_files(root)
    images = ParquetImages(root, files)
    rows: list[Row] = []
    for file in files:
        name = name_of(file, root)
        split = _split_of(name)
        try:
            with pq.ParquetFile(file, memory_map=True) as parquet:
                schema = parquet.schema_arrow
                column = find_image_column(schema, image_column, name)
                plain = [f.name for f in schema if not (pa.types.is_nested(f.type) or _is_binary(f.type))]
                plain += [f.name for f in schema if f.name == "paraphrases" and f.name not in plain]
                first = len(rows)
                if len(rows) + parquet.metadata.num_rows > MAX_ROWS:
                    problems.add(f"{name} claims more rows than the {MAX_ROWS:,} that are read", "Split the data set.")
                    continue
                for group in range(parquet.num_row_groups):
                    records = _records(parquet, group, plain, name) if plain else []
                    count = parquet.metadata.row_group(group).num_rows
                    if plain and len(records) != count:
                        raise pa.ArrowInvalid(f"row group {group} has {len(records)} rows instead of {count}")
                    for row in range(count):
                        number = len(rows) - first
                        key = f"{name.removesuffix('.parquet')}/{number}"
                        rows.append(Row(f"{name} row {number}", key, records[row] if plain else {}, split))
                    images.add(file, column, ((group, row) for row in range(count)))
        except (*READING_ERRORS, OSError) as error:
            problems.add(f"{name} is not a Parquet file that can be read: {error}", "Write or copy it again.")
    return rows, images


def _records(parquet: pq.ParquetFile, group: int, columns: Sequence[str], name: str) -> list[dict[str, Any]]:
    """The rows of a row group, in batches, so that what a file unpacks to is seen before it fills the memory."""
    records: list[dict[str, Any]] = []
    unpacked = 0
    for batch in parquet.iter_batches(_BATCH, row_groups=[group], columns=list(columns), use_threads=False):
        unpacked += batch.nbytes
        if unpacked > MAX_TEXT:
            raise DataError(
                f"{name}: the metadata of a row group unpack to over {MAX_TEXT:,} bytes.", "Split the file."
            )
        records.extend(batch.to_pylist())
    return records


def name_of(file: Path, root: Path) -> str:
    """A file's name for messages: relative to ``root``, or its own where ``root`` is the file."""
    return file.name if root.is_file() else file.relative_to(root).as_posix()


class _RowGroups:
    """Image columns of row groups, the most recently used of them kept in memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[Path, int], pa.ChunkedArray] = OrderedDict()
        self._lock = threading.Lock()

    def column(self, file: Path, group: int, name: str) -> pa.ChunkedArray:
        with self._lock:
            key = (file, group)
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            try:
                with pq.ParquetFile(file, memory_map=True) as parquet:
                    column = parquet.read_row_group(group, columns=[name], use_threads=False).column(0)
            except (*READING_ERRORS, OSError) as error:
                raise DataError(f"{file} cannot be read: {error}", "Write or copy it again.") from error
            self._kept[key] = column
            while len(self._kept) > 1 and sum(c.nbytes for c in self._kept.values()) > self._limit:
                self._kept.popitem(last=False)
            return column


def find_image_column(schema: pa.Schema, chosen: str | None, name: str) -> str:
    """The column with encoded images; raises :class:`UsageError` that names the candidates where it is not clear."""
    candidates = [f.name for f in schema if _is_binary(f.type) or _holds_bytes(f.type)]
    if chosen is not None:
        if chosen not in candidates:
            raise UsageError(
                f"image_column={chosen}: {name} has no such column of images.",
                f"Columns that could be: {', '.join(candidates) or 'none'}.",
            )
        return chosen
    if "image" in candidates or len(candidates) == 1:
        return "image" if "image" in candidates else candidates[0]
    if not candidates:
        raise DataError(
            f"{name} has no image column (its columns: {', '.join(schema.names)}).",
            "An image column is binary, or a struct of bytes and path.",
        )
    raise UsageError(
        f"{name} has several columns that could be the images: {', '.join(candidates)}.",
        f"Name one: --suite-arg image_column={candidates[0]}",
    )


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _holds_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind)) and any(kind.field(i).name == "bytes" for i in range(kind.num_fields))


def find_files(root: Path) -> list[Path]:
    """``root`` itself, or the Parquet files below it in the order of their names; hidden ones are left out."""
    if root.is_file():
        return [root]
    if not root.exists():
        raise UsageError(f"The data path {root} does not exist.", "Check --data.")
    found = ((f, f.relative_to(root).parts) for f in sorted(root.rglob("*.parquet")))
    files = [file for file, parts in found if not any(part.startswith(".") for part in parts)]
    if not files:
        raise DataError(f"{root}: there are no Parquet files in the folder.", "Files end in .parquet.")
    outside = [str(f) for f in files if not f.resolve().is_relative_to(root)]
    if outside:
        raise DataError(
            f"{root}: {len(outside)} links lead out of the folder, such as {outside[0]}.",
            "Copy the files in: cp -rL FOLDER COPY follows the links.",
        )
    return files


def _split_of(name: str) -> str | None:
    """From 'data/train-00000-of-00001.parquet' or 'default/train/0000.parquet'."""
    *folders, file = name.split("/")
    start = re.match(rf"({'|'.join(sorted(SPLIT_NAMES, key=len, reverse=True))})(?![a-z0-9])", file.lower())
    return split_name(start[1]) if start else next((s for s in map(split_name, reversed(folders)) if s), None)
