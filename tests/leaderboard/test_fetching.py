"""Archives from the web: no more is read than the entry says, and what comes must have its hash."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.leaderboard import made_up_entries as made_up
from unipath_bench.core.errors import DataError, MissingError
from unipath_bench.leaderboard.fetching import fetch_archive
from unipath_bench.schema.board import Entry

CONTENT = b"an archive" * 100


def entry(**changes: object) -> Entry:
    place = {"archive": "https://example.org/a.zip", "archive_bytes": len(CONTENT)}
    return made_up.entry("a", **place, archive_sha256=hashlib.sha256(CONTENT).hexdigest()).model_copy(update=changes)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[httpx.Request], httpx.Response]], None]:
    """Answer every request by a function."""

    def answer(handler: Callable[[httpx.Request], httpx.Response]) -> None:
        client = functools.partial(httpx.Client, transport=httpx.MockTransport(handler))
        monkeypatch.setattr(httpx, "Client", client)

    return answer


def test_what_has_the_hash_is_taken(serve, tmp_path: Path) -> None:
    serve(lambda request: httpx.Response(200, content=CONTENT))
    assert fetch_archive(entry(), tmp_path, tmp_path / "into").read_bytes() == CONTENT


def test_another_file_of_the_same_size_is_refused(serve, tmp_path: Path) -> None:
    serve(lambda request: httpx.Response(200, content=CONTENT[::-1]))
    with pytest.raises(DataError, match="differs"):
        fetch_archive(entry(), tmp_path, tmp_path)


def test_reading_stops_at_the_size_that_the_entry_says(serve, tmp_path: Path) -> None:
    sent = []

    def endless() -> Iterator[bytes]:
        for number in range(10_000):
            sent.append(number)
            yield bytes(500)

    serve(lambda request: httpx.Response(200, content=endless()))
    with pytest.raises(DataError, match="more than the 1,000 bytes"):
        fetch_archive(entry(), tmp_path, tmp_path)
    assert len(sent) < 10


def test_what_cannot_be_had_is_missing(serve, tmp_path: Path) -> None:
    serve(lambda request: httpx.Response(404))
    with pytest.raises(MissingError, match="404"):
        fetch_archive(entry(), tmp_path, tmp_path)
    with pytest.raises(MissingError, match="would have to be fetched"):
        fetch_archive(entry(), tmp_path, tmp_path, offline=True)
    with pytest.raises(MissingError, match="is not there"):
        fetch_archive(entry(archive="a.zip"), tmp_path, tmp_path)


def test_no_archive_of_any_size_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at most"):
        fetch_archive(entry(archive_bytes=1 << 40), tmp_path, tmp_path)
