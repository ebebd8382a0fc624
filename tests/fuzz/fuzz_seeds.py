"""Small valid documents of every kind that is read from others."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image
from safetensors.numpy import save_file

from tests import made_up_records as made_up
from unipath_bench.core.artifact_cache import Artifact, ArtifactCache
from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.images import encode_png
from unipath_bench.gate.baseline import baseline_of
from unipath_bench.leaderboard.submission.layout import (
    CARD,
    MANIFEST,
    RECORD,
    SAMPLES,
    Adapter,
    Manifest,
    Samples,
    features_name,
    image_name,
)
from unipath_bench.leaderboard.submission.writing import describe_members, write_members
from unipath_bench.options import Options
from unipath_bench.pipeline.merge import PartNote
from unipath_bench.pipeline.options import OptionsDocument
from unipath_bench.pipeline.store import FeatureShard, FeatureShardSet, SampleRow, SampleShardSet


def in_file(write: Callable[[Path], object], folder: Path, name: str = "seed") -> bytes:
    """The bytes that ``write`` puts into a file."""
    path = folder / name
    write(path)
    return path.read_bytes()


def card_documents() -> list[bytes]:
    """Generator, task, suite, board and encoder YAML."""
    values = (
        {
            "name": "m",
            "adapter": "noise",
            "arguments": {"seed": 3, "sizes": [1, 2.5]},
            "revision": "1",
            "licence": "MIT",
            "published": [{"metric": "FID", "value": 1.5, "source": "x"}],
        },
        {
            "name": "a-task",
            "tier": 1,
            "version": 1,
            "title": "T",
            "summary": "S",
            "metric": "frechet",
            "parameters": {"k": 5},
            "encoder": "@image",
            "headline": "d",
            "values": {"d": {"title": "D", "direction": "lower", "good_end": 0.5}},
        },
        {"suite": "folder", "data": "tiles", "arguments": {"attributes": ["label"]}},
        {
            "name": "b",
            "title": "B",
            "description": "D",
            "kind": "tissue",
            "suite": "folder",
            "suite_revision": "0" * 64,
            "n": 10,
            "metrics": [
                {"key": "t[texture]", "value": "d", "task_version": 1, "title": "T", "tier": 1, "direction": "lower"}
            ],
        },
    )
    anchored = b"a: &x {k: v}\nb: [*x, *x]\nc: {<<: *x, d: 2026-01-01}\n"
    return [yaml.safe_dump(value, sort_keys=False).encode() for value in values] + [anchored]


def record_documents() -> list[bytes]:
    """Run records, whole and small."""
    whole = made_up.record()
    small = whole.model_copy(update={"scores": whole.scores[:2], "shards": whole.shards[:1]})
    return [whole.model_dump_json().encode(), small.model_dump_json().encode()]


def baseline_documents() -> list[bytes]:
    """What the gate keeps of a run."""
    return [baseline_of(made_up.record()).model_dump_json().encode(), *record_documents()]


def share_notes() -> list[bytes]:
    """What a part of a run leaves."""
    chosen = Options(model="noise", suite="phantom", tasks=("frechet-distance",), encoders=("texture",))
    options = OptionsDocument.of(chosen)
    return [PartNote(run="0" * 64, number=1, of=2, options=options).model_dump_json().encode()]


def exhibit_indexes(folder: Path) -> list[bytes]:
    """The index of exhibits whose files lie in ``folder``."""
    made_up.exhibits(samples=2, replicates=1, pairs=1, size=32).save(folder)
    return [(folder / "index.json").read_bytes()]


def sample_shards(folder: Path) -> list[bytes]:
    """Generated images as Parquet."""
    tile = np.full((4, 4, 3), 200, np.uint8)
    rows = [SampleRow(f"{i:064x}", f"s{i}", 0, "a prompt", i, encode_png(tile), pixel_digest(tile)) for i in range(2)]
    return [in_file(lambda path: SampleShardSet(folder).write(path, rows), folder)]


def feature_shards(folder: Path) -> list[bytes]:
    """Features as safetensors, ours and with other types in them."""
    names = [f"{i:064x}" for i in range(2)]
    shard = FeatureShard(names, names, np.tile(np.arange(3, dtype=np.float32), (2, 1)))
    ours = in_file(lambda path: FeatureShardSet(folder).write(path, shard), folder)
    metadata = {"shard": json.dumps({"rows": [["a", "b"]], "sha256": "0" * 64})}
    other = in_file(lambda path: save_file({"features": np.zeros((1, 2), np.int16)}, path, metadata), folder)
    return [ours, other]


def kept_files(folder: Path) -> list[bytes]:
    """A trained classifier."""
    ArtifactCache(folder).put("0a", Artifact({"classes": ["a", "b"]}, {"weights": np.zeros((2, 3))}))
    return [(folder / "0a.safetensors").read_bytes()]


def image_files() -> list[bytes]:
    """One small image in every format that is read, and in some that are not."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (9, 7, 3), dtype=np.uint8))
    kinds: tuple[tuple[str, dict[str, object]], ...] = (
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("GIF", {}),
    )
    found = []
    for kind, arguments in kinds:
        stream = io.BytesIO()
        image.save(stream, kind, **arguments)
        found.append(stream.getvalue())
    return found


