"""Data sets that keep their images in large arrays: PatchCamelyon (HDF5) and PanNuke (NumPy)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tokenize import TokenError
from typing import Any, ClassVar

import numpy as np

from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.public.images import Stack, Stacks
from unipath_bench.suites.public.spec import DataSet, Found, Layout
from unipath_bench.suites.public.tables import read_columns
from unipath_bench.suites.public.tree import locate, only_some, wanted_parts
from unipath_bench.suites.tabular import Row

_MOST_LABELS = 10_000_000
"""PatchCamelyon has 327,680; a file of some kilobytes can claim any number."""


@dataclass(frozen=True)
class PatchCamelyon(Layout):
    """``{stem}_{split}_x.h5`` with ``x`` (N, H, W, 3), ``..._y.h5`` with ``y`` (N, 1, 1, 1), and ``..._meta.csv``.

    The slides come from the ``wsi`` column of the meta files. Its ``center_tumor_patch`` must repeat the labels: the
    meta files of two splits have been mixed up in circulation, and they have the same number of rows.
    """

    stem: str
    parts: Mapping[str, str]
    """Split as the files call it, and as it is called here."""
    names: tuple[str, str]
    """Classes of the labels 0 and 1."""

    arguments: ClassVar[tuple[str, ...]] = ("splits", "groups")

    def find(
        self,
        data_set: DataSet,
        data: str,
        problems: Problems,
        *,
        splits: list[str] | str | None = None,
        groups: bool = True,
    ) -> Found:
        """``splits=[test]`` reads that split alone; ``groups=false`` goes without the meta files."""
        root = Path(data).expanduser().resolve()
        rows: list[Row] = []
        stacks = []
        parts = wanted_parts(self.parts, splits)
        for part, split in parts.items():
            stack, labels = self._read(data_set, root, part, only_some(parts))
            slides = self._slides(root, part, labels, problems) if groups else None
            for index, label in enumerate(labels):
                cells = {"label": self.names[int(label)]}
                if slides is not None:
                    cells["group"] = slides[index]
                rows.append(Row(f"{stack.file.name} row {index}", f"{part}/{index}", cells, split))
            stacks.append(stack)
        notes = () if groups else ("Read without slides (groups=false): every image counts as its own group.",)
        return Found(rows, Stacks(stacks), notes)

    def _read(self, data_set: DataSet, root: Path, part: str, hint: str) -> tuple[Stack, np.ndarray[Any, Any]]:
        files = {axis: root / f"{self.stem}_{part}_{axis}.h5" for axis in "xy"}
        for file in files.values():
            if not file.is_file():
                packed = file.with_name(file.name + ".gz")
                if packed.is_file():
                    raise MissingError(f"{packed} is still packed.", f"gunzip {packed}")
                raise data_set.missing(f"there is no {file.name} in {root}{hint}")
        images, labels = _hdf5(files["x"], "x"), _labels(files["y"])
        if images.ndim != 4 or len(images) != len(labels):
            raise DataError(
                f"{files['x']} holds images of shape {images.shape}, {files['y'].name} {len(labels)} labels.",
                "Copy both files again from their source.",
            )
        if not np.isin(labels, (0, 1)).all():
            raise DataError(f"{files['y']} holds labels other than 0 and 1.", "Copy it again from its source.")
        return Stack(files["x"], len(labels), partial(_hdf5, files["x"], "x")), labels

    def _slides(self, root: Path, part: str, labels: np.ndarray[Any, Any], problems: Problems) -> list[str] | None:
        file = root / f"{self.stem}_{part}_meta.csv"
        if not file.is_file():
            problems.add(
                f"there is no {file.name}, so the slides are not known",
                "Add the file, or go without slides: --suite-arg groups=false. Intervals are then by image.",
            )
            return None
        table = read_columns(file, ("wsi", "center_tumor_patch"))
        if len(table["wsi"]) != len(labels):
            problems.add(
                f"{file.name} does not go with the {len(labels)} labels of its split",
                "It has one row an image. Copy it again from its source.",
            )
            return None
        centre = np.array([value.strip().lower() == "true" for value in table["center_tumor_patch"]])
        wrong = int((centre != (labels == 1)).sum())
        if wrong:
            problems.add(
                f"{wrong} rows of {file.name} contradict the labels of the split {part}",
                "It may be the meta file of another split under this name: compare checksums with the data's page.",
            )
        return [name.strip() for name in table["wsi"]]


@dataclass(frozen=True)
class FoldArrays(Layout):
    """``Fold 1/images/fold1/images.npy`` (N, H, W, 3) and ``types.npy`` (N,) beside it, for three folds."""

    folds: int = 3

    arguments: ClassVar[tuple[str, ...]] = ("order", "splits")

    def find(
        self,
        data_set: DataSet,
        data: str,
        problems: Problems,
        *,
        order: Sequence[int] = (1, 2, 3),
        splits: list[str] | str | None = None,
    ) -> Found:
        """``order``: the folds that are train, heldout and test; ``splits=[test]`` reads that split alone."""
        if sorted(order) != list(range(1, self.folds + 1)):
            raise UsageError(f"order={list(order)} does not name each fold once.", "For example order=[2,3,1].")
        root = Path(data).expanduser().resolve()
        roles = dict(zip((f"{n}" for n in order), ("train", "heldout", "test"), strict=True))
        rows: list[Row] = []
        stacks = []
        for number, split in wanted_parts(roles, splits).items():
            folder = _fold(root, number)
            if folder is None:
                raise data_set.missing(f"fold {number} is not in {root}{only_some(roles)}")
            images, types = (_npy(folder / name) for name in ("images.npy", "types.npy"))
            if images.ndim != 4 or types.ndim != 1 or len(images) != len(types):
                raise DataError(
                    f"{folder}: images of shape {images.shape} and tissue types of shape {types.shape}.",
                    "Copy them again.",
                )
            for index, name in enumerate(types):
                rows.append(Row(f"fold {number} row {index}", f"fold{number}/{index}", {"label": str(name)}, split))
            stacks.append(Stack(folder / "images.npy", len(images), partial(_npy, folder / "images.npy")))
        return Found(rows, Stacks(stacks), (f"Folds {list(order)} are train, heldout and test.",))


def _fold(root: Path, number: str) -> Path | None:
    names = (f"{fold}/images/fold{number}" for fold in (f"Fold {number}", f"Fold{number}", f"fold{number}"))
    found = (locate(root, name) for name in (*names, f"images/fold{number}"))
    return next((folder for folder in found if folder is not None and (folder / "images.npy").is_file()), None)


def _hdf5(file: Path, key: str) -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise MissingError("HDF5 files need the package 'h5py'.", "pip install h5py") from error
    try:
        opened = h5py.File(file, "r")
        found = opened[key] if isinstance(opened.get(key, getlink=True), h5py.HardLink) else None
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise DataError(
            f"{file} is not an HDF5 file with {key!r}: {error}", "Copy it again from its source."
        ) from error
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
        raise DataError(f"{file} does not hold {key!r} itself, as an array.", "Copy it again from its source.")
    return found


def _labels(file: Path) -> np.ndarray[Any, Any]:
    stored = _hdf5(file, "y")
    if stored.size > _MOST_LABELS or stored.dtype.kind not in "iu":
        raise DataError(
            f"{file} holds an array of shape {stored.shape} and type {stored.dtype}, which are no labels.",
            "Copy it again from its source.",
        )
    try:
        return np.asarray(stored).reshape(-1)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{file} cannot be read: {error}", "Copy it again from its source.") from error


def _npy(file: Path) -> Any:
    try:
        return np.lib.format.open_memmap(file, mode="r")
    except (OSError, ValueError, SyntaxError, TypeError, OverflowError, MemoryError, TokenError) as error:
        raise DataError(f"{file} cannot be read: {error}", "Copy it again from its source.") from error
