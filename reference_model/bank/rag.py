"""Reading the released bank (``RAG_8K``): HDF5 features, keyword index, filtered vocabulary, images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_model.bank.build import thumbnail_png
from reference_model.bank.card import BankCard, Counts, EncoderReference, RouteName, SuiteReference
from reference_model.bank.store import Content, write_bank
from reference_model.bank.vocabulary import read_phrases
from reference_model.bank.words import normalise
from unipath_bench import DataError, MissingError, UsageError
from unipath_bench.core.arrays import Features
from unipath_bench.core.errors import listed
from unipath_bench.core.images import read_image

TABLE, INDEX, VOCABULARY, IMAGES = (
    "selected_8k.h5",
    "keyword_inverted_index.json",
    "llm_filtered_vocab_gemini_pro.txt",
    "images",
)
RELEASED_LICENCE = "CC-BY-NC-ND-4.0"
_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
_AGAIN = "Download the bank again, whole."


def import_rag(
    source: Path,
    destination: Path,
    *,
    retrieval: str = "conch",
    payload: str = "uni2-h",
    thumbnail: int = 96,
    licence: str = RELEASED_LICENCE,
) -> BankCard:
    """Convert the released layout in ``source`` to a bank in ``destination``.

    ``retrieval`` and ``payload`` name the encoders that made the features; their digests are not recorded in the
    release, so that at retrieval only the dimension is checked. Keywords are those of the index that the vocabulary
    holds. Without a folder ``images``, or with ``thumbnail`` 0, the bank has no thumbnails.

    Raises :class:`~unipath_bench.MissingError` without h5py, :class:`~unipath_bench.UsageError` where there is no such
    folder and :class:`~unipath_bench.DataError` that names the file for everything that is not as expected.
    """
    source = Path(source)
    if not source.is_dir():
        raise UsageError(f"{source} is not a folder.", f"Give the folder that holds {TABLE}.")
    for name in (TABLE, INDEX, VOCABULARY):
        if not (source / name).is_file():
            raise DataError(f"{source / name} is not there.", _AGAIN)
    ids, captions, arrays = _read_table(source / TABLE)
    vocabulary = read_phrases(source / VOCABULARY)
    index = _read_index(source / INDEX, len(ids))
    keywords = {phrase: rows for phrase, rows in index.items() if phrase in vocabulary}
    with_images = thumbnail > 0 and (source / IMAGES).is_dir()
    content = Content(
        ids=ids,
        captions=captions,
        groups=(None,) * len(ids),
        thumbnails=_thumbnails(source / IMAGES, ids, thumbnail) if with_images else (None,) * len(ids),
        payload=arrays["uni2h_features"],
        text=arrays["conch_text_features"],
        image=arrays["conch_visual_features"],
        keywords=keywords,
    )
    routes: tuple[RouteName, ...] = ("keyword", "text-image", "text-text")
    card = BankCard(
        source=SuiteReference(name=source.name or "RAG_8K", revision="", kind="tissue", licence=licence),
        payload=EncoderReference(name=payload, dimension=content.payload.shape[1]),
        retrieval=EncoderReference(name=retrieval, dimension=arrays["conch_text_features"].shape[1]),
        routes=routes,
        selection="as released",
        filters=(f"{VOCABULARY} ({len(vocabulary)} phrases)",),
        seed=None,
        counts=Counts(
            prototypes=len(ids), candidates=len(ids), groups=0, per_group=0, keywords=len(keywords), phrases=len(index)
        ),
        thumbnail=thumbnail if with_images else 0,
        licence=licence,
    )
    return write_bank(Path(destination), card, content)


def _read_table(path: Path) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Features]]:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise MissingError(f"Reading {path} needs the package h5py.", "pip install h5py") from error
    try:
        with h5py.File(path, "r") as table:
            texts = {name: _strings(table, name, path) for name in ("sample_key", "gemini_description")}
            arrays = {
                name: _matrix(table, name, path, len(texts["sample_key"]))
                for name in ("conch_text_features", "conch_visual_features", "uni2h_features")
            }
    except OSError as error:
        raise DataError(f"{path} is not an HDF5 file that can be read: {error}", _AGAIN) from error
    ids, captions = texts["sample_key"], texts["gemini_description"]
    if not ids or len(captions) != len(ids) or len(set(ids)) != len(ids):
        raise DataError(
            f"{path}: {len(ids)} values of sample_key, {len(set(ids))} of them distinct, and {len(captions)} of "
            "gemini_description.",
            _AGAIN,
        )
    if arrays["conch_text_features"].shape != arrays["conch_visual_features"].shape:
        raise DataError(f"{path}: conch_text_features and conch_visual_features differ in shape.", _AGAIN)
    return ids, captions, arrays


def _strings(table: Any, name: str, path: Path) -> tuple[str, ...]:
    values = _dataset(table, name, path)
    if values.ndim != 1 or values.dtype.kind not in "OSU":
        raise DataError(f"{path}: {name} is {values.dtype} of shape {values.shape}, not a list of strings.", _AGAIN)
    try:
        return tuple(v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values.tolist())
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {name} is not UTF-8 text.", _AGAIN) from error


def _matrix(table: Any, name: str, path: Path, rows: int) -> Features:
    values = _dataset(table, name, path)
    if values.ndim != 2 or values.dtype.kind != "f" or len(values) != rows or values.shape[1] == 0:
        raise DataError(
            f"{path}: {name} is {values.dtype} of shape {values.shape}, not numbers of shape ({rows}, width).", _AGAIN
        )
    features: Features = values.astype(np.float32)
    if not np.isfinite(features).all():
        raise DataError(f"{path}: {name} holds NaN or infinite values.", _AGAIN)
    return features


def _dataset(table: Any, name: str, path: Path) -> npt.NDArray[Any]:
    import h5py

    if name not in table or not isinstance(table[name], h5py.Dataset):
        raise DataError(f"{path} has no data set {name!r}; it has {', '.join(sorted(table)) or 'none'}.", _AGAIN)
    return np.asarray(table[name][()])


def _read_index(path: Path, count: int) -> dict[str, npt.NDArray[np.int64]]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}", _AGAIN) from error
    if not isinstance(value, dict):
        raise DataError(f"{path} is a JSON {type(value).__name__}, not a table of keywords.", _AGAIN)
    united: dict[str, set[int]] = {}
    bad = []
    for keyword, rows in value.items():
        if not isinstance(rows, list) or not all(type(row) is int and 0 <= row < count for row in rows):
            bad.append(repr(keyword))
        elif rows and normalise(keyword):
            united.setdefault(normalise(keyword), set()).update(rows)
    if bad:
        raise DataError(f"{path}: {len(bad)} keywords have rows outside 0 .. {count - 1}:\n{listed(bad)}", _AGAIN)
    return {keyword: np.array(sorted(united[keyword]), dtype=np.int64) for keyword in sorted(united)}


def _thumbnails(folder: Path, ids: tuple[str, ...], side: int) -> tuple[bytes, ...]:
    paths = [_find_image(folder, name) for name in ids]
    absent = [name for name, path in zip(ids, paths, strict=True) if path is None]
    if absent:
        raise DataError(f"{folder} lacks {len(absent)} of {len(ids)} images:\n{listed(absent)}", _AGAIN)
    return tuple(thumbnail_png(read_image(path), side) for path in paths if path is not None)


def _find_image(folder: Path, name: str) -> Path | None:
    home = folder.resolve()
    for suffix in _SUFFIXES:
        path = (home / f"{name}{suffix}").resolve()
        if path.is_relative_to(home) and path.is_file():
            return path
    return None
