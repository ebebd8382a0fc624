"""Writing a model's tensors as they come: safetensors shards laid out beforehand, filled tensor by tensor.

The layout of a safetensors file is its header: 8 bytes of length, JSON with each tensor's type, shape and offsets,
then the bytes. All shapes are known from the source's headers, so no tensor waits in memory for its neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from unipath_bench.core.files import write_text

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""Size of an element by the format's name of its type."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor to come."""

    key: str
    dtype: str
    """The format's name, e.g. ``BF16``."""
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return prod(self.shape) * BYTES[self.dtype]


class ShardWriter:
    """The weights of one model in ``folder``, in shards of at most ``max_bytes`` (or one larger tensor).

    ``stem`` is the file name that the model's library expects, e.g. ``model`` or ``diffusion_pytorch_model``. Files
    carry their final names only after :meth:`close`, which also writes the index of more than one shard.
    """

    def __init__(self, folder: Path, stem: str, entries: Sequence[Entry], max_bytes: int) -> None:
        self.folder = folder
        self.stem = stem
        self.entries = {entry.key: entry for entry in entries}
        shards = _dealt(entries, max_bytes)
        self.names = [_name(stem, i, len(shards)) for i in range(len(shards))]
        self._place: dict[str, tuple[Path, int]] = {}
        self._shard_of: dict[str, str] = {}
        self._lacking = set(self.entries)
        folder.mkdir(parents=True, exist_ok=True)
        for name, shard in zip(self.names, shards, strict=True):
            self._lay_out(name, shard)

    def write(self, key: str, tensor: Tensor) -> None:
        """Put a tensor where it belongs. Raises ValueError where it is not what was announced."""
        entry = self.entries[key]
        raw = tensor.detach().cpu().contiguous().reshape(-1)
        if tuple(tensor.shape) != entry.shape or raw.numel() * raw.element_size() != entry.size:
            raise ValueError(f"{key} was announced as {entry.dtype} {entry.shape} and is {tensor.dtype} {tensor.shape}")
        path, offset = self._place[key]
        with path.open("r+b") as stream:
            stream.seek(offset)
            stream.write(raw.view(torch.uint8).numpy().data)
        self._lacking.discard(key)

    def close(self) -> None:
        """Give the files their names. Raises ValueError where a tensor has not come."""
        if self._lacking:
            raise ValueError(f"{len(self._lacking)} tensors have not come: {', '.join(sorted(self._lacking)[:5])}")
        for name in self.names:
            _part(self.folder, name).rename(self.folder / name)
        if len(self.names) > 1:
            total = sum(entry.size for entry in self.entries.values())
            index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(self._shard_of.items()))}
            path = self.folder / f"{self.stem}.safetensors.index.json"
            write_text(path, json.dumps(index, indent=2) + "\n")

    def _lay_out(self, name: str, shard: Sequence[Entry]) -> None:
        header: dict[str, object] = {"__metadata__": {"format": "pt"}}
        offset, offsets = 0, {}
        for entry in shard:
            offsets[entry.key] = offset
            end = offset + entry.size
            header[entry.key] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": [offset, end]}
            offset = end
        raw = json.dumps(header).encode()
        raw += b" " * (-len(raw) % 8)
        path = _part(self.folder, name)
        with path.open("wb") as stream:
            stream.write(len(raw).to_bytes(8, "little") + raw)
            stream.truncate(8 + len(raw) + offset)
        for key, start in offsets.items():
            self._place[key] = (path, 8 + len(raw) + start)
            self._shard_of[key] = name


def _dealt(entries: Sequence[Entry], max_bytes: int) -> list[list[Entry]]:
    shards: list[list[Entry]] = [[]]
    held = 0
    for entry in entries:
        if shards[-1] and held + entry.size > max_bytes:
            shards.append([])
            held = 0
        shards[-1].append(entry)
        held += entry.size
    return shards


def _name(stem: str, index: int, count: int) -> str:
    return f"{stem}-{index + 1:05d}-of-{count:05d}.safetensors" if count > 1 else f"{stem}.safetensors"


def _part(folder: Path, name: str) -> Path:
    return folder / f"{name}.part"
