"""The content-addressed store: deterministic shards of samples and features.

A *shard set* is a folder of shards: the images of one family, or their features in one encoder. Shard boundaries are
fixed (``SHARD_ROWS`` consecutive positions of the family's order), whatever n, the batch size or the number of workers.
A shard's file name carries its position and a digest of its row keys, so a shard of other content is another file. A
row is reused by key from any shard of its position: raising n, or resuming after an error in mid-shard, computes the
missing rows only.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from unipath_bench.core.arrays import Features
from unipath_bench.core.artifact_cache import ArtifactCache
from unipath_bench.core.digest import digest_strings
from unipath_bench.core.errors import UsageError
from unipath_bench.core.files import replace_file, write_text
from unipath_bench.core.parsing import parse_json
from unipath_bench.pipeline.bucket import Bucket
from unipath_bench.pipeline.damage import DamagedShard
from unipath_bench.pipeline.family import Family

SHARD_ROWS = 32
STORE_VERSION = 2


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One generated image: its request and its pixels as PNG."""

    key: str
    sample_id: str
    replicate: int
    prompt: str
    seed: int
    png: bytes
    pixel_digest: str


@dataclass(frozen=True, slots=True, eq=False)
class FeatureShard:
    """Features of some images of a set, in its order."""

    keys: Sequence[str]
    pixel_digests: Sequence[str]
    matrix: Features
    """float32, shape (rows, D)."""

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, rows: slice) -> FeatureShard:
        return FeatureShard(self.keys[rows], self.pixel_digests[rows], self.matrix[rows])


ShardT = TypeVar("ShardT", list[SampleRow], FeatureShard)


class ShardSet(ABC, Generic[ShardT]):
    """The shards of one family."""

    kind: ClassVar[Literal["samples", "features"]]
    suffix: ClassVar[str]

    def __init__(self, folder: Path, bucket: Bucket | None = None) -> None:
        self.folder = folder
        self.bucket = bucket

    def path(self, position: int, keys: Sequence[str]) -> Path:
        """File of the shard at ``position`` (0, 1, ...) with exactly these row keys."""
        return self.folder / f"{position:06d}-{_short(keys)}{self.suffix}"

    def find(self, position: int, keys: Sequence[str]) -> ShardT:
        """Return the rows that are there already, in the order of ``keys``.

        These are the whole shard if it is complete, else what other shards of the position hold.
        """
        if self.has(position, keys):
            return self.read(self.path(position, keys))
        pattern = f"{position:06d}-*{self.suffix}"
        there = set(self.folder.glob(pattern))
        if self.bucket is not None:
            there |= set(self.bucket.glob(self.folder, pattern))
        return self.gather([self.read(path) for path in sorted(there)], keys)

    def put(self, position: int, shard: ShardT) -> Path:
        """Write a shard; atomic."""
        path = self.path(position, self.keys(shard))
        if not path.exists():
            replace_file(path, lambda target: self.write(target, shard))
        if self.bucket is not None and not self.bucket.has(path):
            self.bucket.push(path)
        return path

    def has(self, position: int, keys: Sequence[str]) -> bool:
        """Whether the shard with exactly these row keys is there."""
        path = self.path(position, keys)
        return path.exists() or (self.bucket is not None and self.bucket.has(path))

    def read(self, path: Path) -> ShardT:
        """Read all rows of one file, which is fetched from the bucket first where there is one.

        Raises :class:`DamagedShard` naming the file where it is damaged, or holds other rows than its name stands for.
        """
        if self.bucket is not None:
            self.bucket.fetch(path)
        shard = self.parse(path)
        if path.stem.partition("-")[2] != _short(self.keys(shard)):
            raise DamagedShard(path, "it holds other rows than its name stands for")
        return shard

    @abstractmethod
    def keys(self, shard: ShardT) -> Sequence[str]:
        """The keys of a shard's rows."""

    @abstractmethod
    def gather(self, shards: Sequence[ShardT], keys: Sequence[str]) -> ShardT:
        """The rows of several shards that have these keys, in the order of ``keys``; without keys that none has."""

    @abstractmethod
    def parse(self, path: Path) -> ShardT:
        """All rows of one file of this machine, whatever its name."""

    @abstractmethod
    def write(self, path: Path, shard: ShardT) -> None:
        """Write all rows to one file."""


