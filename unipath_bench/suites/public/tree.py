"""Data sets in folders, whose paths say the class, the patient and the split."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from unipath_bench.core.errors import UsageError
from unipath_bench.suites.folder import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.public.images import Files
from unipath_bench.suites.public.spec import DataSet, Found, Layout
from unipath_bench.suites.tabular import Row, split_name


@dataclass(frozen=True)
class Tree(Layout):
    """Images in folders; a pattern reads what their paths say."""

    variants: Mapping[str, Mapping[str, str | None]]
    """By variant (the first is the default): folder of the data set, and its split; None: no published split."""
    pattern: str
    """Of the whole path below such a folder; groups of the names ``label``, ``group``, ``split`` or an attribute."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names in the pattern of which a run uses one value only: the values, the default first."""

    arguments: ClassVar[tuple[str, ...]] = ("variant", "splits", "choose")

    def find(
        self,
        data_set: DataSet,
        data: str,
        problems: Problems,
        *,
        variant: str | None = None,
        splits: list[str] | str | None = None,
        choose: Mapping[str, str] | None = None,
    ) -> Found:
        """Find the images in the folders of a data set.

        ``variant`` picks one of several editions; ``splits=[test]`` reads these splits only; ``choose`` is such as
        ``{magnification: 100X}``.
        """
        root = Path(data).expanduser().resolve()
        folders = wanted_parts(self._variant(data_set, variant), splits)
        chosen = self._chosen(data_set, choose or {})
        rows: list[Row] = []
        paths: list[Path] = []
        for name, split in folders.items():
            folder = locate(root, name)
            if folder is None and len(folders) == 1 and self._fits(root):
                folder = root
            if folder is None:
                raise data_set.missing(f"there is no folder {name} in {root}" + only_some(folders))
            before = len(rows)
            for path, row in self._rows(folder, name, split, chosen, problems):
                rows.append(row)
                paths.append(path)
            if len(rows) == before and not len(problems):
                raise data_set.missing(f"no image of it is in {folder}")
        notes = [f"{name}: {value} only." for name, value in chosen.items()]
        if len(self.variants) > 1:
            notes.append(f"Variant: {variant or next(iter(self.variants))}.")
        return Found(rows, Files(paths), tuple(notes))

    def _variant(self, data_set: DataSet, variant: str | None) -> Mapping[str, str | None]:
        if variant is None:
            return next(iter(self.variants.values()))
        if variant not in self.variants:
            raise UsageError(
                f"{data_set.name} has no variant {variant!r}.", f"Variants are {', '.join(self.variants)}."
            )
        return self.variants[variant]

    def _fits(self, folder: Path) -> bool:
        """Whether a folder of another name holds the layout: its first image does."""
        first = next(image_files(folder, Problems("")), None) if folder.is_dir() else None
        return first is not None and re.fullmatch(self.pattern, first.relative_to(folder).as_posix()) is not None

    def _chosen(self, data_set: DataSet, choose: Mapping[str, str]) -> dict[str, str]:
        for name, value in choose.items():
            if value not in self.choices.get(name, ()):
                allowed = [f"{{{key}: {'|'.join(values)}}}" for key, values in self.choices.items()]
                raise UsageError(
                    f"{data_set.name}: choose={{{name}: {value}}} is not known.", f"Choose of {allowed or 'nothing'}."
                )
        return {name: str(choose.get(name, values[0])) for name, values in self.choices.items()}

    def _rows(
        self, folder: Path, name: str, split: str | None, chosen: Mapping[str, str], problems: Problems
    ) -> Iterator[tuple[Path, Row]]:
        pattern = re.compile(self.pattern)
        strange, unread = [], []
        for path in image_files(folder, problems):
            below = path.relative_to(folder).as_posix()
            where = f"{name}/{below}" if name else below
            if path.suffix.lower() in OTHER_IMAGE_SUFFIXES:
                unread.append(where)
                continue
            match = pattern.fullmatch(below)
            if match is None:
                strange.append(where)
                continue
            said = {key: value for key, value in match.groupdict().items() if value is not None}
            if any(said.get(key) != value for key, value in chosen.items()):
                continue
            part = split_name(said.pop("split", "")) or split
            yield path, Row(where, where, {key: said[key] for key in said if key not in chosen}, part)
        problems.add_each(strange, "{n} images lie where the published layout has none", "Move them away.")
        problems.add_each(unread, "{n} images are in formats that are not read", "Move them away, or convert them.")


def wanted_parts(parts: Mapping[str, str | None], splits: list[str] | str | None) -> dict[str, str | None]:
    """The parts of these splits; all where ``splits`` is None. Raises :class:`UsageError` for a split that none has."""
    if splits is None:
        return dict(parts)
    named = [splits] if isinstance(splits, str) else list(splits)
    there = [split for split in parts.values() if split is not None]
    unknown = [name for name in named if name not in there]
    if unknown or not named:
        raise UsageError(
            f"splits={named}: {', '.join(unknown) or 'nothing'} is no published split.",
            f"Splits are {', '.join(dict.fromkeys(there)) or 'not published'}.",
        )
    return {name: split for name, split in parts.items() if split in named}


def only_some(parts: Mapping[str, str | None]) -> str:
    """For an error about a missing part: how to read the others alone."""
    return " (--suite-arg splits=[test] reads that split alone)" if len(parts) > 1 else ""


def locate(root: Path, name: str) -> Path | None:
    """The folder ``name`` of a data set: ``root`` itself, in it, or up to two levels further down."""
    parts = tuple(part for part in name.split("/") if part)
    if not parts or root.parts[-len(parts) :] == parts:
        return root if root.is_dir() else None
    for depth in ("", "*/", "*/*/"):
        found = [path for path in sorted(root.glob(depth + name)) if path.is_dir()]
        if found:
            return found[0]
    return None


def image_files(folder: Path, problems: Problems) -> Iterator[Path]:
    """Image files below ``folder`` in the order of their names; hidden ones and ``__MACOSX`` are left out."""
    linked: list[str] = []
    home = folder.resolve()
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        linked += [str(Path(place, f)) for f in folders if Path(place, f).is_symlink()]
        for file in sorted(files):
            path = Path(place, file)
            if not file.startswith(".") and path.suffix.lower() in IMAGE_SUFFIXES | OTHER_IMAGE_SUFFIXES:
                if path.is_symlink() and not path.resolve().is_relative_to(home):
                    linked.append(str(path))
                else:
                    yield path
    problems.add_each(
        linked,
        "{n} folders are links, or files that lead out of the folder",
        "Copy the folders in: cp -rL FOLDER COPY follows the links.",
    )
