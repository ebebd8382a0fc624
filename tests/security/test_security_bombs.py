"""Small files that unpack to something huge, or never end: refused by name, before they are unpacked."""

from __future__ import annotations

import base64
import json
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unipath_bench.core import parsing
from unipath_bench.core.errors import BenchError, DataError, UsageError
from unipath_bench.core.http import Reply
from unipath_bench.core.images import MAX_PIXELS, decode_png, image_size, read_image
from unipath_bench.generators.http import _png_of
from unipath_bench.pipeline.damage import DamagedShard
from unipath_bench.pipeline.store import _SAMPLES, SampleShardSet
from unipath_bench.results.gallery import Exhibits
from unipath_bench.schema.base import load_yaml, parse_json
from unipath_bench.schema.cards import GeneratorCard
from unipath_bench.schema.record import RunRecord
from unipath_bench.suites import parquet
from unipath_bench.suites.parquet import ParquetSuite
from unipath_bench.suites.public.images import Stack, Stacks
from unipath_bench.suites.public.stacks import _hdf5, _labels

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{here}: &{here} [{','.join(['*' + before] * 9)}]\n" for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)
"""9 to the 9th texts in 300 bytes."""
MERGES = "m0: &m0 {k: v}\n" + "".join(f"m{i}: &m{i}\n  <<: [*m{i - 1}, *m{i - 1}]\n" for i in range(1, 40))
"""2 to the 39th pairs by merge keys."""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS, "aliases stand for more than"),
        (MERGES, "aliases stand for more than"),
        ("a: &a [*a]", "holds it"),
        ("[" * 5000, "nested"),
        ("- " * 3000 + "x", "nested"),
        ("{a: " * 500, "nested"),
        ("a: 1\nb: 2\na: 3", "'a' comes twice, again in line 3"),
        ("a: " + "9" * 5000, "not of its type"),
        ("a: 0x" + "f" * 100, "binary digits"),
        ("a: .nan", "not finite"),
        ("a: !!int x", "not of its type"),
        ("a: !!timestamp 2026-13-45", "not of its type"),
        ('a: "\\ud800"', "surrogate"),
        ("a: !!set {b}", "set"),
        ("!!python/object/apply:os.system ['true']", "constructor"),
        ("x" * (parsing.MAX_YAML + 1), "characters"),
    ],
)
def test_yaml_bombs_are_refused_at_once(text: str, problem: str) -> None:
    begin = time.process_time()
    with pytest.raises(ValueError, match=problem):
        parsing.parse_yaml(text)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (b"[" * 61 + b"]" * 61, "nested"),
        (b'{"a": 1, "a": 2}', "'a' comes twice"),
        (b"1e999", "not finite"),
        (b"NaN", "NaN"),
        (b"-Infinity", "Infinity"),
        (b"9" * 5000, "5000 digits"),
        (b'"\\ud800"', "surrogate"),
        (b"\xff", "utf-8"),
        (b"", "Expecting value"),
    ],
)
def test_json_bombs_are_refused_at_once(text: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parsing.parse_json(text)


def test_what_is_within_the_bounds_is_read() -> None:
    assert parsing.parse_json(b"[" * 60 + b"]" * 60)
    assert parsing.parse_json('{"seed": 18446744073709551615, "text": "ü\\ud83d\\ude00"}')["text"] == "ü\U0001f600"
    shared = parsing.parse_yaml("a: &x {k: 1}\nb: {<<: *x, k: 2}\nrevision: 2026-11-23\nn: 1_000\n")
    assert shared == {"a": {"k": 1}, "b": {"k": 2}, "revision": "2026-11-23", "n": 1000}


@pytest.mark.parametrize("reader", ["card", "record"])
def test_a_bomb_is_named_by_its_file(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "bomb"
    path.write_text(LAUGHS if reader == "card" else "[" * 100_000)
    with pytest.raises(UsageError, match="bomb"):
        load_yaml(GeneratorCard, path) if reader == "card" else parse_json(RunRecord, path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    with path.open("wb") as stream:
        stream.truncate(parsing.MAX_JSON + 1)
    with pytest.raises(UsageError, match="at most"):
        parse_json(RunRecord, path)


def test_an_error_quotes_a_value_in_short(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(f"name: [{'x' * 10_000}]\nrevision: '1'\nlicence: MIT\n")
    with pytest.raises(UsageError) as caught:
        load_yaml(GeneratorCard, path)
    assert len(caught.value.message) < 1000


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of some bytes whose header claims these pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


SIDES = [(8001, 8000), (12_000, 12_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)]
"""Beyond our limit, beyond Pillow's warning, beyond its error, beyond all."""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("width", "height"), SIDES)
def test_an_image_bomb_is_refused_by_its_header(width: int, height: int, tmp_path: Path) -> None:
    data = png_claiming(width, height)
    path = tmp_path / "bomb.png"
    path.write_bytes(data)
    for read in (lambda: read_image(path), lambda: read_image(data, "bomb.png"), lambda: decode_png(data, "bomb.png")):
        with pytest.raises(DataError, match=r"bomb\.png"):
            read()
    assert image_size(path) in (None, (height, width))


def test_a_tiff_of_one_huge_tile_is_refused() -> None:
    tile = zlib.compress(b"\0" * 1000)
    tags = {256: 16, 257: 16, 258: 134, 259: 8, 262: 2, 277: 3, 322: 2**16, 323: 2**16, 324: 140, 325: len(tile)}
    entries = b"".join(
        struct.pack("<HHII", tag, 3 if tag == 258 else 4, 3 if tag == 258 else 1, number)
        for tag, number in tags.items()
    )
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", 0)
    data = head + struct.pack("<3H", 8, 8, 8) + tile
    assert len(head) == 134
    with pytest.raises(DataError, match="in tiles of"):
        read_image(data, "tile.tif")


def test_a_bomb_in_an_answer_or_among_exhibits_is_refused(tmp_path: Path) -> None:
    bomb = png_claiming(9000, 9000)
    body = json.dumps({"image": base64.b64encode(bomb).decode()}).encode()
    raw = _png_of(Reply(200, httpx.Headers({"content-type": "application/json"}), body))
    with pytest.raises(DataError, match="million"):
        decode_png(raw, "the answer")
    sample = {"sample_id": "s", "prompt": "p", "labels": {}, "real": "bomb.png", "generated": []}
    (tmp_path / "index.json").write_text(json.dumps({"version": 1, "samples": [sample], "neighbours": []}))
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(DataError, match=r"bomb\.png has 9000 x 9000 pixels"):
        Exhibits.load(tmp_path)


def test_a_stack_of_huge_images_is_refused_before_one_is_read() -> None:
    class Claim:
        shape = (10, 100_000, 100_000, 3)

        def __getitem__(self, index: int) -> None:
            raise AssertionError("it was read")

    with pytest.raises(DataError, match="million"):
        Stacks([Stack(Path("x.h5"), 10, Claim)]).read(0, "row 0")
    assert MAX_PIXELS < 100_000**2


def hdf5(write: Callable[[Any], object], path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        write(file)
    return path


def test_hdf5_that_claims_more_than_it_holds_or_points_elsewhere_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    secret = tmp_path / "secret"
    secret.write_bytes(b"not yours, and sixteen" * 10)
    many = hdf5(lambda f: f.create_dataset("y", (10**12,), "u1", chunks=(1024,)), tmp_path / "many.h5")
    with pytest.raises(DataError, match="no labels"):
        _labels(many)
    outside = hdf5(lambda f: f.create_dataset("x", (4, 4), "u1", external=[(str(secret), 0, 16)]), tmp_path / "e.h5")
    linked = hdf5(lambda f: f.__setitem__("x", h5py.ExternalLink(str(many), "y")), tmp_path / "l.h5")
    group = hdf5(lambda f: f.create_group("x"), tmp_path / "g.h5")
    for path in (outside, linked, group):
        with pytest.raises(DataError, match="itself"):
            _hdf5(path, "x")


@pytest.mark.integration
def test_parquet_that_claims_or_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "x" * 1_000_000
    table = pa.table({"image": [b"png"] * 200, "text": [text] * 200})
    path = tmp_path / "test.parquet"
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 1_100_000, "two hundred texts in the room of one"
    monkeypatch.setattr(parquet, "MAX_TEXT", 50_000_000)
    with pytest.raises(DataError, match="unpack to over"):
        ParquetSuite(path)
    monkeypatch.setattr(parquet, "MAX_ROWS", 100)
    with pytest.raises(DataError, match="more rows"):
        ParquetSuite(path)


def test_a_shard_that_claims_more_rows_than_a_shard_has_is_damaged(tmp_path: Path) -> None:
    row = {
        "key": "k",
        "sample_id": "s",
        "replicate": 0,
        "prompt": "p",
        "seed": 1,
        "image": {"bytes": b"x", "path": "x"},
        "pixel_sha256": "d",
    }
    path = tmp_path / "000000-0.parquet"
    for rows, problem in (([row] * 33, "33 rows"), ([{**row, "prompt": None}], "empty")):
        pq.write_table(pa.Table.from_pylist(rows, schema=_SAMPLES), path)
        with pytest.raises(DamagedShard, match=problem):
            SampleShardSet(tmp_path).read(path)
    pq.write_table(pa.table({"key": ["k"]}), path)
    with pytest.raises(DamagedShard, match="columns"):
        SampleShardSet(tmp_path).read(path)


def test_every_error_here_is_one_that_says_what_to_do() -> None:
    with pytest.raises(BenchError) as caught:
        read_image(png_claiming(9000, 9000), "a.png")
    assert caught.value.remedy
    assert np.dtype(np.uint8).itemsize * 9000 * 9000 * 3 > 2**27
