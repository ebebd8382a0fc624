"""Results of stages, as Parquet files that are named by a digest of all that decides them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unipath_bench import DataError
from unipath_bench.core.digest import canonical_json, digest
from unipath_bench.core.files import replace_file
from unipath_bench.core.progress import Progress

Row = Mapping[str, Any]
_DECIDED_BY = b"unipath_curation"


class StageStore:
    """A folder of results, one subfolder a stage. A result is there whole or not at all, and is never changed."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder = folder
        self._progress = progress

    def complete(
        self,
        stage: str,
        settings: Mapping[str, Any],
        ids: Sequence[str],
        wanted: Sequence[str],
        schema: pa.Schema,
        compute: Callable[[Sequence[str]], Sequence[Row]],
        shard: int,
    ) -> dict[str, Row]:
        """A row for each of ``wanted``, by id; shards that are not there are computed, in order.

        Shards are stretches of ``shard`` consecutive ``ids``, whatever is wanted of them, so that a change of one image
        concerns its own shard alone. ``settings`` and the ids wanted of a shard decide its file. ``compute`` gets those
        ids and returns a row for each, with the columns of ``schema`` beside ``id``.
        """
        chosen = set(wanted)
        self._progress.start(stage.capitalize(), len(wanted))
        rows: dict[str, Row] = {}
        for position, start in enumerate(range(0, len(ids), shard)):
            part = [name for name in ids[start : start + shard] if name in chosen]
            if part:
                rows |= self.whole(stage, {**settings, "ids": part}, schema, lambda part=part: compute(part), position)  # type: ignore[misc]
            self._progress.advance(len(part))
        self._progress.finish()
        return rows

    def whole(
        self,
        stage: str,
        settings: Mapping[str, Any],
        schema: pa.Schema,
        compute: Callable[[], Sequence[Row]],
        position: int = 0,
    ) -> dict[str, Row]:
        """The rows of one file by id, computed where it is not there."""
        key = {"stage": stage, "columns": schema.names, **settings}
        path = self.folder / stage / f"{position:06d}-{digest(key)[:24]}.parquet"
        if not path.exists():
            found = pa.Table.from_pylist([dict(row) for row in compute()], schema=_with_id(schema))
            table = found.replace_schema_metadata({_DECIDED_BY: canonical_json(key).encode()})
            replace_file(path, lambda target: pq.write_table(table, target))
        return {row["id"]: row for row in self._read(path)}

    def _read(self, path: Path) -> list[dict[str, Any]]:
        try:
            rows: list[dict[str, Any]] = pq.read_table(path, use_threads=False, partitioning=None).to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{path} is damaged: {error}", "Delete this file and run the same command again: it is computed anew."
            ) from error
        return rows


def _with_id(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field("id", pa.string()), *schema])
