"""Data sets of image files with a table or a JSON document beside them: Quilt-1M, ARCH, PathMMU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.files import escaping_paths, is_file_below
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.public.images import Files
from unipath_bench.suites.public.spec import DataSet, Found, Layout
from unipath_bench.suites.public.tables import read_columns, read_json
from unipath_bench.suites.public.tree import locate
from unipath_bench.suites.tabular import Row


@dataclass(frozen=True)
class CaptionTable(Layout):
    """A CSV table of image names and captions, and a folder of the images (Quilt-1M).

    An image that has several captions is one sample with the first of them: as several it would count several times
    in every set metric.
    """

    table: str
    folders: tuple[str, ...]
    """Names that the image folder goes by; the first that is there."""
    columns: Mapping[str, str]
    """``image``, ``text``, ``split`` and attributes: the table's columns."""
    splits: Mapping[str, str]
    """Split as the table calls it, and as it is called here."""

    def find(self, data_set: DataSet, data: str, problems: Problems) -> Found:
        """Read the table in the folder ``data`` and find the image of each of its rows.

        Raises :class:`~unipath_bench.MissingError` where the table or the folder of images is not there. Names
        outside the folder, unknown splits and absent images are added to ``problems``.
        """
        root = Path(data).expanduser().resolve()
        file = root / self.table
        if not file.is_file():
            raise data_set.missing(f"there is no {self.table} in {root}")
        folder = next((root / name for name in self.folders if (root / name).is_dir()), None)
        if folder is None:
            raise data_set.missing(f"there is no folder {' or '.join(self.folders)} in {root}")
        cells = read_columns(file, list(self.columns.values()))
        rows, paths, seen, absent, unknown = [], [], set(), [], []
        others = 0
        for index, name in enumerate(cells[self.columns["image"]]):
            if name in seen:
                others += 1
                continue
            seen.add(name)
            row = {key: cells[column][index] for key, column in self.columns.items() if key not in ("image", "split")}
            written = cells[self.columns["split"]][index]
            if written not in self.splits:
                unknown.append(f"row {index + 1}: {written!r}")
            if not is_file_below(folder, name):
                absent.append(name)
            rows.append(Row(f"{self.table} row {index + 1}", name, row, self.splits.get(written)))
            paths.append(folder / name)
        problems.add_each(
            escaping_paths(folder, seen), f"{self.table} names {{n}} files outside {folder}", "Do not trust it."
        )
        problems.add_each(unknown, "{n} rows have a split that is not published", f"{', '.join(self.splits)} are.")
        problems.add_each(
            absent,
            f"{self.table} names {{n}} images that are not there",
            f"Unpack all image archives into {folder}, or drop the rows from a copy of the table.",
        )
        return Found(rows, Files(paths), (f"{others} further captions of the same images are not used.",))


@dataclass(frozen=True)
class CaptionBags(Layout):
    """Parts, each ``captions.json`` and ``images/`` (ARCH).

    There is one object per image with ``uuid``, ``caption`` and, in a part of figures of several images, ``figure_id``.
    The images of one figure or caption are a group.
    """

    parts: tuple[str, ...]
    absent: int
    """Captions without an image in the published files themselves: as many are left out, and counted in the notes."""

    arguments: ClassVar[tuple[str, ...]] = ("parts",)

    def find(
        self, data_set: DataSet, data: str, problems: Problems, *, parts: Sequence[str] | str | None = None
    ) -> Found:
        """``parts=[books_set]`` reads that part alone."""
        named = list(self.parts) if parts is None else [parts] if isinstance(parts, str) else list(parts)
        unknown = [name for name in named if name not in self.parts]
        if unknown or not named:
            raise UsageError(f"parts={named}: unknown.", f"Parts are {', '.join(self.parts)}.")
        root = Path(data).expanduser().resolve()
        rows, paths, absent, empty = [], [], [], []
        for part in named:
            folder = locate(root, part)
            if folder is None or not (folder / "captions.json").is_file():
                raise data_set.missing(f"there is no {part}/captions.json in {root} (parts=[...] reads some alone)")
            images = {path.stem: path for path in sorted((folder / "images").glob("*")) if path.is_file()}
            led_out = escaping_paths(folder, [f"images/{path.name}" for path in images.values()])
            problems.add_each(led_out, f"{{n}} links lead out of {folder}", "Copy the files in.")
            for key, entry in _objects(folder / "captions.json"):
                uuid, caption = str(entry.get("uuid", "")), str(entry.get("caption", "")).strip()
                if not uuid or not caption:
                    empty.append(f"{part}: entry {key}")
                elif uuid in images:
                    bag = entry.get("figure_id") or caption
                    where = f"{part}/images/{images[uuid].name}"
                    rows.append(Row(where, where, {"text": caption, "group": f"{part}: {bag}"}))
                    paths.append(images[uuid])
                else:
                    absent.append(f"{part}: {uuid}")
        problems.add_each(empty, "{n} entries have no uuid or no caption", "Copy captions.json again.")
        if len(absent) > self.absent:
            problems.add_each(
                absent,
                f"{{n}} captions have no image, more than the {self.absent} of the published files",
                "Unpack the images again.",
            )
        notes = (f"{len(absent)} captions without an image are left out.",) if absent else ()
        return Found(rows, Files(paths), notes)


