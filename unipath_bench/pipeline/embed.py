"""Stage 2: images to features. Each image is decoded once and embedded once an encoder, in fixed micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from unipath_bench.contracts import ImageEncoder, Sample, TextEncoder
from unipath_bench.core.arrays import Features, RGBImage
from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.errors import UsageError
from unipath_bench.core.images import decode_png
from unipath_bench.encoders.embedding import embed_images, embed_texts
from unipath_bench.options import Encoder
from unipath_bench.pipeline.damage import DamagedShard
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.requests import request_key
from unipath_bench.pipeline.store import FeatureShard, FeatureShardSet, Store, shard_slice, shard_slices
from unipath_bench.pipeline.work import WorkItem


@dataclass(frozen=True)
class Source:
    """A set of images to embed: row keys, what each row is called, and how to get a shard's pixels."""

    family: Family
    digest: str
    keys: Sequence[str]
    names: Sequence[str]
    read: Callable[[int, slice], list[RGBImage]]
    """Pixels of the shard at a position."""


class EmbedStage:
    """Embeds what the store lacks; an encoder is set up only if something is lacking in it."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan = plan
        self.store = store
        self._ready: set[str] = set()

    def items(self) -> Iterator[WorkItem]:
        """Every shard of every set that a runnable task needs in some encoder."""
        for source in self.sources():
            if self.encoders_for(source.family):
                for position, rows in shard_slices(len(source.keys)):
                    yield WorkItem("embed", source.family, position, len(source.keys[rows]))

    def lacks(self, item: WorkItem) -> bool:
        """Whether the store lacks the item's features in some encoder."""
        return bool(self._lacking(item))

    def read(self, item: WorkItem) -> list[RGBImage]:
        """The item's pixels."""
        return self._sources[item.family].read(item.position, shard_slice(item.position))

    def complete(self, item: WorkItem, images: Sequence[RGBImage] | None = None) -> int:
        """Embed what the item lacks and store it; returns how many images were embedded, each encoder counted.

        ``images``: the item's pixels, where they have been read already.
        """
        return sum(self._fill(self._sources[item.family], item, self._lacking(item), images))

    def _lacking(self, item: WorkItem) -> list[str]:
        source = self._sources[item.family]
        keys = source.keys[shard_slice(item.position)]
        encoders = self.encoders_for(source.family)
        return [n for n in encoders if not self.shards(source, n).has(item.position, keys)]

    def sources(self) -> list[Source]:
        """Every set of images of the plan, generated and real."""
        return list(self._sources.values())

    @cached_property
    def _sources(self) -> dict[Family, Source]:
        plan = self.plan
        found = []
        for family, requests in plan.generated.items():
            keys = [request_key(plan.model_digest, r) for r in requests]
            names = [f"{r.sample_id} (replicate {r.replicate})" for r in requests]
            read = self._reader_of_generated(family, keys)
            found.append(Source(family, plan.model_digest, keys, names, read))
        for family, samples in plan.real.items():
            ids = [s.id for s in samples]
            found.append(Source(family, plan.suite.revision, ids, ids, self._reader_of_real(samples)))
        return {source.family: source for source in found}

    def shards(self, source: Source, encoder: str) -> FeatureShardSet:
        """Where the features of a source in an encoder lie."""
        return self.store.features(self.plan.encoders[encoder].card.digest(), source.digest, source.family)

    def encoders_for(self, family: Family) -> list[str]:
        """The encoders in which a family's images are needed."""
        names = sorted({t.encoder for t in self.plan.runnable if t.encoder})
        return [name for name in names if f"{family.set_name}.images" in self.plan.needs_of(name)]

    def _reader_of_generated(self, family: Family, keys: Sequence[str]) -> Callable[[int, slice], list[RGBImage]]:
        samples = self.store.samples(self.plan.model_digest, family)

        def read(position: int, rows: slice) -> list[RGBImage]:
            path = samples.path(position, keys[rows])
            images = []
            for row in samples.read(path):
                image = decode_png(row.png)
                if pixel_digest(image) != row.pixel_digest:
                    name = f"{row.sample_id} (replicate {row.replicate})"
                    raise DamagedShard(path, f"the image of {name} differs from its digest")
                images.append(image)
            return images

        return read

    def _reader_of_real(self, samples: Sequence[Sample]) -> Callable[[int, slice], list[RGBImage]]:
        return lambda position, rows: [self.plan.suite.load(s) for s in samples[rows]]

    def _fill(
        self, source: Source, item: WorkItem, encoders: Sequence[str], images: Sequence[RGBImage] | None
    ) -> Iterator[int]:
        rows = shard_slice(item.position)
        keys, names = source.keys[rows], source.names[rows]
        for encoder in encoders:
            shards = self.shards(source, encoder)
            found = shards.find(item.position, keys)
            lacking = [i for i, key in enumerate(keys) if key not in found.keys]
            if lacking:
                images = images if images is not None else source.read(item.position, rows)
                chosen = [images[i] for i in lacking]
                embedded = FeatureShard(
                    [keys[i] for i in lacking],
                    [pixel_digest(image) for image in chosen],
                    embed_images(self._encoder(encoder), chosen, [names[i] for i in lacking]),
                )
                found = shards.gather([found, embedded], keys)
            shards.put(item.position, found)
            yield len(lacking)

    def _encoder(self, name: str) -> ImageEncoder:
        encoder = self._set_up(name)
        if not isinstance(encoder, ImageEncoder):
            raise UsageError(f"The encoder {name!r} reads no images.", "Choose an image encoder with --encoder NAME.")
        return encoder

    def text_features(self, name: str, texts: Sequence[str]) -> Features:
        """Features of texts in a joint encoder, float32 (N, D); not stored: texts are few and cheap."""
        encoder = self._set_up(name)
        if not isinstance(encoder, TextEncoder):
            raise UsageError(
                f"The encoder {name!r} reads no text.", "Choose a joint encoder with --encoder alignment=NAME."
            )
        return embed_texts(encoder, texts)

    def _set_up(self, name: str) -> Encoder:
        encoder = self.plan.encoders[name]
        if name not in self._ready:
            encoder.setup(self.plan.context())
            self._ready.add(name)
        return encoder
