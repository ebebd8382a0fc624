"""The curated set as an image folder or as Parquet, for ``--suite folder`` and ``--suite parquet``."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from reference_model.curation.records import Result
from unipath_bench import DataError, Sample, Suite, UsageError
from unipath_bench.core.csv_safety import escaped_row
from unipath_bench.core.digest import canonical_json
from unipath_bench.core.files import replace_folder, write_text
from unipath_bench.core.images import encode_png
from unipath_bench.suites.folder import FolderSuite

Form = Literal["folder", "parquet"]
MARK = "curation.json"
_ROWS_PER_GROUP = 100


def write_dataset(suite: Suite, result: Result, folder: Path, form: Form) -> bool:
    """Write the kept images and their captions to ``folder``, whole or not at all; False where they are there already.

    Images of a ``folder`` suite are copied byte for byte, others written as PNG. Splits, labels, groups and scales are
    kept, paraphrases where the caption is. An earlier set in ``folder`` is replaced; any other folder is refused.
    Raises :class:`~unipath_bench.UsageError` for that, :class:`~unipath_bench.DataError` where nothing was kept and
    :class:`~unipath_bench.MissingError` where the disk is full.
    """
    if not result.kept:
        raise DataError("No image was kept.", "Look at the report: dropped.csv says why; loosen the bounds.")
    mark = canonical_json({"decided_by": result.decided_by, "form": form, "images": len(result.kept)})
    if (folder / MARK).is_file() and (folder / MARK).read_text(encoding="utf-8") == mark:
        return False
    if folder.exists() and not (folder / MARK).is_file() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds something else than a curated set.", "Choose another --out.")
    writers: dict[Form, Callable[[Suite, Result, Path], None]] = {"folder": _write_folder, "parquet": _write_parquet}

    def fill(beside: Path) -> None:
        writers[form](suite, result, beside)
        write_text(beside / MARK, mark)

    replace_folder(folder, fill)
    return True


def _write_folder(suite: Suite, result: Result, folder: Path) -> None:
    files = _files(suite)
    for split, pairs in _by_split(result):
        (folder / split).mkdir()
        rows = []
        for number, (sample, caption) in enumerate(pairs):
            data, suffix = _encoded(suite, sample, files.get(sample.id))
            name = f"{number:06d}-{_slug(PurePosixPath(sample.id).stem)}{suffix}"
            (folder / split / name).write_bytes(data)
            cells = _cells(suite, sample, caption)
            cells["paraphrases"] = json.dumps(cells["paraphrases"], ensure_ascii=False) if cells["paraphrases"] else ""
            rows.append({"file_name": name, **cells})
        used = [c for c in rows[0] if any(row[c] not in ("", None) for row in rows)]
        with (folder / split / "metadata.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(escaped_row(used))
            writer.writerows(escaped_row(row[c] for c in used) for row in rows)


def _write_parquet(suite: Suite, result: Result, folder: Path) -> None:
    files = _files(suite)
    for split, pairs in _by_split(result):
        schema = _schema(suite, pairs)
        with pq.ParquetWriter(folder / f"{split}-00000-of-00001.parquet", schema) as writer:
            for start in range(0, len(pairs), _ROWS_PER_GROUP):
                rows = []
                for sample, caption in pairs[start : start + _ROWS_PER_GROUP]:
                    data, suffix = _encoded(suite, sample, files.get(sample.id))
                    image = {"bytes": data, "path": f"{_slug(PurePosixPath(sample.id).stem)}{suffix}"}
                    rows.append({"image": image, **_cells(suite, sample, caption)})
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _schema(suite: Suite, pairs: list[tuple[Sample, str]]) -> pa.Schema:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [("image", image), ("id", pa.string()), ("text", pa.string())]
    fields += [(name, pa.string()) for name in _labels(suite)]
    fields += [("group", pa.string())] if any(s.group for s, _ in pairs) else []
    fields += [("microns_per_pixel", pa.float64())] if any(s.microns_per_pixel for s, _ in pairs) else []
    fields += [("paraphrases", pa.list_(pa.string()))] if any(s.paraphrases for s, _ in pairs) else []
    return pa.schema(fields)


def _by_split(result: Result) -> Iterator[tuple[str, list[tuple[Sample, str]]]]:
    pairs = list(zip(result.kept, result.captions, strict=True))
    for split in dict.fromkeys(sample.split for sample in result.kept):
        yield split, [(sample, caption) for sample, caption in pairs if sample.split == split]


def _cells(suite: Suite, sample: Sample, caption: str) -> dict[str, Any]:
    return {
        "id": sample.id,
        "text": caption,
        **{name: sample.labels[name] for name in _labels(suite)},
        "group": sample.group or sample.id,
        "microns_per_pixel": sample.microns_per_pixel,
        "paraphrases": list(sample.paraphrases) if caption == sample.prompt.strip() else [],
    }


def _labels(suite: Suite) -> list[str]:
    return list(suite.samples()[0].labels)


def _encoded(suite: Suite, sample: Sample, path: Path | None) -> tuple[bytes, str]:
    if path is not None:
        return path.read_bytes(), path.suffix.lower()
    return encode_png(suite.load(sample)), ".png"


def _files(suite: Suite) -> dict[str, Path]:
    """Sample id to image file, where the suite has files."""
    return {s.id: suite.path(i) for i, s in enumerate(suite.samples())} if isinstance(suite, FolderSuite) else {}


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:80] or "tile"
