"""Getting an entry's archive from where it is hosted: a path, an https address, or a hub data set at a commit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.leaderboard.submission.layout import MAX_BYTES
from unipath_bench.leaderboard.submission.reading import archive_digest
from unipath_bench.schema.board import Entry

_HUB = re.compile(r"hf://datasets/(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})/(?P<file>[\w./-]+)")
SECONDS = 60.0
"""Longest silence of a server."""


def fetch_archive(entry: Entry, entry_folder: Path, into: Path, *, offline: bool = False) -> Path:
    """The archive of an entry as a local file, held to the entry's size and hash.

    ``entry_folder`` is what a relative path is relative to; downloads are written to ``into``. No more is read than the
    entry says that there is. Raises :class:`MissingError` where it cannot be had, :class:`DataError` where it is not
    what the entry names.
    """
    if entry.archive_bytes > MAX_BYTES:
        raise DataError(
            f"The archive of {entry.name!r} has {entry.archive_bytes:,} bytes; at most {MAX_BYTES:,} are read.",
            "Submit a smaller archive.",
        )
    path = _local(entry, entry_folder, into, offline)
    size = path.stat().st_size
    if size != entry.archive_bytes or archive_digest(path) != entry.archive_sha256:
        raise DataError(
            f"{entry.archive} is not the archive of the entry {entry.name!r}: its size or SHA-256 differs.",
            "Submit the archive anew, as another entry.",
        )
    return path


def _local(entry: Entry, entry_folder: Path, into: Path, offline: bool) -> Path:
    place = entry.archive
    hub = _HUB.fullmatch(place)
    if not place.startswith("https://") and hub is None:
        if "://" in place:
            raise UsageError(
                f"{place!r} is no place that archives are fetched from.",
                "Use a path, https://..., or hf://datasets/OWNER/NAME@COMMIT/FILE with all 40 digits of the commit.",
            )
        path = (entry_folder / place).resolve()
        if not path.is_file():
            raise MissingError(
                f"The archive {place} of the entry {entry.name!r} is not there.",
                "Put it there, or make the run anew: an entry whose archive is a path is not hosted.",
            )
        return path
    if offline:
        raise MissingError(f"The archive {place} would have to be fetched.", "Leave --offline out.")
    return (
        _from_hub(hub, into) if hub is not None else _from_web(place, entry.archive_bytes, into / f"{entry.name}.zip")
    )


def _from_hub(place: re.Match[str], into: Path) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        found = hf_hub_download(
            place["repository"], place["file"], repo_type="dataset", revision=place["revision"], local_dir=into
        )
    except (HfHubHTTPError, OSError) as error:
        raise MissingError(f"{place[0]} cannot be fetched: {error}", "Check the place; try again later.") from error
    return Path(found)


def _from_web(address: str, size: int, to: Path) -> Path:
    import httpx

    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            httpx.Client(follow_redirects=True, max_redirects=5, timeout=SECONDS) as client,
            client.stream("GET", address) as answer,
        ):
            answer.raise_for_status()
            _write(answer.iter_bytes(), size, to, address)
    except httpx.HTTPError as error:
        raise MissingError(f"{address} cannot be fetched: {error}", "Check the address; try again later.") from error
    return to


def _write(chunks: Iterator[bytes], size: int, to: Path, address: str) -> None:
    read = 0
    with to.open("wb") as stream:
        for chunk in chunks:
            read += len(chunk)
            if read > size:
                raise DataError(f"{address} has more than the {size:,} bytes that its entry says.", "Correct one.")
            stream.write(chunk)
