"""Trained classifiers on disk: one safetensors file each, never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from unipath_bench.digest import canonical_json, digest_strings
from unipath_bench.errors import DataError
from unipath_bench.keeping import Kept
from unipath_bench.pipeline.files import write_atomically
from unipath_bench.schema.parsing import parse_json


class KeptFiles:
    """A :class:`~unipath_bench.keeping.Keeper` in a folder: arrays as float64 tensors, settings as JSON."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> Kept | None:
        """What was put under ``key``; raises :class:`DataError` naming the file where it is damaged."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: np.asarray(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
                facts = parse_json(file.metadata()["classifier"])
            settings, recorded = dict(facts["settings"]), facts["sha256"]
            if recorded != _digest(settings, arrays):
                raise ValueError("its content differs from its digest")
            return Kept(settings, arrays)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, MemoryError) as error:
            raise DataError(
                f"The classifier {path} is damaged ({type(error).__name__}: {error}).",
                "Delete this file and run the same command again: only this classifier is trained anew.",
            ) from error

    def put(self, key: str, kept: Kept) -> None:
        """Write it; atomic."""
        arrays = {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in kept.arrays.items()}
        facts = {"settings": kept.settings, "sha256": _digest(kept.settings, arrays)}
        # One entry: the format does not keep the order of several.
        text = json.dumps(facts, sort_keys=True)
        write_atomically(self._path(key), lambda target: save_file(arrays, target, {"classifier": text}))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


def _digest(settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[np.float64]]) -> str:
    parts = [canonical_json(settings)]
    for name, array in sorted(arrays.items()):
        parts += [name, str(array.shape), hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()]
    return digest_strings(parts)
