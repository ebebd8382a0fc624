"""What was computed once and need not be computed again: small arrays and settings under a digest, in a folder.

One safetensors file per artifact, never a pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from unipath_bench.core.digest import canonical_json, digest_strings
from unipath_bench.core.errors import DataError
from unipath_bench.core.files import replace_file
from unipath_bench.core.parsing import parse_json


@dataclass(frozen=True)
class Artifact:
    """JSON-able settings and named arrays: all that is needed to have a trained thing again."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    """float64, any shape."""


class ArtifactCache:
    """Holds :class:`Artifact` under keys that name all that decides them, so holding changes no number, only time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> Artifact | None:
        """What was put under ``key``, every bit of it; None where nothing was.

        Raises :class:`~unipath_bench.DataError` naming the file where it is damaged.
        """
        from safetensors import SafetensorError, safe_open

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
            return Artifact(settings, arrays)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, MemoryError) as error:
            raise DataError(
                f"The classifier {path} is damaged ({type(error).__name__}: {error}).",
                "Delete this file and run the same command again: only this classifier is trained anew.",
            ) from error

    def put(self, key: str, artifact: Artifact) -> None:
        """Write ``artifact`` under ``key``, a string of hexadecimal digits; atomic."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in artifact.arrays.items()}
        facts = {"settings": artifact.settings, "sha256": _digest(artifact.settings, arrays)}
        # One entry: the format does not keep the order of several.
        text = json.dumps(facts, sort_keys=True)
        replace_file(self._path(key), lambda target: save_file(arrays, target, {"classifier": text}))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


def _digest(settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[np.float64]]) -> str:
    parts = [canonical_json(settings)]
    for name, array in sorted(arrays.items()):
        parts += [name, str(array.shape), hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()]
    return digest_strings(parts)