def metadata_tables() -> list[bytes]:
    """``metadata.csv``."""
    return [
        b"file_name,text,label,group,paraphrases,mpp,split\na.png,a prompt,x,g1,one|two,0.5,test\n"
        b'b.png,"with, comma",y,g2,"[""one"", ""two""]",0.25,train\n',
        b"file_name,label\r\na.png,x\r\nb.png,'=1+1\r\n",
    ]


def metadata_lines() -> list[bytes]:
    """``metadata.jsonl``."""
    return [
        b'{"file_name": "a.png", "text": "p", "label": "x", "paraphrases": ["q"], "mpp": 0.5}\n'
        b'{"file_name": "b.png", "text": "r", "label": 3, "paraphrases": "x|y"}\n'
    ]


def manifests() -> list[bytes]:
    """``manifest.csv`` of a folder of generated images."""
    return [b"file_name,sample_id,replicate\na.png,s0,0\nb.png,s1,0\n", b"file_name,sample_id,seed\na.png,s0,77\n"]


def parquet_suites(folder: Path) -> list[bytes]:
    """Real images as Hugging Face lays them out."""
    png = encode_png(np.full((4, 4, 3), 200, np.uint8))
    columns = {
        "image": [{"bytes": png, "path": "a.png"}] * 3,
        "text": ["a", "b", "c"],
        "label": ["x", "y", "x"],
        "paraphrases": [["p"], None, []],
    }
    kinds: tuple[dict[str, Any], ...] = ({}, {"compression": "zstd"}, {"compression": "gzip", "row_group_size": 1})
    return [in_file(partial(pq.write_table, pa.table(columns), **kind), folder) for kind in kinds]


def arrays(folder: Path) -> list[bytes]:
    """NumPy files."""
    return [
        in_file(partial(np.save, arr=a), folder, "seed.npy")
        for a in (np.zeros((2, 3, 3, 3), np.uint8), np.array(["a", "b"]))
    ]


def replies() -> list[bytes]:
    """Answers of endpoints."""
    return [
        b'{"image": "aGVsbG8="}',
        b'{"choices": [{"message": {"content": "B) glands"}}]}',
        b'{"id": "q1", "reply": "A"}\n{"id": "q2", "reply": "B"}\n',
    ]


def headers() -> list[bytes]:
    """Values of ``Retry-After`` and ``Location``."""
    return [b"120", b"Fri, 31 Dec 1999 23:59:59 GMT", b"http://localhost:8000/next", b"/next?x=1"]


def question_files() -> list[bytes]:
    """PathMMU's ``data.json``."""
    entry = {"question": "What?", "options": ["A) x", "B) y"], "answer": "A) x", "img": "a.png"}
    return [json.dumps({"PubMed": {"test": [entry], "test_tiny": [], "val": []}}).encode()]


def submission_members(folder: Path) -> dict[str, bytes]:
    """The files of an archive; documents, one matrix and one image."""
    record = made_up.record()
    matrix = {"features": np.ones((2, 3), np.float32)}
    files = {
        RECORD: record.model_dump_json().encode(),
        CARD: record.plan.model.model_dump_json().encode(),
        SAMPLES: Samples(families={}).model_dump_json().encode(),
        features_name("0" * 16, "seed-0"): in_file(lambda path: save_file(matrix, path), folder),
        image_name("seed-0", 0): encode_png(np.zeros((4, 4, 3), np.uint8)),
    }
    manifest = Manifest(licence_statement="MIT", adapter=Adapter(target="a:B"), members=describe_members(files))
    return {**files, MANIFEST: manifest.model_dump_json().encode()}


def submissions(folder: Path) -> list[bytes]:
    """A whole archive."""
    return [in_file(lambda path: write_members(path, submission_members(folder)), folder)]


def submission_parts(folder: Path) -> list[bytes]:
    """Its members alone, which damage to an archive seldom reaches behind the checksums."""
    return list(submission_members(folder).values())


def texts() -> list[bytes]:
    """Replies of a model to a question."""
    return [b"The answer is B.", b"(A) glands", b"**C**", b"I am sorry, I cannot answer"]
