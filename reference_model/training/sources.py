"""Where captions come from: the phantom's own grammar, or the texts of any suite."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from reference_model.training.captions import Caption, hidden_attributes, phantom_caption
from reference_model.training.config import DataConfig
from unipath_bench import DataError, Sample, UsageError
from unipath_bench.core.digest import seed_from
from unipath_bench.phantom import CLASSES, Attributes, Wording
from unipath_bench.phantom.streams import Stream


class CaptionSource(Protocol):
    """Captions for the language model and for the image transformer; functions of their arguments and a seed."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of what a caption states; empty where the suite has no labels."""

    def to_read(self, key: str, index: int, wordings: Sequence[Wording], hidden: float) -> Caption:
        """A caption for the language model, number ``index`` of the series ``key``."""

    def of_tile(self, row: int, index: int) -> Caption:
        """Caption ``index`` of a tile, as the image transformer is trained with it."""

    def for_reading(self, row: int, index: int) -> str:
        """The same as the language model reads it for the semantic tokens."""

    def complete(self, row: int, index: int) -> str:
        """The same with nothing left out: what prototypes are retrieved by."""


class PhantomSource:
    """Captions written from the attributes of phantom tiles.

    The language model reads captions of attributes that are drawn uniformly and independently of each other, and that
    belong to no existing tile. Many of these say little: from one attribute to all but one are left out, any number
    equally likely. From captions that always say everything, a small model learns late, or not at all, which words go
    with which attribute.
    """

    attributes = tuple(CLASSES)

    def __init__(self, samples: Sequence[Sample], data: DataConfig, seed: int) -> None:
        self.samples, self.data, self.seed = samples, data, seed

    def to_read(self, key: str, index: int, wordings: Sequence[Wording], hidden: float) -> Caption:
        """A caption in one of ``wordings``; with probability ``hidden`` it leaves attributes out."""
        stream = Stream(self.seed, "to read", key, index)
        labels = {name: classes[int(stream.integers(1, len(classes))[0])] for name, classes in CLASSES.items()}
        left_out: list[str] = []
        if stream.scalar() < hidden:
            count = 1 + stream.integer(len(self.attributes) - 1)
            left_out = [self.attributes[place] for place in stream.permutation(len(self.attributes))[:count]]
        seed = seed_from("to read", self.seed, key, index)
        return phantom_caption(Attributes.from_labels(labels), seed, wordings, left_out)

    def of_tile(self, row: int, index: int) -> Caption:
        """A caption of the tile's attributes without those that are hidden, at the rates of ``data.hidden``."""
        seed = self._seed(row, index)
        return self._caption(row, seed, hidden_attributes(self.data.hidden, seed))

    def for_reading(self, row: int, index: int) -> str:
        """The text of :meth:`of_tile` without the clauses that are left unread, at the rates of ``data.unread``."""
        seed = self._seed(row, index)
        hidden = hidden_attributes(self.data.hidden, seed)
        unread = hidden_attributes(self.data.unread, seed_from("unread", seed))
        return self._caption(row, seed, dict.fromkeys([*hidden, *unread])).text

    def complete(self, row: int, index: int) -> str:
        """The text of :meth:`of_tile` with the clauses of all attributes."""
        return self._caption(row, self._seed(row, index), ()).text

    def _caption(self, row: int, seed: int, hidden: Collection[str]) -> Caption:
        return phantom_caption(Attributes.from_labels(self.samples[row].labels), seed, self.data.wordings, hidden)

    def _seed(self, row: int, index: int) -> int:
        return seed_from("tile caption", self.seed, self.samples[row].id, index)


class SuiteSource:
    """The prompts and labels of a suite as they are."""

    def __init__(self, samples: Sequence[Sample], data: DataConfig, seed: int) -> None:
        bare = [sample.id for sample in samples if not sample.prompt.strip()]
        if bare:
            raise DataError(
                f"{len(bare)} of {len(samples)} training images have no caption, e.g. {bare[0]}.",
                "Add a text column to the metadata, or caption them: unipath-bench curate run --captioner ...",
            )
        if data.hidden or data.unread:
            raise DataError(
                "Clauses can be hidden from the phantom's captions alone.", "Leave out data.hidden and data.unread."
            )
        self.samples, self.seed = samples, seed
        self.attributes = tuple(samples[0].labels)
        for sample in samples:
            lacking = [name for name in self.attributes if name not in sample.labels]
            if lacking:
                raise UsageError(
                    f"The training image {sample.id} has no {', '.join(lacking)}, and {samples[0].id} has.",
                    "Give every image the same attributes, or leave these out of the suite's.",
                )

    def to_read(self, key: str, index: int, wordings: Sequence[Wording], hidden: float) -> Caption:
        """The prompt and labels of a randomly drawn sample; ``wordings`` and ``hidden`` play no part."""
        row = int(Stream(self.seed, "to read", key, index).integers(1, len(self.samples))[0])
        return self.of_tile(row, 0)

    def of_tile(self, row: int, index: int) -> Caption:
        """The prompt and labels of sample ``row``: the same for every ``index``."""
        sample = self.samples[row]
        return Caption(sample.prompt, dict(sample.labels))

    def for_reading(self, row: int, index: int) -> str:
        """The prompt of sample ``row``: the same for every ``index``."""
        return self.samples[row].prompt

    def complete(self, row: int, index: int) -> str:
        """The prompt of sample ``row``, in which nothing is ever left out."""
        return self.samples[row].prompt


def caption_source(kind: str, samples: Sequence[Sample], data: DataConfig, seed: int) -> CaptionSource:
    """The source that fits the suite of that registered name."""
    if kind == "phantom":
        return PhantomSource(samples, data, seed)
    return SuiteSource(samples, data, seed)
