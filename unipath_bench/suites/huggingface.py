"""The ``huggingface`` suite: a data set of Hugging Face ``datasets``, from disk or the hub at a pinned revision."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from huggingface_hub import constants

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest_file
from unipath_bench.core.errors import DataError, MissingError, UsageError, listed
from unipath_bench.core.images import image_size, read_image
from unipath_bench.suites.parquet import find_image_column
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.table_suite import Description, Size, TableSuite, check_arguments
from unipath_bench.suites.tabular import Columns, Row, build_table, split_name

if TYPE_CHECKING:
    from datasets import Dataset

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class HuggingFaceSuite(TableSuite):
    """``data``: a folder that ``save_to_disk`` wrote, one that ``load_dataset`` reads, or a hub id ``owner/name``.

    A hub id needs ``revision`` (a commit, so that the suite cannot change) and is fetched once into the hub's cache;
    ``files`` (glob patterns) fetches a part of the repository. With ``offline``, or ``HF_HUB_OFFLINE=1``, only that
    cache is looked at. ``config`` names one of several configurations. ``splits`` renames splits, such as
    ``{train: test}``; names as in :data:`~unipath_bench.suites.tabular.SPLIT_NAMES` need no renaming. Columns follow
    :mod:`unipath_bench.suites.tabular`, ``ClassLabel`` columns by their names. Images are decoded by this package from
    their bytes, one by one from the memory-mapped table.
    """

    takes_hub_id: ClassVar[bool] = True

    def __init__(
        self,
        data: Path | str,
        *,
        revision: str | None = None,
        config: str | None = None,
        files: Sequence[str] | str | None = None,
        splits: Mapping[str, str] | None = None,
        offline: bool = False,
        image_column: str | None = None,
        attributes: Sequence[str] | str | None = None,
        text_column: str | None = None,
        group_column: str | None = None,
        size: Size = "uniform",
        **description: Unpack[Description],
    ) -> None:
        check_arguments(type(self), size, description)
        source = Path(data).expanduser()
        if source.exists():
            folder, name = source.resolve(), source.resolve().name
        else:
            folder, name = fetch(str(data), revision, files, offline), str(data)
        parts = _open(folder, config, name)
        self._homes = _homes(folder)
        problems = Problems(name)
        renamed = _rename(list(parts), splits or {}, problems)
        self._parts: list[tuple[Dataset, str]] = []
        self._places: list[tuple[int, int]] = []
        rows: list[Row] = []
        for split, dataset in parts.items():
            column, images = _images(dataset, image_column, f"{name} ({split})" if split else name)
            rows.extend(_rows(dataset, column, split, renamed[split]))
            self._places.extend((len(self._parts), row) for row in range(len(images)))
            self._parts.append((images, column))
        if not rows:
            problems.add("the data set has no rows", "Check --data.")
            problems.raise_if_any()
        table = build_table(rows, Columns.of(attributes, text_column, group_column), problems)
        super().__init__(table, name, size, description)

    def _source_of(self, index: int) -> Path | bytes:
        part, row = self._places[index]
        dataset, column = self._parts[part]
        cell = dataset[row][column]
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if isinstance(data, bytes):
            return data
        path = cell.get("path") if isinstance(cell, dict) else None
        if not path:
            raise DataError(
                f"{self._table.samples[index].id} has no image bytes and no path.", "Write the data set again."
            )
        place = Path(str(path)).resolve()
        if not any(place.is_relative_to(home) for home in self._homes):
            raise DataError(
                f"{self._table.samples[index].id}: its image {path} lies outside the data set.",
                "Write the data set again with the images in it; do not trust one that somebody else wrote so.",
            )
        return place

    def _read(self, index: int) -> RGBImage:
        return read_image(self._source_of(index), self._table.samples[index].id)

    def _header_size(self, index: int) -> tuple[int, int] | None:
        try:
            return image_size(self._source_of(index))
        except DataError:
            return None

    def _content(self) -> Iterator[str]:
        for index in range(len(self._places)):
            source = self._source_of(index)
            try:
                yield digest_file(source) if isinstance(source, Path) else hashlib.sha256(source).hexdigest()
            except OSError as error:
                raise DataError(f"{source!s} cannot be read: {error.strerror}.", "Check the file.") from error


def fetch(name: str, revision: str | None, files: Sequence[str] | str | None, offline: bool) -> Path:
    """Folder of the hub data set ``name`` at ``revision``; :class:`UsageError` for no hub id or no revision."""
    if not _HUB_ID.fullmatch(name):
        raise UsageError(f"{name} is neither a path that exists nor a hub id of the form owner/name.", "Check --data.")
    if not revision:
        raise UsageError(
            f"The hub data set {name} needs a revision, so that its content cannot change.",
            f"Add --suite-arg revision=COMMIT; https://huggingface.co/datasets/{name}/commits/main lists them.",
        )
    from unipath_bench.suites.hub import snapshot

    return snapshot(name, str(revision), [files] if isinstance(files, str) else files, offline=offline)


def _homes(folder: Path) -> tuple[Path, ...]:
    """Where the image files of a data set may lie: its folder, the hub's files behind it, and unpacked archives."""
    import datasets

    cache = Path(constants.HF_HUB_CACHE).resolve()
    place = folder.resolve()
    behind = [cache / place.relative_to(cache).parts[0]] if place.is_relative_to(cache) and place != cache else []
    unpacked = [datasets.config.EXTRACTED_DATASETS_PATH, datasets.config.DOWNLOADED_DATASETS_PATH]
    return (place, *behind, *(Path(str(path)).resolve() for path in unpacked))


