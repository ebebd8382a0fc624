"""Images that any other code generated, in Parquet files: ``--model parquet``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from unipath_bench.contracts import Context, Generator, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest_strings
from unipath_bench.core.errors import DataError, UsageError, listed
from unipath_bench.generators._arguments import choice, slug
from unipath_bench.generators._folder_files import expected_file_name
from unipath_bench.schema.cards import GeneratorCard
from unipath_bench.suites.parquet import read_parquet
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.tabular import Row

_EXAMPLES = 10
_ID_COLUMNS = ("sample_id", "id")
_PROMPT_COLUMNS = ("prompt", "text", "caption")


class ParquetGenerator(Generator):
    """Reads the images of one Parquet file or of a folder of them, pixels unchanged.

    ``by`` says how rows answer requests. ``id``: a column with the request's sample id. ``prompt``: a column with the
    prompt itself; rows with the same prompt are taken in their order. ``nothing``: rows answer no prompt; as many as
    are needed are drawn without replacement, seeded by ``seed``, and the card says that the set is unconditional. By
    default the first of these that the columns allow. ``column`` names the column, ``replicate_column`` one with 0, 1,
    ... for several images of one id, ``image_column`` the images where that is not clear. The first image's size goes
    onto the card, and every image that is used must have it.

    Raises :class:`UsageError` where a column is not there, :class:`DataError` where the rows do not fit.
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"data"})
    answers_paraphrases: ClassVar[bool] = False
    """The set was made before the run, whatever the wording of the prompt."""

    card = GeneratorCard(
        name="parquet",
        title="Images in Parquet files",
        adapter="parquet",
        revision="by content",
        licence="as stated by whoever generated the images",
    )

    def __init__(
        self,
        *,
        data: str | Path,
        by: Literal["auto", "id", "prompt", "nothing"] = "auto",
        column: str | None = None,
        replicate_column: str | None = None,
        image_column: str | None = None,
        seed: int = 0,
    ) -> None:
        self.root = Path(data).expanduser().resolve()
        choice("parquet", "by", by, ("auto", "id", "prompt", "nothing"))
        problems = Problems(str(self.root))
        self._rows, self._images = read_parquet(self.root, image_column, problems)
        problems.raise_if_any()
        if not self._rows:
            raise DataError(f"The Parquet files in {self.root} have no rows.", "Check --model-arg data=...")
        columns = list(self._rows[0].cells)
        self.by, self.column = _roles(by, column, columns)
        self.replicate_column = _present("replicate_column", replicate_column, columns)
        self.seed = seed
        size = self._images.size(0)
        if size is None:
            raise DataError(f"{self._rows[0].where} holds no readable image.", "Name another image_column.")
        self.card = type(self).card.model_copy(
            update={
                "name": f"parquet-{slug(self.root.stem)}",
                "title": f"Images in {self.root.name}",
                "arguments": {
                    "data": str(data),
                    "by": self.by,
                    "column": self.column,
                    "replicate_column": self.replicate_column,
                    "image_column": image_column,
                    "seed": seed,
                },
                "height": size[0],
                "width": size[1],
                "conditions_on": () if self.by == "nothing" else ("prompt",),
            }
        )
        self._assigned: dict[tuple[str, int], int] = {}

    def fingerprint(self) -> Mapping[str, Any]:
        """Digest of every file's bytes."""
        return {"files": digest_strings(self._images.digests())}

    def missing(self, context: Context) -> str | None:
        """Nothing: the constructor has seen the files."""
        return None

    def check(self, requests: Sequence[Request]) -> None:
        """Assign a row to every request. Raises one :class:`DataError` with all that have none, or several."""
        wanted = list({(r.sample_id, r.replicate): r for r in requests}.values())
        self._assigned = self._deal_out(wanted) if self.by == "nothing" else self._pair(wanted)
        sizes = {self._images.size(row) for row in self._assigned.values()}
        if sizes != {(self.card.height, self.card.width)}:
            found = ", ".join(sorted("unreadable" if s is None else f"{s[1]} x {s[0]}" for s in sizes))
            raise DataError(
                f"The images in {self.root} that this run uses are not all {self.card.width} x {self.card.height} "
                f"pixels, as the first one is, but: {found}.",
                "Resize or crop them yourself, so that it is known how: the benchmark never does.",
            )

    def generate(self, requests: Sequence[Request]) -> Sequence[RGBImage]:
        """The images that :meth:`check` assigned; it must have seen the same requests."""
        images: list[RGBImage] = []
        for request in requests:
            row = self._assigned.get((request.sample_id, request.replicate))
            if row is None:
                raise DataError(
                    f"No row of {self.root} was assigned to {_named(request)}.", "Call check() with all requests first."
                )
            images.append(self._images.read(row, self._rows[row].where))
        return images

    def _pair(self, requests: Sequence[Request]) -> dict[tuple[str, int], int]:
        rows = self._by_key()
        assigned: dict[tuple[str, int], int] = {}
        used: dict[str, int] = defaultdict(int)
        missing: list[str] = []
        several: list[str] = []
        for request in sorted(requests, key=lambda r: (r.sample_id, r.replicate)):
            found = self._claims(rows, request)
            if self.by == "prompt":
                place = used[request.prompt]
                used[request.prompt] += 1
                found = found[place : place + 1]
            if not found:
                missing.append(_named(request))
            elif len(found) > 1:
                several.append(f"{_named(request)}: {', '.join(self._rows[i].where for i in found[:3])}")
            else:
                assigned[request.sample_id, request.replicate] = found[0]
        if missing or several:
            lists = [
                f"{len(m)} {what}:\n{listed(m, _EXAMPLES)}"
                for what, m in (("without an image", missing), ("with several images", several))
                if m
            ]
            raise DataError(
                f"The {len(self._rows)} images in {self.root}, by their column {self.column!r}, do not answer the "
                f"{len(requests)} requests; there are\n" + "\n".join(lists),
                "`unipath-bench prompts` writes every request. Name the column with --model-arg column=..., one with "
                "0, 1, ... for several images of one id with replicate_column=...; for a set that answers no prompts: "
                "--model-arg by=nothing.",
            )
        return assigned

    def _by_key(self) -> dict[tuple[str, int | None], list[int]]:
        """Row numbers by (value of the column, replicate where there is such a column)."""
        rows: dict[tuple[str, int | None], list[int]] = defaultdict(list)
        for number, row in enumerate(self._rows):
            rows[str(row.cells[self.column or ""]), self._replicate(row)].append(number)
        return rows

    def _replicate(self, row: Row) -> int | None:
        if self.replicate_column is None:
            return None
        value = row.cells[self.replicate_column]
        if not isinstance(value, int) or isinstance(value, bool):
            raise DataError(
                f"{row.where}: {self.replicate_column} is {value!r}, no whole number.", "Number the images 0, 1, ..."
            )
        return value

    def _claims(self, rows: Mapping[tuple[str, int | None], list[int]], request: Request) -> list[int]:
        if self.by == "prompt":
            return rows.get((request.prompt, None), [])
        replicate = None if self.replicate_column is None else request.replicate
        name = expected_file_name(request)
        stem = name.rpartition("_seed")[0]
        # An id stands for itself, for its file's stem, or, with the replicate in it, for the file that is expected.
        keys = [request.sample_id, stem] if replicate is not None or request.replicate == 0 else []
        found = [row for key in dict.fromkeys(keys) for row in rows.get((key, replicate), [])]
        found += [row for key in (name, name.removesuffix(".png")) for row in rows.get((key, None), [])]
        return found

    def _deal_out(self, requests: Sequence[Request]) -> dict[tuple[str, int], int]:
        if len(self._rows) < len(requests):
            raise DataError(
                f"{self.root} holds {len(self._rows)} images, and this run needs {len(requests)}.",
                "Lower --n or --seeds.",
            )
        drawn = np.random.default_rng(self.seed).choice(len(self._rows), size=len(requests), replace=False)
        keys = sorted((r.sample_id, r.replicate) for r in requests)
        return dict(zip(keys, (int(row) for row in drawn), strict=True))


def _roles(by: str, column: str | None, columns: Sequence[str]) -> tuple[str, str | None]:
    """(id, prompt or nothing; the column of it)."""
    if by == "nothing":
        return by, None
    if column is not None and by == "auto":
        by = "prompt" if column in _PROMPT_COLUMNS else "id"
    if column is not None:
        return by, _present("column", column, columns)
    for role, names in (("id", _ID_COLUMNS), ("prompt", _PROMPT_COLUMNS)):
        found = next((name for name in names if name in columns), None)
        if by in ("auto", role) and found is not None:
            return role, found
    if by == "auto":
        return "nothing", None
    raise UsageError(
        f"No column of the Parquet files is known to hold the {by} (they are: {', '.join(columns) or 'images alone'}).",
        "Name it with --model-arg column=...",
    )


def _present(argument: str, column: str | None, columns: Sequence[str]) -> str | None:
    if column is not None and column not in columns:
        raise UsageError(
            f"{argument}={column}: the Parquet files have no such column.",
            f"Their columns: {', '.join(columns) or 'images alone'}.",
        )
    return column


def _named(request: Request) -> str:
    return f"{request.sample_id} (replicate {request.replicate})"