_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_SAMPLES = pa.schema(
    [
        ("key", pa.string()),
        ("sample_id", pa.string()),
        ("replicate", pa.int32()),
        ("prompt", pa.string()),
        ("seed", pa.int64()),
        ("image", _IMAGE),
        ("pixel_sha256", pa.string()),
    ],
    metadata={"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})},
)


class SampleShardSet(ShardSet[list[SampleRow]]):
    """Generated images as Parquet with lossless PNG bytes; Hugging Face ``datasets`` reads the files as they are."""

    kind = "samples"
    suffix = ".parquet"

    def keys(self, shard: list[SampleRow]) -> list[str]:
        """The keys of a shard's rows."""
        return [row.key for row in shard]

    def gather(self, shards: Sequence[list[SampleRow]], keys: Sequence[str]) -> list[SampleRow]:
        """The rows of several shards that have these keys, in the order of ``keys``; without keys that none has."""
        found = {row.key: row for shard in shards for row in shard}
        return [found[key] for key in keys if key in found]

    def parse(self, path: Path) -> list[SampleRow]:
        """Read a Parquet shard of at most ``SHARD_ROWS`` rows, page checksums verified.

        Raises :class:`DamagedShard` where it cannot be read, or has other columns, too many rows or an empty cell.
        """
        try:
            with pq.ParquetFile(path, memory_map=True, page_checksum_verification=True) as file:
                problem = _sample_problem(file.schema_arrow, file.metadata.num_rows)
                rows = [] if problem else file.read().to_pylist()
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise DamagedShard(path, f"{type(error).__name__}: {error}") from error
        if any(None in (*r.values(), r["image"] and r["image"]["bytes"]) for r in rows):
            problem = "a cell is empty"
        if problem:
            raise DamagedShard(path, problem)
        return [
            SampleRow(
                key=r["key"],
                sample_id=r["sample_id"],
                replicate=r["replicate"],
                prompt=r["prompt"],
                seed=r["seed"],
                png=r["image"]["bytes"],
                pixel_digest=r["pixel_sha256"],
            )
            for r in rows
        ]

    def write(self, path: Path, shard: list[SampleRow]) -> None:
        """Write an uncompressed Parquet file with page checksums; the PNGs are compressed already."""
        table = pa.Table.from_pylist(
            [
                {
                    "key": r.key,
                    "sample_id": r.sample_id,
                    "replicate": r.replicate,
                    "prompt": r.prompt,
                    "seed": r.seed,
                    "image": {"bytes": r.png, "path": f"{r.key[:16]}.png"},
                    "pixel_sha256": r.pixel_digest,
                }
                for r in shard
            ],
            schema=_SAMPLES,
        )
        pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)


def _sample_problem(schema: pa.Schema, rows: int) -> str:
    """What keeps a file from being a shard of samples, before its rows are read; empty: nothing."""
    if not schema.equals(_SAMPLES, check_metadata=False):
        return "its columns are not those of samples"
    return f"it claims {rows:,} rows, and a shard has at most {SHARD_ROWS}" if rows > SHARD_ROWS else ""


class FeatureShardSet(ShardSet[FeatureShard]):
    """Features as one float32 array a shard (safetensors), with the keys and pixel digests of its rows."""

    kind = "features"
    suffix = ".safetensors"

    def keys(self, shard: FeatureShard) -> Sequence[str]:
        """The keys of a shard's rows."""
        return shard.keys

    def gather(self, shards: Sequence[FeatureShard], keys: Sequence[str]) -> FeatureShard:
        """The rows of several shards that have these keys, in the order of ``keys``; without keys that none has."""
        place = {key: (shard, row) for shard in shards for row, key in enumerate(shard.keys)}
        found = [place[key] for key in keys if key in place]
        return FeatureShard(
            [shard.keys[row] for shard, row in found],
            [shard.pixel_digests[row] for shard, row in found],
            np.stack([shard.matrix[row] for shard, row in found]) if found else np.empty((0, 0), np.float32),
        )

    def parse(self, path: Path) -> FeatureShard:
        """Read a safetensors shard.

        Raises :class:`DamagedShard` where it cannot be read, is not float32 (rows, D), or differs from the digest that
        it records. Features were checked to be finite before they were stored, and the digest vouches for them.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                matrix = file.get_tensor("features")
                shard = parse_json(file.metadata()["shard"])
                keys, recorded = [[str(key), str(pixels)] for key, pixels in shard["rows"]], shard["sha256"]
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, MemoryError) as error:
            raise DamagedShard(path, f"{type(error).__name__}: {error}") from error
        if matrix.dtype != np.float32 or matrix.ndim != 2 or len(matrix) != len(keys):
            raise DamagedShard(path, f"{matrix.dtype} of shape {matrix.shape} for {len(keys)} rows")
        if recorded != _sum(matrix, keys):
            raise DamagedShard(path, "its features differ from their digest")
        return FeatureShard([key for key, _ in keys], [pixels for _, pixels in keys], matrix)

    def write(self, path: Path, shard: FeatureShard) -> None:
        """Write the features as float32 (rows, D); keys, pixel digests and a SHA-256 over all go into the metadata."""
        matrix = np.ascontiguousarray(shard.matrix, np.float32)
        keys = [list(pair) for pair in zip(shard.keys, shard.pixel_digests, strict=True)]
        # One entry: the format does not keep the order of several.
        save_file({"features": matrix}, path, {"shard": json.dumps({"rows": keys, "sha256": _sum(matrix, keys)})})


def _short(keys: Sequence[str]) -> str:
    """What stands for a shard's rows in its name."""
    return digest_strings(keys)[:16]


