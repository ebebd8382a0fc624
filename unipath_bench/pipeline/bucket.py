"""A store in object storage: a folder of this machine in front, every finished file behind.

Reading falls back on the bucket, writing goes to both. Names are digests of content, so two machines that write one
name write one content, and no lock is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from unipath_bench.core.errors import MissingError
from unipath_bench.core.files import replace_file
from unipath_bench.core.redaction import without_credentials


class Bucket:
    """A folder in object storage and the folder of this machine that stands for it.

    ``url``: of the former, in any scheme that ``fsspec`` knows (``s3://``, ``gs://``, ``abfs://``, ``file://`` ...);
    ``root``: the latter. Raises :class:`~unipath_bench.MissingError` where the scheme's package is not
    installed.
    """

    def __init__(self, url: str, root: Path) -> None:
        self.url = url
        self.root = root
        import fsspec

        try:
            self._system, self._base = fsspec.core.url_to_fs(url)
        except ImportError as error:
            scheme = url.partition("://")[0]
            raise MissingError(
                f"{scheme}:// cannot be reached: {error}", "Install the package that it names."
            ) from error
        except ValueError as error:
            raise MissingError(f"{url} cannot be reached: {error}", "Check the scheme of --out.") from error
        self._names: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        """Look at what others have written."""
        self._system.invalidate_cache()
        found = self._tried(lambda: self._system.find(self._base) if self._system.exists(self._base) else [], self.url)
        self._names = {str(path)[len(self._base) :].lstrip("/") for path in found}

    def has(self, path: Path) -> bool:
        """Whether the bucket had this file at the last look."""
        return self._name(path) in self._names

    def glob(self, folder: Path, pattern: str) -> Iterator[Path]:
        """Files of one folder that the bucket had at the last look."""
        prefix = f"{self._name(folder)}/"
        for name in self._names:
            rest = name.removeprefix(prefix)
            if name.startswith(prefix) and "/" not in rest and Path(rest).match(pattern):
                yield folder / rest

    def fetch(self, path: Path) -> None:
        """Bring a file of the bucket here, unless it is here."""
        if not path.exists() and self.has(path):
            source = f"{self._base}/{self._name(path)}"
            replace_file(path, lambda beside: self._tried(lambda: self._system.get_file(source, str(beside)), path))

    def push(self, path: Path) -> None:
        """Put a file of this machine into the bucket."""
        target = f"{self._base}/{self._name(path)}"

        def put() -> None:
            self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._system.put_file(str(path), target)

        self._tried(put, path)
        self._names.add(self._name(path))

    def drop(self, path: Path) -> None:
        """Remove a file from the bucket."""
        if self.has(path):
            self._tried(lambda: self._system.rm_file(f"{self._base}/{self._name(path)}"), path)
            self._names.discard(self._name(path))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _tried(self, action: Callable[[], Any], what: Path | str) -> Any:
        try:
            return action()
        except (OSError, TimeoutError) as error:
            raise MissingError(
                without_credentials(
                    f"{self.url} could not be read or written ({type(error).__name__}: {error}) at {what}."
                ),
                "Check address, permissions and network; finished shards are kept: the same command resumes.",
            ) from error