def _objects(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    document = read_json(file)
    if not isinstance(document, dict) or not all(isinstance(entry, dict) for entry in document.values()):
        raise DataError(f"{file} is not an object of objects.", "Copy it again from its source.")
    yield from document.items()


@dataclass(frozen=True)
class QuestionDocument(Layout):
    """``data.json``: subset, then split, then questions on images in ``images/`` (PathMMU). One sample an image.

    The questions themselves belong to the understanding track: here the images are a set of real tissue, labelled by
    the subset that they come from, and without prompts.
    """

    subsets: tuple[str, ...]
    splits: Mapping[str, str]
    """Split as the document calls it, and as it is called here."""

    arguments: ClassVar[tuple[str, ...]] = ("subsets", "tiny")

    def find(
        self,
        data_set: DataSet,
        data: str,
        problems: Problems,
        *,
        subsets: Sequence[str] | str | None = None,
        tiny: bool = False,
    ) -> Found:
        """``subsets=[PubMed]`` reads some subsets; ``tiny=true`` takes the split ``test_tiny`` alone for test."""
        named = [subsets] if isinstance(subsets, str) else list(subsets or self.subsets)
        unknown = [name for name in named if name not in self.subsets]
        if unknown:
            raise UsageError(f"subsets={named}: unknown.", f"Subsets are {', '.join(self.subsets)}.")
        root = Path(data).expanduser().resolve()
        if not (root / "data.json").is_file():
            raise data_set.missing(f"there is no data.json in {root}")
        document = read_json(root / "data.json")
        rows: dict[str, Row] = {}
        absent, straddling = [], []
        for subset in named:
            if not isinstance(document, dict) or not isinstance(document.get(subset), dict):
                raise DataError(f"{root / 'data.json'} has no subset {subset!r}.", "Copy it again from its source.")
            for part, questions in document[subset].items():
                if part not in self.splits or (tiny and part == "test"):
                    continue
                if not isinstance(questions, list):
                    raise DataError(f"{root / 'data.json'}: {subset}, {part} is no list.", "Copy it again.")
                for question in questions:
                    if not isinstance(question, dict) or "img" not in question:
                        raise DataError(
                            f"{root / 'data.json'}: {subset}, {part} has a question without 'img'.", "Copy it again."
                        )
                    name, split = str(question["img"]), self.splits[part]
                    if name in rows:
                        if rows[name].split != split:
                            straddling.append(f"{name}: {rows[name].split}, {split}")
                        continue
                    if not is_file_below(root / "images", name):
                        absent.append(f"{subset}: {name}")
                    rows[name] = Row(f"data.json, {subset}, {part}: {name}", name, {"label": subset}, split)
        problems.add_each(
            escaping_paths(root / "images", rows), "data.json names {n} files outside images/", "Do not trust it."
        )
        problems.add_each(
            absent,
            "{n} images that data.json asks about are not in images/",
            "Most subsets' images come from elsewhere: see the data's page; or leave a subset out: subsets=[...].",
        )
        problems.add_each(straddling, "{n} images are in two splits of data.json", "Leave one of the splits out.")
        return Found(list(rows.values()), Files([root / "images" / name for name in rows]))