def shard_slices(count: int) -> Iterator[tuple[int, slice]]:
    """The fixed shard boundaries over ``count`` rows: (position, slice)."""
    for position in range(-(-count // SHARD_ROWS)):
        yield position, shard_slice(position)


def shard_slice(position: int) -> slice:
    """The rows of a shard; the last shard of a set may have fewer."""
    return slice(position * SHARD_ROWS, (position + 1) * SHARD_ROWS)


def content_digest(shard: Sequence[SampleRow] | FeatureShard) -> str:
    """SHA-256 of a shard's keys and content: independent of file formats and their versions.

    The content of an image is the digest of its pixels, that of features their little-endian float32 in hexadecimal.
    """
    if isinstance(shard, FeatureShard):
        content = zip(shard.keys, (row.tobytes().hex() for row in shard.matrix.astype("<f4")), strict=True)
        return digest_strings(part for pair in content for part in pair)
    return digest_strings(part for row in shard for part in (row.key, row.pixel_digest))


def _sum(matrix: Features, rows: list[list[str]]) -> str:
    return hashlib.sha256(np.ascontiguousarray(matrix, "<f4").tobytes() + json.dumps(rows).encode()).hexdigest()


class Store:
    """The store's folder.

    It holds ``samples/``, ``features/``, ``classifiers/`` and ``scores/``, and marks of suites that have been verified.
    """

    def __init__(self, root: Path, bucket: Bucket | None = None) -> None:
        self.root = root
        self.bucket = bucket

    @classmethod
    def open(cls, root: Path, url: str | None) -> Store:
        """A store in a folder of this machine, or in object storage with that folder before it."""
        return cls(root, None if url is None else Bucket(url, root))

    @property
    def url(self) -> str | None:
        """Of the bucket."""
        return None if self.bucket is None else self.bucket.url

    def refresh(self) -> None:
        """See what other machines have put into the bucket."""
        if self.bucket is not None:
            self.bucket.refresh()

    def set_aside(self, damage: DamagedShard) -> Path:
        """Put a damaged file out of the way; returns its new place on this machine."""
        if self.bucket is not None:
            self.bucket.drop(damage.path)
        return damage.set_aside()

    def prepare(self) -> None:
        """Mark a new store with the version of its layout.

        Raises :class:`~unipath_bench.UsageError` for a store of another version.
        """
        mark = self.root / "version.json"
        if self.bucket is not None:
            self.bucket.fetch(mark)
        if not self.root.exists() or not any(self.root.iterdir()):
            write_text(mark, json.dumps({"store": STORE_VERSION}) + "\n")
        try:
            version = parse_json(mark.read_bytes())["store"] if mark.exists() else 1
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedShard(mark, f"{type(error).__name__}: {error}") from error
        if self.bucket is not None and not self.bucket.has(mark):
            self.bucket.push(mark)
        if version != STORE_VERSION:
            raise UsageError(
                f"{self.root} is a store of layout {version}; this version of unipath-bench reads layout "
                f"{STORE_VERSION}.",
                "Choose another folder with --out, or run the version of unipath-bench that wrote it.",
            )

    def samples(self, model_digest: str, family: Family) -> SampleShardSet:
        """Images of one generator."""
        return SampleShardSet(self.root / "samples" / model_digest[:16] / family.name, self.bucket)

    def features(self, encoder_digest: str, source: str, family: Family) -> FeatureShardSet:
        """Features in one encoder of one source (a generator's or a suite's digest) and one of its families."""
        return FeatureShardSet(self.root / "features" / encoder_digest[:16] / source[:16] / family.name, self.bucket)

    def score(self, key: str) -> Path:
        """File of one task's score; ``key`` is a digest of all that decides it."""
        return self.root / "scores" / f"{key}.json"

    def classifiers(self, code: str) -> ArtifactCache:
        """What classifiers learnt of real images; ``code`` is a digest of the code and packages that trained them."""
        return ArtifactCache(self.root / "classifiers" / code[:16])

    def relative(self, path: Path) -> str:
        """A shard's name in records."""
        return path.relative_to(self.root).as_posix()

    def is_verified(self, suite_revision: str) -> bool:
        """Whether every image of this suite revision has been opened and checked."""
        return self._mark(suite_revision).exists()

    def mark_verified(self, suite_revision: str) -> None:
        """Remember that every image of this suite revision is sound."""
        write_text(self._mark(suite_revision), "verified\n")

    def _mark(self, suite_revision: str) -> Path:
        return self.root / "suites" / f"{suite_revision}.verified"
