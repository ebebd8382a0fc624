"""From a finished run to an archive: the same run gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from unipath_bench.core.arrays import Features
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.files import replace_file
from unipath_bench.core.images import decode_png, encode_png
from unipath_bench.leaderboard.submission.layout import (
    CARD,
    MANIFEST,
    MAX_BYTES,
    RECORD,
    SAMPLES,
    Manifest,
    Member,
    SampleFamily,
    Samples,
    choose_enclosed,
    features_name,
    image_name,
)
from unipath_bench.leaderboard.submission.provenance import describe_adapter
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.store import FeatureShardSet, SampleRow, SampleShardSet, Store, content_digest
from unipath_bench.results.run_folder import RunFolder
from unipath_bench.schema.base import Document
from unipath_bench.schema.record import RunRecord, Shard

DATE = (1980, 1, 1, 0, 0, 0)
_HINT = "Run the evaluation again with the same command: what is finished is used, what is damaged is made anew."


@dataclass(frozen=True, slots=True)
class Built:
    """An archive that was written."""

    path: Path
    sha256: str
    bytes: int
    images: int
    """Images enclosed."""


def build_archive(run: Path, out: Path, licence_statement: str, store: Path | None = None) -> Built:
    """Write the archive of the run in folder ``run``.

    ``store`` is the folder of its samples and features (default: where ``run`` left it). Every shard is held to the
    digest that the record gives. Raises :class:`UsageError` where there is no such run, :class:`DataError` where its
    store is not complete or differs from the record.
    """
    record = RunFolder(run).load_record()
    place = store or run.resolve().parents[1] / "store"
    if not place.is_dir():
        raise UsageError(f"The store of {run} is not at {place}.", "Name it with --store DIR.")
    files = collect(record, Store(place), licence_statement)
    sizes = sum(len(content) for content in files.values())
    if sizes > MAX_BYTES:
        raise DataError(
            f"The archive would hold {sizes / 2**20:.0f} MiB, more than the {MAX_BYTES >> 20} MiB that a board takes.",
            "Submit a run of fewer seeds or encoders.",
        )
    replace_file(out, lambda target: write_members(target, files))
    content = out.read_bytes()
    return Built(out, hashlib.sha256(content).hexdigest(), len(content), sum(n.startswith("images/") for n in files))


def collect(record: RunRecord, store: Store, licence_statement: str) -> dict[str, bytes]:
    """Every member of a run's archive by name."""
    pngs, samples = _samples(record, store)
    files = _features(record, store)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for family, row in choose_enclosed(samples, digests):
        files[image_name(family, row)] = encode_png(decode_png(pngs[family][row]))
    files[RECORD] = _document(record)
    files[CARD] = _document(record.plan.model)
    files[SAMPLES] = _document(samples)
    manifest = Manifest(
        licence_statement=licence_statement, adapter=describe_adapter(record.plan), members=describe_members(files)
    )
    return {**files, MANIFEST: _document(manifest)}


def describe_members(files: dict[str, bytes]) -> dict[str, Member]:
    """Digest and size of each file, by name."""
    return {
        name: Member(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        for name, content in sorted(files.items())
    }


def write_members(path: Path, files: dict[str, bytes]) -> None:
    """Write a zip file whose bytes depend on the members alone."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, DATE)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, content)


def _document(value: Document) -> bytes:
    text = json.dumps(value.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def _samples(record: RunRecord, store: Store) -> tuple[dict[str, list[bytes]], Samples]:
    pngs: dict[str, list[bytes]] = defaultdict(list)
    rows: dict[str, list[SampleRow]] = defaultdict(list)
    for shard in _own(record, "samples"):
        path = store.root / shard.name
        content = SampleShardSet(path.parent).read(_there(path))
        _hold(shard, content_digest(content), path)
        pngs[path.parent.name].extend(row.png for row in content)
        rows[path.parent.name].extend(content)
    families = {
        name: SampleFamily(
            keys=tuple(row.key for row in found),
            ids=tuple(row.sample_id for row in found),
            replicates=tuple(row.replicate for row in found),
            pixels=tuple(row.pixel_digest for row in found),
        )
        for name, found in sorted(rows.items(), key=lambda item: Family.parse(item[0]))
    }
    return pngs, Samples(families=families)


def _features(record: RunRecord, store: Store) -> dict[str, bytes]:
    digests = {card.digest()[:16]: card.digest() for card in record.plan.encoders.values()}
    parts: dict[str, list[Features]] = defaultdict(list)
    for shard in _own(record, "features"):
        path = store.root / shard.name
        encoder = Path(shard.name).parts[1]
        if encoder not in digests:
            raise DataError(f"The record has features in an encoder {encoder} that it does not describe.", _HINT)
        content = FeatureShardSet(path.parent).read(_there(path))
        _hold(shard, content_digest(content), path)
        parts[features_name(digests[encoder], path.parent.name)].append(content.matrix)
    return {name: save({"features": np.concatenate(found).astype("<f4")}) for name, found in sorted(parts.items())}


def _own(record: RunRecord, kind: str) -> list[Shard]:
    """The shards of generated images, in order."""
    source = {"samples": 1, "features": 2}[kind]
    return sorted(
        (
            shard
            for shard in record.shards
            if shard.kind == kind and Path(shard.name).parts[source] == record.plan.model_digest[:16]
        ),
        key=lambda shard: shard.name,
    )


def _there(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path} is not there.", _HINT)
    return path


def _hold(shard: Shard, found: str, path: Path) -> None:
    if shard.digest != found:
        raise DataError(f"{path} differs from its digest in the record.", _HINT)
