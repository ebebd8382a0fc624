"""Which file of a folder answers which request: by file name, or by a manifest."""

from __future__ import annotations

import csv
import re
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from unipath_bench.contracts import Request
from unipath_bench.core.csv_safety import unescape_formula
from unipath_bench.core.errors import DataError, UsageError, listed
from unipath_bench.core.images import image_size

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
MANIFESTS = ("manifest.csv", "metadata.csv")
_FORBIDDEN = re.compile(r'[<>:"\\|?*\x00-\x1f]')


def expected_file_name(request: Request) -> str:
    """The file, relative to the folder, that ``--images`` expects for a request.

    ``<sample id without its image suffix>_seed<replicate>.png``, in the sub-folders that the id names.
    Characters that some file systems refuse become hyphens.
    """
    return f"{_stem(request.sample_id)}_seed{request.replicate}.png"


def image_files(folder: Path) -> list[str]:
    """Return the paths of all images below ``folder``, relative, with ``/``, sorted.

    Hidden files and folders are left out.
    """
    found = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            found.append(relative.as_posix())
    return sorted(found)


def common_size(folder: Path, files: Sequence[str]) -> tuple[int, int]:
    """Return the (height, width) that all files have, read from their headers.

    Raises :class:`DataError` for files that are not readable images and for unequal sizes.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    example: dict[tuple[int, int], str] = {}
    bad: list[str] = []
    for name in files:
        size = image_size(folder / name)
        if size is None:
            bad.append(name)
            continue
        sizes[size] += 1
        example.setdefault(size, name)
    if bad:
        raise DataError(f"{len(bad)} files in {folder} are no readable images:\n{listed(bad)}", "Mend or remove them.")
    if len(sizes) > 1:
        lines = [f"{w} x {h} pixels: {count} images, e.g. {example[h, w]}" for (h, w), count in sizes.most_common()]
        raise DataError(
            f"The images in {folder} are not all of one size:\n{listed(lines)}",
            "Resize or crop them yourself, so that it is known how: the benchmark never does.",
        )
    return next(iter(sizes))


class FileIndex(ABC):
    """Files that claim to answer requests."""

    files: tuple[str, ...]
    """All images that should be used, relative to the folder."""

    @abstractmethod
    def claims(self, request: Request, single_seed: bool) -> list[str]:
        """Files that answer ``request``: one where all is well."""


class NameIndex(FileIndex):
    """Files by name: ``a/b_seed0.png`` and ``a__b_seed0.png`` answer replicate 0 of sample ``a/b.png``."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = tuple(files)
        self._by_key: dict[str, list[str]] = defaultdict(list)
        for name in files:
            self._by_key[_flat(str(PurePosixPath(name).with_suffix("")))].append(name)

    def claims(self, request: Request, single_seed: bool) -> list[str]:
        """By ``<id>_seed<replicate>``; by ``<id>`` too where only one image a prompt is asked for."""
        key = _flat(_stem(request.sample_id))
        found = list(self._by_key.get(f"{key}_seed{request.replicate}", []))
        if single_seed and request.replicate == 0:
            found += self._by_key.get(key, [])
        return found


class ManifestIndex(FileIndex):
    """Files by the columns of a manifest."""

    def __init__(self, rows: Mapping[tuple[str, int], Sequence[str]]) -> None:
        self.files = tuple(sorted({name for names in rows.values() for name in names}))
        self._rows = rows

    def claims(self, request: Request, single_seed: bool) -> list[str]:
        """By sample id, and by replicate or by the request's seed."""
        numbers = {request.replicate, request.seed}
        return [name for number in sorted(numbers) for name in self._rows.get((request.sample_id, number), ())]


def read_index(folder: Path, files: Sequence[str]) -> FileIndex:
    """The folder's manifest where there is one, file names otherwise."""
    present = [name for name in MANIFESTS if (folder / name).is_file()]
    if len(present) > 1:
        raise UsageError(f"{folder} holds both {' and '.join(present)}.", "Keep the one that describes these images.")
    return ManifestIndex(_read_manifest(folder / present[0], files)) if present else NameIndex(files)


def _read_manifest(path: Path, files: Sequence[str]) -> dict[tuple[str, int], list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = list(reader.fieldnames or [])
            table = [
                {name: unescape_formula(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
                for row in reader
            ]
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: {error}.", "Save it as comma-separated UTF-8 text.") from error
    absent = [name for name in ("file_name", "sample_id") if name not in columns]
    if absent:
        raise DataError(
            f"{path} has no column {' and no column '.join(absent)}; it has: {', '.join(columns) or 'nothing'}.",
            "Columns are file_name, sample_id and, for several images a prompt, replicate (0, 1, ...) or seed.",
        )
    number_column = next((name for name in ("replicate", "seed") if name in columns), None)
    known = set(files)
    rows: dict[tuple[str, int], list[str]] = defaultdict(list)
    problems: list[str] = []
    for line, row in enumerate(table, start=2):
        name, sample = row["file_name"] or "", row["sample_id"] or ""
        text = "0" if number_column is None else (row[number_column] or "").strip()
        if name not in known:
            problems.append(f"line {line}: there is no image {name!r} in the folder")
        elif not re.fullmatch(r"[0-9]+", text):
            problems.append(f"line {line}: {number_column} is {text!r}, not a whole number")
        else:
            rows[sample, int(text)].append(name)
    listed_files = {row["file_name"] for row in table}
    problems.extend(f"{name}: not in the manifest" for name in files if name not in listed_files)
    if problems:
        raise DataError(
            f"{path} and the images beside it do not agree ({len(problems)} problems):\n{listed(problems)}",
            "Each image needs one row, and each row an image, named relative to the folder.",
        )
    return rows


def _stem(sample_id: str) -> str:
    name = sample_id
    for suffix in IMAGE_SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
            break
    parts = [_FORBIDDEN.sub("-", part) for part in name.split("/")]
    return "/".join("-" if part == ".." else part for part in parts if part not in ("", "."))


def _flat(name: str) -> str:
    return name.replace("/", "__")
