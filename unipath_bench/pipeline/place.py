"""Where the output of runs lies: a folder, or an address in object storage with a folder of this machine before it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from unipath_bench.core.digest import digest_strings
from unipath_bench.core.errors import UsageError
from unipath_bench.pipeline.bucket import Bucket
from unipath_bench.pipeline.store import Store

_URL = re.compile(r"^([a-z][a-z0-9+.-]+)://\S+$")


@dataclass(frozen=True, slots=True)
class Place:
    """What ``--out`` names."""

    folder: Path
    """On this machine."""
    url: str | None = None

    @classmethod
    def parse(cls, out: str | Path | Place) -> Place:
        """Take a folder's path, ``scheme://bucket/prefix``, or a place as it is.

        A bucket has its copy in the cache folder (``$UNIPATH_BENCH_CACHE``, else ``~/.cache/unipath-bench``). Raises
        :class:`~unipath_bench.UsageError` for an address without a bucket, or with a password in it.
        """
        if isinstance(out, Place):
            return out
        if isinstance(out, Path) or "://" not in out:
            return cls(Path(out))
        if not _URL.match(out) or "@" in out:
            raise UsageError(
                f"--out {out.rpartition('@')[2]!r} is no address.",
                "Write scheme://bucket/prefix; credentials come from the environment, never from the address.",
            )
        cache = Path(os.environ.get("UNIPATH_BENCH_CACHE", Path.home() / ".cache" / "unipath-bench"))
        return cls(cache / digest_strings([out.rstrip("/")])[:16], out.rstrip("/"))

    def __str__(self) -> str:
        return self.url or str(self.folder)

    def store(self) -> Store:
        """The store of this place."""
        return Store.open(self.folder / "store", f"{self.url}/store" if self.url else None)

    def publish(self, folder: Path) -> None:
        """Bring a finished run's folder into the bucket, if there is one."""
        if self.url is not None:
            bucket = Bucket(self.url, self.folder)
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                bucket.push(path)
