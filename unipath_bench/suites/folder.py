"""The ``folder`` suite: an image folder, with or without metadata."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Unpack

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest_file
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.files import escaping_paths, is_file_below
from unipath_bench.core.images import image_size, read_image
from unipath_bench.suites.metadata import NAMES, Record, read_metadata
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.table_suite import Description, Size, TableSuite, check_arguments
from unipath_bench.suites.tabular import Columns, Row, build_table, split_name

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
"""Files that are images by their name, in any case."""

OTHER_IMAGE_SUFFIXES = frozenset(
    {
        ".gif",
        ".jp2",
        ".j2k",
        ".jpx",
        ".jxl",
        ".avif",
        ".heic",
        ".npy",
        ".npz",
        ".svs",
        ".ndpi",
        ".mrxs",
        ".scn",
        ".vms",
        ".bif",
        ".czi",
        ".dcm",
        ".ppm",
    }
)
"""Images that are not read: an error, so that none is left out unnoticed. Every other file is left alone."""


@dataclass
class _Tree:
    """What lies in a folder, as paths relative to it with forward slashes, in order."""

    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    stray_metadata: list[str] = field(default_factory=list)
    escaping: list[str] = field(default_factory=list)
    linked_folders: list[str] = field(default_factory=list)


class FolderSuite(TableSuite):
    """Images in ``<data>/<split>/<class>/``, ``<data>/<split>/``, ``<data>/<class>/`` or ``<data>/`` itself.

    Folders named as in :data:`~unipath_bench.suites.tabular.SPLIT_NAMES` are splits (``val`` and ``validation`` become
    ``heldout``); a folder without any is all ``test``. ``metadata.csv`` or ``metadata.jsonl`` may lie in ``data`` or in
    each split's folder and names its images relative to itself; the columns are those of
    :mod:`unipath_bench.suites.tabular`. Without a ``label`` column, class folders are the label where there are two or
    more. Links to folders and links that lead out of ``data`` are refused.

    Raises :class:`~unipath_bench.DataError` that lists everything wrong with the folder at once. Pixels are
    decoded by :meth:`load` alone.
    """

    def __init__(
        self,
        data: Path | str,
        *,
        attributes: Sequence[str] | str | None = None,
        text_column: str | None = None,
        group_column: str | None = None,
        size: Size = "uniform",
        **description: Unpack[Description],
    ) -> None:
        check_arguments(type(self), size, description)
        self.root = Path(data).expanduser().resolve()
        if not self.root.is_dir():
            what = "is not a folder" if self.root.exists() else "does not exist"
            raise UsageError(f"The data folder {self.root} {what}.", "Check --data.")
        problems = Problems(str(self.root))
        tree = _scan(self.root)
        _check_tree(tree, problems)
        rows, self._paths = _rows(self.root, tree, problems)
        if not rows:
            problems.raise_if_any()
        table = build_table(rows, Columns.of(attributes, text_column, group_column), problems)
        super().__init__(table, self.root.name, size, description)

    def path(self, index: int) -> Path:
        """The image file of the sample at this place in :meth:`samples`."""
        return self.root / self._paths[index]

    def _read(self, index: int) -> RGBImage:
        return read_image(self.path(index), self._paths[index])

    def _header_size(self, index: int) -> tuple[int, int] | None:
        return image_size(self.path(index))

    def _content(self) -> Iterable[str]:
        for index, name in enumerate(self._paths):
            try:
                yield digest_file(self.path(index))
            except OSError as error:
                raise DataError(
                    f"{self.root / name} cannot be read: {error.strerror}.", "Check the file and its permissions."
                ) from error


def _scan(root: Path) -> _Tree:
    tree = _Tree()
    for path in _walk(root, root, tree):
        relative = path.relative_to(root)
        name, suffix = relative.as_posix(), path.suffix.lower()
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            tree.escaping.append(name)
        elif suffix in IMAGE_SUFFIXES:
            tree.images.append(name)
        elif suffix in OTHER_IMAGE_SUFFIXES:
            tree.others.append(name)
        elif path.stem.lower() == "metadata":
            at_home = len(relative.parts) == 1 or (len(relative.parts) == 2 and split_name(relative.parts[0]))
            (tree.metadata if at_home and path.name in NAMES else tree.stray_metadata).append(name)
    return tree


def _walk(folder: Path, root: Path, tree: _Tree) -> Iterator[Path]:
    """Files below ``folder`` in the order of their names; hidden ones and ``__MACOSX`` are left out."""
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be read: {error.strerror}.", "Check its permissions.") from error
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if not entry.is_dir():
            yield path
        elif entry.is_symlink():
            tree.linked_folders.append(path.relative_to(root).as_posix())
        else:
            yield from _walk(path, root, tree)


def _check_tree(tree: _Tree, problems: Problems) -> None:
    problems.add_each(
        tree.escaping, "{n} links lead out of the folder", "Copy the files in: cp -rL FOLDER COPY follows the links."
    )
    problems.add_each(
        tree.linked_folders, "{n} folders are links", "Copy the folders in: cp -rL FOLDER COPY follows the links."
    )
    problems.add_each(
        tree.others,
        "{n} images are in formats that are not read",
        f"Save them as 8-bit RGB in one of {', '.join(sorted(IMAGE_SUFFIXES))}, or move them away.",
    )
    problems.add_each(
        tree.stray_metadata,
        "{n} metadata files are not read",
        "Call it metadata.csv or metadata.jsonl, in the data folder or in a split's folder.",
    )
    if not tree.images:
        problems.add(
            "there are no images in the folder",
            f"Images end in {', '.join(sorted(IMAGE_SUFFIXES))}; the layout is FOLDER/test/CLASS/IMAGE.png.",
        )


def _rows(root: Path, tree: _Tree, problems: Problems) -> tuple[list[Row], list[str]]:
    """Rows and their image paths, in the order of the paths."""
    splits = {name: _split_of(name) for name in tree.images}
    if any(splits.values()):
        problems.add_each(
            [name for name, split in splits.items() if split is None],
            "{n} images are in none of the split folders",
            "Move them into train, test or heldout, or move the other images out of those folders.",
        )
    labels = _class_folders(splits, has_metadata=bool(tree.metadata), problems=problems)
    if not tree.metadata:
        rows = [Row(name, name, {}, splits[name], labels.get(name)) for name in tree.images]
        return rows, list(tree.images)
    found = _metadata_rows(root, tree, labels, problems)
    listed_paths = {path for path, _ in found}
    problems.add_each(
        [name for name in tree.images if name not in listed_paths],
        f"{{n}} images have no row in {' or '.join(tree.metadata)}",
        "Add their rows, or move the images away.",
    )
    found.sort(key=lambda item: item[0])
    return [row for _, row in found], [path for path, _ in found]


def _metadata_rows(root: Path, tree: _Tree, labels: dict[str, str], problems: Problems) -> list[tuple[str, Row]]:
    """(image path, row) of every metadata file. One that cannot be read is raised now: what would follow is noise."""
    before = len(problems)
    folders = Counter(str(PurePosixPath(name).parent) for name in tree.metadata)
    for folder in (folder for folder, count in folders.items() if count > 1):
        problems.add(f"there are both metadata.csv and metadata.jsonl in {folder}", "Keep one of them.")
    read = {name: read_metadata(root / name, name, problems) for name in tree.metadata}
    for name, records in read.items():
        if records and not any("file_name" in record.cells for record in records):
            columns = ", ".join(records[0].cells)
            problems.add(
                f"{name} has no file_name column (it has {columns})", "Name the column of image paths file_name."
            )
    if len(problems) > before:
        problems.raise_if_any()
    return [found for name, records in read.items() for found in _located(root, name, records, labels, problems)]


def _located(
    root: Path, name: str, records: Sequence[Record], labels: dict[str, str], problems: Problems
) -> Iterator[tuple[str, Row]]:
    nameless, led_out, missing = [], [], []
    for record in records:
        where = f"{name} line {record.line}"
        written = record.cells.get("file_name")
        if not isinstance(written, str) or not written.strip():
            nameless.append(where)
            continue
        path = PurePosixPath(os.path.normpath(PurePosixPath(name).parent / written.strip())).as_posix()
        if escaping_paths(root, [path]):
            led_out.append(f"{where}: {written}")
        elif not is_file_below(root, path):
            missing.append(f"{where}: {written}")
        else:
            yield path, Row(where, path, record.cells, _split_of(path), labels.get(path))
    problems.add_each(nameless, f"{{n}} rows of {name} have no file_name", "Fill them in.")
    problems.add_each(led_out, f"{{n}} rows of {name} name files outside the folder", "Copy the images into it.")
    problems.add_each(
        missing,
        f"{name} names {{n}} images that are not there",
        f"Paths are relative to the folder of {name}, with forward slashes. Add the images, or drop the rows.",
    )


def _split_of(path: str) -> str | None:
    first, separator, _ = path.partition("/")
    return split_name(first) if separator else None


def _class_folders(splits: dict[str, str | None], *, has_metadata: bool, problems: Problems) -> dict[str, str]:
    """Class folder by image path. Folders deeper than classes cannot be read as labels without metadata."""
    folders = {name: PurePosixPath(name).parts[1 if split else 0 : -1] for name, split in splits.items()}
    if all(len(parts) == 1 for parts in folders.values()):
        return {name: parts[0] for name, parts in folders.items()}
    if not has_metadata:
        problems.add_each(
            [name for name, parts in folders.items() if len(parts) > 1],
            "{n} images lie deeper than in class folders, so what is the label is not clear",
            "Use FOLDER/SPLIT/CLASS/IMAGE, or add a metadata.csv with file_name and label.",
        )
        if any(len(parts) == 1 for parts in folders.values()):
            problems.add_each(
                [name for name, parts in folders.items() if not parts],
                "{n} images are in no class folder, while others are",
                "Move them into class folders, or add a metadata.csv with file_name and label.",
            )
    return {}
