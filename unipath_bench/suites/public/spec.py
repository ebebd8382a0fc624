"""What is known of a public data set, and the suite that it becomes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, cast, get_args

from unipath_bench.contracts import Suite
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.core.registry import suggest
from unipath_bench.suites.problems import Problems
from unipath_bench.suites.public.dealing import deal
from unipath_bench.suites.table_suite import Description, Size, TableSuite
from unipath_bench.suites.tabular import Columns, Row, build_table

TEMPLATES = "2026-11-23"
"""Date of this project's wording of class names. The templates are its own: no data set's and no paper's captions."""

Splits = Literal["published", "ours"]


class Images(Protocol):
    """Where the pixels of a data set lie, row by row."""

    def read(self, index: int, name: str) -> RGBImage:
        """Decode row ``index``: uint8 (H, W, 3). ``name`` is for messages."""

    def size(self, index: int) -> tuple[int, int] | None:
        """(height, width) of row ``index`` without decoding; None where that is not possible."""

    def digests(self) -> Iterator[str]:
        """SHA-256 digests that together cover every image's bytes, in a fixed order."""


@dataclass(frozen=True)
class Found:
    """What a reader found: rows and their images in one order, and what the user should know of them."""

    rows: Sequence[Row]
    images: Images
    notes: tuple[str, ...] = ()


class Layout(ABC):
    """How a data set lies on disk. Frozen dataclasses; one reader serves many data sets."""

    arguments: ClassVar[tuple[str, ...]] = ()
    """Suite arguments of this layout."""
    takes_hub_id: ClassVar[bool] = False
    """Whether ``data`` may be a hub id; such a layout takes ``offline`` too."""

    @abstractmethod
    def find(self, data_set: DataSet, data: str, problems: Problems, *args: Any, **arguments: Any) -> Found:
        """Read the metadata below ``data``; what is wrong with them goes to ``problems``.

        Raises :class:`~unipath_bench.MissingError` where parts of the data set are not there.
        """


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A public data set: the facts, with where they come from. Calling it makes the suite.

    Every fact was read in the ``source``; what could not be read anywhere is None or is left to a column map.
    """

    name: str
    title: str
    layout: Layout
    expects: str
    """The layout, as a user must have it."""
    licence: str
    page: str
    """Where to get it."""
    source: str
    """Where these facts were read."""
    citation: str = ""
    attributes: tuple[str, ...] = ()
    classes: Mapping[str, str] = field(default_factory=dict)
    """Published name of each ``label`` class, and this project's words for it."""
    template: str = ""
    """Sentence around the words; empty: the data set has captions, or prompts cannot be made."""
    microns_per_pixel: float | None = None
    groups: str
    """What the groups are, or why there are none."""
    splits: Splits = "published"
    published: Mapping[str, int] = field(default_factory=dict)
    """Published number of images by split (``all`` where it has no splits)."""
    gated: bool = False
    remarks: str = ""

    @property
    def takes_hub_id(self) -> bool:
        """Whether ``data`` may be ``owner/name``."""
        return self.layout.takes_hub_id

    def __call__(self, data: str | Path | None = None, *, offline: bool = False, **arguments: Any) -> Suite:
        """The suite of the data set at ``data``.

        Arguments are those of the layout, ``folds`` and ``fold`` where the data set has no published splits (see
        :mod:`.dealing`), ``size`` (``uniform`` or ``any``), and the card's (``title``, ``microns_per_pixel`` ...).
        Raises :class:`MissingError` with the page to get the data from where they are not there.
        """
        if data is None:
            raise self.missing("no --data was given")
        mine = {name: arguments.pop(name) for name in list(arguments) if name in self._own_arguments()}
        if self.takes_hub_id:
            mine["offline"] = offline
        size = arguments.pop("size", "uniform")
        self._check(arguments, size)
        folds, fold = int(mine.pop("folds", 5)), int(mine.pop("fold", 0))
        if not self.takes_hub_id and not Path(data).expanduser().exists():
            raise self.missing(f"{data} does not exist")
        problems = Problems(str(data))
        found = self.layout.find(self, str(data), problems, **mine)
        if not found.rows:
            problems.raise_if_any()
            raise self.missing(f"no image of it is in {data}")
        notes = list(found.notes)
        self._refuse_classes(found.rows, problems)
        problems.raise_if_any()
        rows = [self._prompted(row) for row in found.rows]
        if self.splits == "ours" and all(row.split is None for row in rows):
            rows = deal(rows, folds, fold)
            notes.append(f"Splits: this project's own ({TEMPLATES}), fold {fold} of {folds} is the test split.")
        return PublicSuite(self, replace(found, rows=rows, notes=tuple(notes)), problems, size, arguments)

    def facts(self) -> dict[str, Any]:
        """For ``list`` and ``show``: everything that is known, as plain data."""
        return {
            "name": self.name,
            "title": self.title,
            "licence": self.licence,
            "gated": self.gated,
            "page": self.page,
            "expects": self.expects,
            "attributes": list(self.attributes),
            "classes": dict(self.classes),
            "prompts": self.wording(),
            "microns_per_pixel": self.microns_per_pixel,
            "groups": self.groups,
            "splits": self.splits,
            "published_images": dict(self.published),
            "remarks": self.remarks,
            "arguments": list(self._own_arguments()),
            "citation": self.citation,
            "source": self.source,
        }

    def wording(self) -> str:
        """What the prompts are, in a sentence."""
        if not self.template:
            return "Captions of the data set, where it has any."
        return (
            f"Made from class names by this project's template of {TEMPLATES} ({self.template!r}): no captions, "
            "and not the UniPath paper's prompts."
        )

    def missing(self, what: str) -> MissingError:
        """The error for data that are not there: where to get them, and the layout."""
        gate = " (gated: accept its terms there)" if self.gated else ""
        return MissingError(
            f"The data of {self.name} are not there: {what}.",
            f"Get them from {self.page}{gate}, licence {self.licence}; nothing is downloaded for you. "
            f"Then --data DIR, where DIR holds\n{self.expects}",
        )

    def _own_arguments(self) -> tuple[str, ...]:
        return (*self.layout.arguments, *(("folds", "fold") if self.splits == "ours" else ()))

    def _check(self, arguments: Mapping[str, Any], size: Any) -> None:
        known = [*self._own_arguments(), "size", *Description.__annotations__]
        for name in arguments:
            if name not in Description.__annotations__:
                raise UsageError(f"The suite {self.name!r} has no argument {name!r}.", suggest(name, known, "argument"))
        if size not in get_args(Size):
            raise UsageError(f"size={size!r} is not known.", "Use size=uniform (default) or size=any.")

    def _refuse_classes(self, rows: Sequence[Row], problems: Problems) -> None:
        problems.add_each(
            [row.where for row in rows if self.classes and row.cells.get("label") not in self.classes],
            f"{{n}} images are of no published class of {self.name}",
            f"Classes are {', '.join(self.classes)}. Move other images away.",
        )

    def _prompted(self, row: Row) -> Row:
        """The row with a prompt from its class, where the data set has a template and the row no caption."""
        label = str(row.cells.get("label", ""))
        if not self.template or "text" in row.cells or not label:
            return row
        words = {name: str(value).replace("_", " ") for name, value in row.cells.items()}
        phrase = self.classes.get(label, words["label"] if label.isupper() else words["label"].lower())
        return replace(row, cells={**row.cells, "text": self.template.format(**{**words, "phrase": phrase})})


