"""The images that a report shows: real beside generated, and the audit's nearest pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import ValidationError

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.files import escaping_paths, is_file_below, replace_folder, write_text
from unipath_bench.core.images import read_image
from unipath_bench.schema.base import Document, read_json

INDEX = "index.json"
_VERSION = 1
_REPEAT = "Give a finished run's folder; repeat the run if it is."
_ANEW = "Repeat the run: it writes the file anew."


class _SampleEntry(Document):
    """A :class:`ShownSample` in the index, by the names of its files."""

    sample_id: str
    prompt: str
    labels: dict[str, str]
    real: str | None
    generated: tuple[str, ...]


class _PairEntry(Document):
    """A :class:`NeighbourPair` in the index."""

    sample_id: str
    replicate: int
    train_id: str
    distance: float
    copied: bool
    generated: str
    train: str


class _Index(Document):
    version: Literal[1]
    samples: tuple[_SampleEntry, ...]
    neighbours: tuple[_PairEntry, ...]


@dataclass(frozen=True)
class ShownSample:
    """One prompt with its real image and the answers to it."""

    sample_id: str
    prompt: str
    labels: Mapping[str, str]
    real: RGBImage | None
    """uint8 (H, W, 3)."""
    generated: Sequence[RGBImage]
    """One a replicate, uint8 (H, W, 3)."""


@dataclass(frozen=True)
class NeighbourPair:
    """A generated image beside the training image nearest to it."""

    generated: RGBImage
    train: RGBImage
    sample_id: str
    replicate: int
    train_id: str
    distance: float
    copied: bool


@dataclass(frozen=True)
class Exhibits:
    """What a report shows beyond numbers."""

    samples: Sequence[ShownSample] = field(default_factory=list)
    neighbours: Sequence[NeighbourPair] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Write lossless PNG files and one JSON index; an earlier version of ``folder`` is replaced whole.

        Raises :class:`~unipath_bench.MissingError` where the disk refuses.
        """
        replace_folder(folder, self._fill)

    def _fill(self, folder: Path) -> None:
        index = {
            "version": _VERSION,
            "samples": [_write_sample(s, i, folder) for i, s in enumerate(self.samples)],
            "neighbours": [_write_pair(p, i, folder) for i, p in enumerate(self.neighbours)],
        }
        write_text(folder / INDEX, json.dumps(index, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Exhibits:
        """Read what :meth:`save` wrote.

        Raises :class:`~unipath_bench.UsageError` where there is no index, and
        :class:`~unipath_bench.DataError` naming a file that cannot be read.
        """
        path = folder / INDEX
        value = read_json(path, _REPEAT)
        try:
            index = _Index.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise DataError(f"{path} is not an index of exhibits: {place}: {first['msg']}.", _ANEW) from error
        return cls(
            samples=[_read_sample(entry, folder) for entry in index.samples],
            neighbours=[_read_pair(entry, folder) for entry in index.neighbours],
        )


def _write_sample(sample: ShownSample, number: int, folder: Path) -> dict[str, Any]:
    stem = f"sample-{number:03d}"
    return {
        "sample_id": sample.sample_id,
        "prompt": sample.prompt,
        "labels": dict(sample.labels),
        "real": None if sample.real is None else _write_image(sample.real, folder, f"{stem}-real.png"),
        "generated": [_write_image(im, folder, f"{stem}-generated-{r}.png") for r, im in enumerate(sample.generated)],
    }


def _read_sample(entry: _SampleEntry, folder: Path) -> ShownSample:
    return ShownSample(
        sample_id=entry.sample_id,
        prompt=entry.prompt,
        labels=entry.labels,
        real=None if entry.real is None else _read_image(folder, entry.real),
        generated=[_read_image(folder, name) for name in entry.generated],
    )


def _write_pair(pair: NeighbourPair, number: int, folder: Path) -> dict[str, Any]:
    stem = f"pair-{number:03d}"
    return {
        "sample_id": pair.sample_id,
        "replicate": pair.replicate,
        "train_id": pair.train_id,
        "distance": pair.distance,
        "copied": pair.copied,
        "generated": _write_image(pair.generated, folder, f"{stem}-generated.png"),
        "train": _write_image(pair.train, folder, f"{stem}-train.png"),
    }


def _read_pair(entry: _PairEntry, folder: Path) -> NeighbourPair:
    return NeighbourPair(
        generated=_read_image(folder, entry.generated),
        train=_read_image(folder, entry.train),
        sample_id=entry.sample_id,
        replicate=entry.replicate,
        train_id=entry.train_id,
        distance=entry.distance,
        copied=entry.copied,
    )


def _write_image(image: RGBImage, folder: Path, name: str) -> str:
    Image.fromarray(image).save(folder / name, format="PNG")
    return name


def _read_image(folder: Path, name: str) -> RGBImage:
    own = Path(name).name
    if escaping_paths(folder, [own]):
        raise DataError(f"{folder / own} is a link that leads out of its folder.", _ANEW)
    if not is_file_below(folder, own):
        raise UsageError(f"{folder / own}: no such file.", _REPEAT)
    return read_image(folder / own)
