"""Content digests: what decides a result, as SHA-256 over canonical JSON or raw pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from unipath_bench.core.arrays import RGBImage


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no white space and no NaN: equal values give equal text.

    Examples:
        >>> canonical_json({"b": 1, "a": [True, None]})
        '{"a":[true,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def digest_strings(values: Iterable[str]) -> str:
    """SHA-256 of a sequence of strings, order and boundaries included.

    Examples:
        The same letters cut elsewhere are other strings.

        >>> digest_strings(["ab", "c"]) == digest_strings(["a", "bc"])
        False
    """
    state = hashlib.sha256()
    for value in values:
        raw = value.encode()
        state.update(len(raw).to_bytes(8, "big") + raw)
    return state.hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def pixel_digest(image: RGBImage) -> str:
    """SHA-256 of an image's size and raw RGB bytes: independent of the file format and its encoder."""
    height, width, _ = image.shape
    state = hashlib.sha256(f"{height}x{width}:".encode())
    state.update(np.ascontiguousarray(image).tobytes())
    return state.hexdigest()


def seed_from(*parts: str | int) -> int:
    """A 63-bit seed that is a function of ``parts`` alone.

    Examples:
        >>> seed_from("test/a.png", 0) == seed_from("test/a.png", 0), seed_from("test/a.png", 1) < 2**63
        (True, True)
    """
    return int.from_bytes(hashlib.sha256(canonical_json(list(parts)).encode()).digest()[:8], "big") >> 1
