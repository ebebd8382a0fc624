"""Made-up images and folders for the tests of suites."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def pixels(seed: int, height: int = 8, width: int = 8) -> np.ndarray:
    """Random uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png(seed: int, height: int = 8, width: int = 8) -> bytes:
    """The PNG bytes of :func:`pixels`."""
    stream = io.BytesIO()
    Image.fromarray(pixels(seed, height, width)).save(stream, format="PNG")
    return stream.getvalue()


def put(root: Path, *names: str, first_seed: int = 0) -> Path:
    """PNG files at ``names`` below ``root``, seeded by their place in the list."""
    for i, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(first_seed + i))
    return root


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file with the columns of the first row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