class PublicSuite(TableSuite):
    """A data set of :mod:`.sets`, as it was found on disk."""

    def __init__(
        self, data_set: DataSet, found: Found, problems: Problems, size: Size, description: Mapping[str, Any]
    ) -> None:
        self.data_set = data_set
        self.images = found.images
        table = build_table(found.rows, Columns.of(_attributes(data_set, found), None, None), problems)
        notes = [data_set.remarks, f"Groups: {data_set.groups}", data_set.wording(), *found.notes]
        facts: dict[str, Any] = {
            "name": data_set.name,
            "title": data_set.title,
            "licence": data_set.licence,
            "citation": data_set.citation,
            "notes": " ".join(note for note in notes if note),
        }
        if data_set.microns_per_pixel is not None and table.microns_per_pixel is None:
            facts["microns_per_pixel"] = data_set.microns_per_pixel
        super().__init__(table, data_set.name, size, cast("Description", {**facts, **description}))

    def _read(self, index: int) -> RGBImage:
        return self.images.read(index, self._table.samples[index].id)

    def _header_size(self, index: int) -> tuple[int, int] | None:
        try:
            return self.images.size(index)
        except DataError:
            return None

    def _content(self) -> Iterable[str]:
        return self.images.digests()


def _attributes(data_set: DataSet, found: Found) -> tuple[str, ...]:
    """The data set's attributes; where it leaves them to the user, all that the reader found."""
    if data_set.attributes:
        return tuple(name for name in data_set.attributes if any(name in row.cells for row in found.rows))
    plain = {"text", "group", "split", "id", "microns_per_pixel", "paraphrases"}
    return tuple(dict.fromkeys(name for row in found.rows for name in row.cells if name not in plain))
