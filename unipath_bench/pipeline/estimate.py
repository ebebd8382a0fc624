"""What a plan still needs, given what the store holds already: images, batches and disk space."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unipath_bench.pipeline.batch_size import BatchSize
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.requests import request_key
from unipath_bench.pipeline.store import FeatureShardSet, SampleShardSet, Store, shard_slices

PNG_BYTES_A_PIXEL = 2.2
"""Lossless PNG of H&E at a fast compression level, upper side of what the real tiles took (1.9 to 2.1 bytes)."""


@dataclass(frozen=True)
class Estimate:
    """Work and disk space that a plan still needs."""

    to_generate: int
    generated: int
    to_embed: dict[str, int]
    """Images by encoder."""
    embedded: dict[str, int]
    disk_needed: int
    """Bytes."""
    disk_free: int
    """Bytes."""
    batches: int
    """Calls of the generator."""
    batch_size: int
    micro_batches: dict[str, int]
    """Calls by encoder."""
    to_read: dict[Family, int]
    """Stored images to decode, by family: real ones by the suite, generated ones from their shards."""
    feature_bytes: int
    """Part of ``disk_needed``."""


def estimate(plan: Plan, out: Path) -> Estimate:
    """Count what is lacking; reads the store's file names and keys, computes nothing."""
    store = Store(out / "store")
    batch_size = BatchSize(store, plan).size
    to_generate = generated = batches = 0
    for family, requests in plan.generated.items():
        keys = [request_key(plan.model_digest, r) for r in requests]
        for lacking, rows in _lacking(store.samples(plan.model_digest, family), keys):
            to_generate += lacking
            generated += rows - lacking
            batches += -(-lacking // batch_size)
    stage = EmbedStage(plan, store)
    to_embed: dict[str, int] = {}
    embedded: dict[str, int] = {}
    micro_batches: dict[str, int] = {}
    to_read: dict[Family, int] = {}
    feature_bytes = 0
    for source in stage.sources():
        reads = set()
        for encoder in stage.encoders_for(source.family):
            card = plan.encoders[encoder].card
            for position, (lacking, rows) in enumerate(_lacking(stage.shards(source, encoder), source.keys)):
                embedded[encoder] = embedded.get(encoder, 0) + rows - lacking
                to_embed[encoder] = to_embed.get(encoder, 0) + lacking
                micro_batches[encoder] = micro_batches.get(encoder, 0) - (-lacking // card.micro_batch)
                feature_bytes += lacking * card.dimension * 4
                if lacking:
                    reads.add((position, rows))
        to_read[source.family] = sum(rows for _, rows in reads)
    pixels = to_generate * plan.height * plan.width
    return Estimate(
        to_generate,
        generated,
        to_embed,
        embedded,
        int(pixels * PNG_BYTES_A_PIXEL) + feature_bytes,
        _free(out),
        batches,
        batch_size,
        micro_batches,
        to_read,
        feature_bytes,
    )


def _lacking(shards: SampleShardSet | FeatureShardSet, keys: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Of each shard: rows that are lacking, and all rows."""
    for position, rows in shard_slices(len(keys)):
        wanted = keys[rows]
        yield len(wanted) - len(shards.find(position, wanted)), len(wanted)


def _free(path: Path) -> int:
    existing = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    return shutil.disk_usage(existing).free