def _open(folder: Path, config: str | None, name: str) -> dict[str, Dataset]:
    """Data sets by split; the one key is empty where a single data set was saved to disk."""
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise MissingError("The huggingface suite needs the package 'datasets'.", "pip install datasets") from error
    try:
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            loaded = datasets.load_from_disk(str(folder))
        else:
            loaded = datasets.load_dataset(str(folder), config)  # nosec B615  # a local folder
    except (datasets.exceptions.DatasetsError, OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{name} cannot be loaded by Hugging Face datasets: {str(error).strip() or type(error).__name__}",
            "Check the folder's layout. One of several configurations is named by --suite-arg config=NAME.",
        ) from error
    return {"": loaded} if isinstance(loaded, datasets.Dataset) else dict(loaded)


def _rename(found: Sequence[str], splits: Mapping[str, str], problems: Problems) -> dict[str, str | None]:
    absent = sorted(set(splits) - set(found))
    if absent:
        raise UsageError(
            f"splits={dict(splits)}: there is no split named {', '.join(absent)}.", f"Splits are {', '.join(found)}."
        )
    renamed = {name: split_name(splits.get(name, name)) if name else None for name in found}
    problems.add_each(
        [name for name, split in renamed.items() if name and split is None],
        "{n} splits have names that are not known",
        "Rename them with --suite-arg 'splits={NAME: test}'; splits are train, test and heldout.",
    )
    return renamed


def _images(dataset: Dataset, chosen: str | None, name: str) -> tuple[str, Dataset]:
    import datasets

    column = find_image_column(dataset.features.arrow_schema, chosen, name)
    images = dataset.with_format(None).select_columns([column])
    if isinstance(dataset.features[column], datasets.Image):
        images = images.cast_column(column, datasets.Image(decode=False))
    return column, images


def _rows(dataset: Dataset, image_column: str, split: str, role: str | None) -> Iterable[Row]:
    import datasets
    import pyarrow as pa

    schema = dataset.features.arrow_schema
    plain = [f.name for f in schema if f.name != image_column and not pa.types.is_nested(f.type)]
    plain = [name for name in plain if not isinstance(dataset.features[name], (datasets.Image, datasets.Audio))]
    plain += [name for name in dataset.column_names if name == "paraphrases" and name not in plain]
    classes = {n: f.names for n, f in dataset.features.items() if n in plain and isinstance(f, datasets.ClassLabel)}
    records = dataset.with_format(None).select_columns(plain) if plain else [{}] * len(dataset)
    unknown: list[str] = []
    for number, record in enumerate(records):
        cells: dict[str, Any] = {name: value for name, value in record.items() if not isinstance(value, bytes)}
        for name, names in classes.items():
            value = cells.get(name)
            if value is not None and not -1 <= value < len(names):
                unknown.append(f"row {number}: {name}={value}")
            cells[name] = names[value] if value is not None and 0 <= value < len(names) else None
        place = f"{split}/{number}" if split else str(number)
        yield Row(f"{split} row {number}".strip(), place, cells, role)
    if unknown:
        raise DataError(f"{split}: class numbers without a name:\n{listed(unknown)}", "Write the data set again.")
