"""What a plan will cost, given what the store holds already."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.requests import request_key
from unipath_bench.pipeline.store import Family, FeatureRow, SampleRow, Store, positions

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


def estimate(plan: Plan, out: Path) -> Estimate:
    """Count what is lacking; reads the store's file names and keys, computes nothing."""
    store = Store(out / "store")
    to_generate = generated = 0
    for name, requests in plan.generated.items():
        keys = [request_key(plan.model_digest, r) for r in requests]
        have = _present(store.samples(plan.model_digest, name), keys)
        generated += have
        to_generate += len(keys) - have
    stage = EmbedStage(plan, store)
    to_embed: dict[str, int] = {}
    embedded: dict[str, int] = {}
    feature_bytes = 0
    for source in stage.sources():
        for encoder in stage.encoders_for(source.set_name):
            have = _present(stage.family(source, encoder), source.keys)
            embedded[encoder] = embedded.get(encoder, 0) + have
            to_embed[encoder] = to_embed.get(encoder, 0) + len(source.keys) - have
            feature_bytes += (len(source.keys) - have) * plan.encoders[encoder].card.dimension * 4
    pixels = to_generate * plan.height * plan.width
    return Estimate(
        to_generate,
        generated,
        to_embed,
        embedded,
        int(pixels * PNG_BYTES_A_PIXEL) + feature_bytes,
        _free(out),
    )


def _present(family: Family[SampleRow] | Family[FeatureRow], keys: Sequence[str]) -> int:
    return sum(len(family.find(position, keys[rows])) for position, rows in positions(len(keys)))


def _free(path: Path) -> int:
    existing = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    return shutil.disk_usage(existing).free
