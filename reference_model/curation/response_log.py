"""Answers of an endpoint, one JSON object a line, kept as they come: what was paid for is not asked again."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unipath_bench import DataError
from unipath_bench.core.digest import canonical_json
from unipath_bench.core.files import storage_error


class ResponseLog:
    """A JSON-lines file that is only ever added to. A last line that was cut off by a crash is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._answers = self._read()

    def answer(self, key: str) -> Mapping[str, Any] | None:
        """The last entry with this ``key``; None where there is none."""
        return self._answers.get(key)

    def add(self, key: str, entry: Mapping[str, Any]) -> None:
        """Append an entry and see it to the disk."""
        line = canonical_json({"key": key, **entry}).encode() + b"\n"
        with self._lock:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("ab") as stream:
                    stream.write(line)
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as error:
                raise storage_error(error, self.path) from error
            self._answers[key] = dict(entry)

    def _read(self) -> dict[str, Mapping[str, Any]]:
        if not self.path.exists():
            return {}
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(self.path, len(whole))
        answers: dict[str, Mapping[str, Any]] = {}
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                entry = json.loads(line)
                answers[entry.pop("key")] = entry
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise DataError(
                    f"{self.path} line {number} is no answer: {error}", "Delete this line; its image is asked again."
                ) from error
        return answers
