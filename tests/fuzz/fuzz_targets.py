"""What is fuzzed: every reader of what others wrote. Each takes bytes, and is sound where it returns or raises a
:class:`~unipath_bench.BenchError`."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from rich.text import Text

from tests import made_up_records as made_up
from tests.fuzz import fuzz_seeds as seeds
from unipath_bench.core.artifact_cache import ArtifactCache
from unipath_bench.core.console import Console
from unipath_bench.core.csv_safety import escape_formula, unescape_formula
from unipath_bench.core.errors import BenchError
from unipath_bench.core.http import Reply, _retry_after
from unipath_bench.core.images import decode_png, encode_png, image_size, read_image
from unipath_bench.gate.baseline import load_side
from unipath_bench.generators._folder_files import read_index
from unipath_bench.generators.http import _png_of
from unipath_bench.leaderboard.submission.contents import read_documents, read_features, read_images
from unipath_bench.leaderboard.submission.documents import parse_document
from unipath_bench.leaderboard.submission.layout import Manifest, Samples, features_name
from unipath_bench.leaderboard.submission.reading import read_members
from unipath_bench.pipeline.merge import PartNote, _options
from unipath_bench.pipeline.store import FeatureShardSet, SampleShardSet
from unipath_bench.results.gallery import Exhibits
from unipath_bench.results.run_folder import load_record
from unipath_bench.schema.base import load_yaml, parse_json, read_yaml
from unipath_bench.schema.board import Board
from unipath_bench.schema.cards import GeneratorCard
from unipath_bench.schema.record import RunRecord
from unipath_bench.schema.task import TaskSpec
from unipath_bench.suites.card import SuiteFile
from unipath_bench.suites.metadata import read_metadata
from unipath_bench.suites.parquet import ParquetSuite
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.public.stacks import _npy
from unipath_bench.suites.public.tables import column_names, read_columns
from unipath_bench.suites.tabular import Columns, Row, build_table
from unipath_bench.understanding.pathmmu import PathMMU
from unipath_bench.understanding.replies import read_reply
from unipath_bench.understanding.run import _kept
from unipath_bench.views.report import render_report
from unipath_bench.views.terminal import print_summary


@dataclass(frozen=True)
class Target:
    """A reader with valid documents to start from."""

    name: str
    read: Callable[[bytes, Path], object]
    """Reads these bytes; the folder is its own."""
    seeds: Callable[[Path], Sequence[bytes]]
    examples: int = 150
    """Inputs in a run of the tests."""

    def check(self, data: bytes, folder: Path) -> None:
        """Read ``data``; what is not an error of ours goes through."""
        try:
            self.read(data, folder)
        except BenchError:
            return


def _file(data: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _cards(data: bytes, folder: Path) -> None:
    path = _file(data, folder, "card.yaml")
    read_yaml(path)
    for kind in (GeneratorCard, TaskSpec, SuiteFile, Board):
        try:
            load_yaml(kind, path)
        except BenchError:
            continue


def _record(data: bytes, folder: Path) -> None:
    """A record that is read can be shown, too."""
    record = load_record(_file(data, folder, "record.json"))
    print_summary(record, Console(file=io.StringIO(), width=200))
    render_report(record, None, made_up.tasks())
    record.to_frame()


def _metadata(data: bytes, folder: Path, name: str) -> None:
    problems = Problems("the folder")
    records = read_metadata(_file(data, folder, name), name, problems)
    rows = [Row(f"line {r.line}", f"{i}.png", r.cells) for i, r in enumerate(records)]
    build_table(rows, Columns(), problems)


def _http(data: bytes, folder: Path) -> None:
    for kind in ("image/png", "application/json"):
        try:
            _png_of(Reply(200, httpx.Headers({"content-type": kind}), data))
        except ValueError:  # the generator says whose answer it is
            continue


def _header(data: bytes, folder: Path) -> None:
    wait = _retry_after(httpx.Headers([(b"retry-after", data)]))
    assert wait is None or wait >= 0


def _image(data: bytes, folder: Path) -> None:
    image_size(data)
    image = read_image(data, "the image", max_pixels=1_000_000)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3


def _png(data: bytes, folder: Path) -> None:
    decode_png(data)


def _sample_shard(data: bytes, folder: Path) -> None:
    for row in SampleShardSet(folder).parse(_file(data, folder, "000000-0.parquet")):
        assert isinstance(row.png, bytes)
        assert isinstance(row.prompt, str)


def _feature_shard(data: bytes, folder: Path) -> None:
    shard = FeatureShardSet(folder).parse(_file(data, folder, "000000-0.safetensors"))
    assert shard.matrix.dtype == np.float32
    assert shard.matrix.ndim == 2
    assert len(shard.matrix) == len(shard.keys) == len(shard.pixel_digests)


def _classifier(data: bytes, folder: Path) -> None:
    _file(data, folder, "0a.safetensors")
    ArtifactCache(folder).find("0a")


def _index(data: bytes, folder: Path) -> None:
    _file(data, folder / "exhibits", "index.json")
    Exhibits.load(folder / "exhibits")


def _manifest(data: bytes, folder: Path) -> None:
    _file(data, folder, "manifest.csv")
    read_index(folder, ("a.png", "b.png"))


def _parquet(data: bytes, folder: Path) -> None:
    suite = ParquetSuite(_file(data, folder, "test.parquet"))
    for sample in suite.samples():
        suite.load(sample)


def _table(data: bytes, folder: Path) -> None:
    path = _file(data, folder, "table.csv")
    read_columns(path, column_names(path))


def _array(data: bytes, folder: Path) -> None:
    array = _npy(_file(data, folder, "array.npy"))
    if array.ndim:
        len(array)


def _share(data: bytes, folder: Path) -> None:
    _options(parse_json(PartNote, _file(data, folder, "part.json")).options, trust_remote_code=False)


def _questions(data: bytes, folder: Path) -> None:
    _file(encode_png(np.zeros((4, 4, 3), np.uint8)), folder, "a.png")
    _file(data, folder, "data.json")
    PathMMU(data=folder)


def _text(data: bytes, folder: Path) -> None:
    """Texts that others chose: in replies, cells and the terminal."""
    text = data.decode("utf-8", "replace")
    read_reply(text, ("glands", "stroma", "necrosis"))
    assert unescape_formula(escape_formula(text)) == text
    stream = io.StringIO()
    Console(file=stream, force_terminal=False, width=80).print(Text(text))
    assert "\x1b" not in stream.getvalue()


def _submission(data: bytes, folder: Path) -> None:
    members = read_members(_file(data, folder, "submission.zip"))
    read_documents(members)
    read_features(members)
    read_images(members)


def _submission_parts(data: bytes, folder: Path) -> None:
    """Every member in the place of every other; sound where one place takes it."""
    features = {features_name("0" * 16, "seed-0"): data}
    readers = (
        lambda: read_features(features),
        lambda: parse_document(Manifest, data, "manifest.json"),
        lambda: parse_document(Samples, data, "samples.json"),
        lambda: parse_document(GeneratorCard, data, "card.json"),
        lambda: parse_document(RunRecord, data, "record.json"),
    )
    for read in readers:
        try:
            read()
        except BenchError:
            continue


TARGETS = (
    Target("cards", _cards, lambda _: seeds.card_documents()),
    Target("record", _record, lambda _: seeds.record_documents(), 25),
    Target(
        "baseline",
        lambda data, folder: load_side(_file(data, folder, "b.json")),
        lambda _: seeds.baseline_documents(),
        60,
    ),
    Target("part", _share, lambda _: seeds.share_notes()),
    Target("exhibits", _index, lambda folder: seeds.exhibit_indexes(folder / "exhibits")),
    Target("samples", _sample_shard, seeds.sample_shards),
    Target("features", _feature_shard, seeds.feature_shards),
    Target("classifier", _classifier, seeds.kept_files),
    Target("image", _image, lambda _: seeds.image_files()),
    Target("png", _png, lambda _: seeds.image_files()[:1]),
    Target(
        "metadata-csv", lambda data, folder: _metadata(data, folder, "metadata.csv"), lambda _: seeds.metadata_tables()
    ),
    Target(
        "metadata-jsonl",
        lambda data, folder: _metadata(data, folder, "metadata.jsonl"),
        lambda _: seeds.metadata_lines(),
    ),
    Target("manifest", _manifest, lambda _: seeds.manifests()),
    Target("parquet", _parquet, seeds.parquet_suites),
    Target("table", _table, lambda _: seeds.metadata_tables()),
    Target("array", _array, seeds.arrays),
    Target("http", _http, lambda _: [*seeds.replies(), *seeds.image_files()[:1]]),
    Target("header", _header, lambda _: seeds.headers()),
    Target("replies", lambda data, folder: _kept(_file(data, folder, "replies.jsonl")), lambda _: seeds.replies()),
    Target("questions", _questions, lambda _: seeds.question_files()),
    Target("submission", _submission, seeds.submissions),
    Target("submission-parts", _submission_parts, seeds.submission_parts),
    Target("text", _text, lambda _: seeds.texts()),
)
