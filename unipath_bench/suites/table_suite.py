"""What suites with a table of metadata have in common: the card, the samples, and the revision."""

from __future__ import annotations

import inspect
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal, TypedDict, get_args

from unipath_bench.contracts import Sample, Suite
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import canonical_json, digest_strings
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.registry import suggest
from unipath_bench.schema.base import validate
from unipath_bench.schema.cards import SuiteCard
from unipath_bench.suites.tabular import Table

Size = Literal["uniform", "any"]
_PROBED = 25
"""Headers that are read to find a suite's image size; every image is checked by :mod:`.verify`."""


class Description(TypedDict, total=False):
    """What the data cannot say of themselves; goes to the suite's card."""

    name: str
    title: str
    kind: Literal["tissue", "phantom"]
    licence: str
    microns_per_pixel: float
    default_encoders: dict[str, str]
    citation: str
    notes: str


class TableSuite(Suite):
    """A suite whose samples come from a :class:`~unipath_bench.suites.tabular.Table`.

    Subclasses call :func:`check_arguments`, build the table, then call this constructor.
    ``size='uniform'`` puts the commonest size of up to 25 images on the card, so that verification refuses all others;
    ``'any'`` leaves it open.
    """

    def __init__(self, table: Table, source: str, size: Size, description: Description) -> None:
        self._table = table
        self._source = source
        self._index = {sample.id: i for i, sample in enumerate(table.samples)}
        height, width = (None, None) if size == "any" else self._commonest_size()
        fields = {
            "name": slug(source),
            "title": source,
            "kind": "tissue",
            "licence": "not stated",
            "height": height,
            "width": width,
            "microns_per_pixel": table.microns_per_pixel,
            "attributes": table.attributes,
            **description,
        }
        self.card = validate(SuiteCard, fields, f"The description of {source}")

    @abstractmethod
    def _read(self, index: int) -> RGBImage:
        """Decode the image of row ``index``."""

    @abstractmethod
    def _header_size(self, index: int) -> tuple[int, int] | None:
        """(height, width) of row ``index`` from the image's header; None where it cannot be read."""

    @abstractmethod
    def _content(self) -> Iterable[str]:
        """Digests that together cover every image's bytes, in a fixed order."""

    def samples(self) -> Sequence[Sample]:
        """The rows of the table, in its order."""
        return self._table.samples

    def load(self, sample: Sample) -> RGBImage:
        """Decode the image of ``sample``: uint8 (H, W, 3).

        Raises :class:`DataError` for a sample of another suite, and naming a file that cannot be read.
        """
        index = self._index.get(sample.id)
        if index is None:
            raise DataError(f"{self.card.name} has no sample {sample.id!r}.", "Use the samples of this suite.")
        return self._read(index)

    @cached_property
    def revision(self) -> str:
        """Digest of all rows of the table and of every image's bytes, computed once."""
        rows = (
            canonical_json([s.id, s.split, s.prompt, dict(s.labels), s.group, s.paraphrases, s.microns_per_pixel])
            for s in self._table.samples
        )
        return digest_strings([digest_strings(rows), *self._content()])

    def _commonest_size(self) -> tuple[int | None, int | None]:
        count = len(self._table.samples)
        probes = sorted({i * (count - 1) // max(1, _PROBED - 1) for i in range(min(count, _PROBED))})
        sizes = Counter(size for size in map(self._header_size, probes) if size is not None)
        return sizes.most_common(1)[0][0] if sizes else (None, None)


def check_arguments(kind: type[TableSuite], size: Size, description: Description) -> None:
    """Raise :class:`UsageError` for an argument that this suite does not have, before its data are looked at."""
    known = [*inspect.signature(kind).parameters, *Description.__annotations__]
    for name in description:
        if name not in Description.__annotations__:
            raise UsageError(f"There is no suite argument {name!r}.", suggest(name, known, "argument"))
    if size not in get_args(Size):
        raise UsageError(f"size={size!r} is not known.", "Use size=uniform (default) or size=any.")


def slug(text: str) -> str:
    """Letters, digits, dots, hyphens and underscores of ``text``: fit for a folder's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "suite"
