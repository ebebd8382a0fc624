"""One directory a bank: writing it whole, and reading it with every file checked.

``features.safetensors`` holds ``payload`` (N, D) and, where there is a retrieval encoder, ``text`` and ``image``
(N, R), all float32; ``bank.parquet`` holds ``id``, ``text``, ``group`` and ``image`` (PNG bytes and name, as Hugging
Face lays images out); ``keywords.json`` maps a keyword to its rows; ``bank.json`` is the card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from reference_model.bank.card import CARD, FEATURES, KEYWORDS, REBUILD, TABLE, BankCard, read_card
from reference_model.bank.words import normalise
from unipath_bench import DataError, UsageError
from unipath_bench.core.arrays import Features
from unipath_bench.core.digest import canonical_json, digest_file
from unipath_bench.core.files import replace_file, write_bytes, write_text

_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("group", pa.string()),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ]
)
_ROWS_PER_GROUP = 256


@dataclass(frozen=True)
class Content:
    """What a bank holds, row by row in one order."""

    ids: tuple[str, ...]
    captions: tuple[str, ...]
    groups: tuple[str | None, ...]
    thumbnails: tuple[bytes | None, ...] = field(repr=False)
    """PNG bytes; None where there is no image."""
    payload: Features
    """(N, D)."""
    text: Features | None
    """(N, R) features of the captions; None without that route."""
    image: Features | None
    """(N, R) features of the images; None without that route."""
    keywords: Mapping[str, npt.NDArray[np.int64]]
    """Keyword to the rows that it leads to, in order."""


def write_bank(folder: Path, card: BankCard, content: Content) -> BankCard:
    """Write a bank, the card last, and return the card with the files' digests. Equal content gives equal bytes.

    Files of an earlier bank in ``folder`` are replaced. Raises :class:`~unipath_bench.MissingError` where the disk is
    full or the folder not writable.
    """
    arrays = {"payload": content.payload, "text": content.text, "image": content.image}
    present = {k: np.ascontiguousarray(v, dtype=np.float32) for k, v in arrays.items() if v is not None}
    keywords = {phrase: [int(row) for row in rows] for phrase, rows in content.keywords.items()}
    write_bytes(folder / FEATURES, save(present))
    replace_file(folder / TABLE, lambda path: _write_table(path, content))
    write_text(folder / KEYWORDS, canonical_json(keywords) + "\n")
    digests = {name: digest_file(folder / name) for name in (FEATURES, TABLE, KEYWORDS)}
    complete = card.model_copy(update={"files": digests})
    write_text(folder / CARD, complete.model_dump_json(indent=2) + "\n")
    return complete


def _write_table(path: Path, content: Content) -> None:
    images = [
        None if png is None else {"bytes": png, "path": f"{row:06d}.png"} for row, png in enumerate(content.thumbnails)
    ]
    columns = [list(content.ids), list(content.captions), list(content.groups), images]
    table = pa.table([pa.array(c, type=f.type) for c, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA)
    pq.write_table(table, path, row_group_size=_ROWS_PER_GROUP)


def read_bank(folder: Path) -> tuple[BankCard, Content]:
    """Read a bank, verifying each file's digest, the shapes and the ranges.

    Raises :class:`~unipath_bench.UsageError` where there is no such folder, and :class:`~unipath_bench.DataError` that
    names the file for everything that is not as the card says.
    """
    if not folder.is_dir():
        raise UsageError(f"The prototype bank {folder} is not a folder.", "Give the directory of a bank.")
    card = read_card(folder / CARD)
    for name in (FEATURES, TABLE, KEYWORDS):
        _check_digest(folder / name, card.files.get(name))
    features = _read_features(folder / FEATURES, card)
    columns = _read_table(folder / TABLE, card)
    keywords = _read_keywords(folder / KEYWORDS, card)
    images = [None if cell is None else cell.get("bytes") for cell in columns["image"]]
    content = Content(
        ids=tuple(columns["id"]),
        captions=tuple(columns["text"]),
        groups=tuple(columns["group"]),
        thumbnails=tuple(images),
        payload=features["payload"],
        text=features.get("text"),
        image=features.get("image"),
        keywords=keywords,
    )
    return card, content


def _check_digest(path: Path, expected: str | None) -> None:
    if expected is None:
        raise DataError(f"{path.parent / CARD} has no digest of {path.name}.", REBUILD)
    if not path.is_file():
        raise DataError(f"{path} is not there.", REBUILD)
    if digest_file(path) != expected:
        raise DataError(f"{path} is damaged, or of another bank: its SHA-256 is not the card's.", REBUILD)


def _read_features(path: Path, card: BankCard) -> dict[str, Features]:
    try:
        arrays: dict[str, Features] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}", REBUILD) from error
    width = 0 if card.retrieval is None else card.retrieval.dimension
    expected = {"payload": card.payload.dimension}
    expected |= {"text": width} if "text-text" in card.routes else {}
    expected |= {"image": width} if "text-image" in card.routes else {}
    if set(arrays) != set(expected):
        raise DataError(f"{path} holds {sorted(arrays)}, not {sorted(expected)} as the card's routes say.", REBUILD)
    for name, array in arrays.items():
        shape = (card.counts.prototypes, expected[name])
        if array.shape != shape or array.dtype != np.float32:
            raise DataError(f"{path}: {name} is {array.dtype} of shape {array.shape}, not float32 of {shape}.", REBUILD)
        if not np.isfinite(array).all():
            raise DataError(f"{path}: {name} holds NaN or infinite values.", REBUILD)
    return arrays


def _read_table(path: Path, card: BankCard) -> dict[str, list[Any]]:
    try:
        table = pq.read_table(path, use_threads=False, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}", REBUILD) from error
    if not table.schema.equals(_SCHEMA, check_metadata=False):
        raise DataError(f"{path} has the columns {table.schema.names}, not those of a bank.", REBUILD)
    columns: dict[str, list[Any]] = table.to_pydict()
    if len(columns["id"]) != card.counts.prototypes or len(set(columns["id"])) != len(columns["id"]):
        raise DataError(
            f"{path} has {len(columns['id'])} rows, {len(set(columns['id']))} of them distinct; the card says "
            f"{card.counts.prototypes} prototypes.",
            REBUILD,
        )
    if None in columns["id"] or None in columns["text"]:
        raise DataError(f"{path} has rows without an id or a caption.", REBUILD)
    return columns


def _read_keywords(path: Path, card: BankCard) -> dict[str, npt.NDArray[np.int64]]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is not JSON: {error}", REBUILD) from error
    if not isinstance(value, dict) or len(value) != card.counts.keywords:
        raise DataError(f"{path} is not a table of {card.counts.keywords} keywords.", REBUILD)
    for phrase, rows in value.items():
        good = isinstance(rows, list) and bool(rows) and all(type(row) is int for row in rows)
        if not good or rows != sorted(set(rows)) or rows[0] < 0 or rows[-1] >= card.counts.prototypes:
            raise DataError(f"{path}: the rows of {phrase!r} are not ascending rows of the bank.", REBUILD)
        if phrase != normalise(phrase) or not phrase:
            raise DataError(f"{path}: the keyword {phrase!r} is not in lower case and single-spaced.", REBUILD)
    return {phrase: np.asarray(rows, dtype=np.int64) for phrase, rows in value.items()}
