"""Features as the sets that metrics see."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from unipath_bench.contracts import FeatureSet
from unipath_bench.core.arrays import Features
from unipath_bench.core.digest import digest
from unipath_bench.pipeline.embed import EmbedStage, Source
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.known_sets import known_sets
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.store import shard_slices


class FeatureSource(Protocol):
    """Where the features of a plan's images and prompts come from."""

    def images(self, encoder: str, families: Sequence[Family]) -> tuple[Features, tuple[str, ...]]:
        """Features, float32 (N, D), and pixel digests of all rows of these families, one family after the other."""

    def texts(self, encoder: str, prompts: Sequence[str]) -> Features:
        """Features of prompts in a joint encoder, float32 (N, D)."""


class StoredFeatures:
    """The features that the store holds.

    The families of the encoder asked for last are kept in memory, so that its tasks read them once.
    """

    def __init__(self, plan: Plan, stage: EmbedStage) -> None:
        self._plan = plan
        self._stage = stage
        self._encoder: str | None = None
        self._held: dict[Family, tuple[Features, tuple[str, ...]]] = {}

    def images(self, encoder: str, families: Sequence[Family]) -> tuple[Features, tuple[str, ...]]:
        """As :class:`FeatureSource` says; the arrays are read-only."""
        if encoder != self._encoder:
            self._encoder, self._held = encoder, {}
        parts = [self._family(source, encoder) for source in self._stage.sources() if source.family in families]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([vectors for vectors, _ in parts]), tuple(p for _, pixels in parts for p in pixels)

    def texts(self, encoder: str, prompts: Sequence[str]) -> Features:
        """As :class:`FeatureSource` says."""
        return self._stage.text_features(encoder, prompts)

    def _family(self, source: Source, encoder: str) -> tuple[Features, tuple[str, ...]]:
        if source.family not in self._held:
            shards = self._stage.shards(source, encoder)
            vectors = np.empty((len(source.keys), self._plan.encoders[encoder].card.dimension), np.float32)
            pixels: list[str] = []
            for position, rows in shard_slices(len(source.keys)):
                shard = shards.read(shards.path(position, source.keys[rows]))
                vectors[rows] = shard.matrix
                pixels.extend(shard.pixel_digests)
            vectors.setflags(write=False)
            self._held[source.family] = vectors, tuple(pixels)
        return self._held[source.family]


class FeatureSets:
    """A plan's features as the sets that metrics see."""

    def __init__(self, plan: Plan, source: FeatureSource) -> None:
        self.plan = plan
        self.source = source
        self._digests: dict[tuple[str, Family], str] = {}

    def load(self, encoder: str | None, needs: frozenset[str]) -> Mapping[str, FeatureSet]:
        """The sets that ``needs`` names, with features in ``encoder`` (None: without features)."""
        plan = self.plan
        sets = known_sets(needs, plan.suite.card.attributes, plan.prompts, plan.roles, plan.options.seeds)
        if encoder is None:
            return sets
        return {name: self._with_features(name, known, encoder, needs) for name, known in sets.items()}

    def digest(self, encoder: str | None, needs: frozenset[str]) -> str:
        """SHA-256 of all that decides what :meth:`load` gives: features, and what is known of each image.

        Features of texts are decided by the prompts and the encoder, whose own digest is not in here.
        """
        known = [
            [name, s.ids, s.prompts, list(s.labels.items()), s.groups, s.replicates]
            for name, s in self.load(None, needs).items()
        ]
        plan = self.plan
        families = [family for family in (*plan.generated, *plan.real) if f"{family.set_name}.images" in needs]
        features = [] if encoder is None else [[f.name, self._digest_of(encoder, f)] for f in families]
        matched = [plan.heldout_of[s.id].id for s in plan.prompts] if "heldout.images" in needs else []
        return digest([sorted(needs), known, features, matched])

    def _digest_of(self, encoder: str, family: Family) -> str:
        """SHA-256 of a family's features and pixel digests, and of the order of its real images."""
        if (encoder, family) not in self._digests:
            features, pixels = self.source.images(encoder, [family])
            content = hashlib.sha256(np.ascontiguousarray(features, "<f4").data).hexdigest()
            ids = [sample.id for sample in self.plan.real.get(family, ())]
            self._digests[encoder, family] = digest([features.shape, content, pixels, ids])
        return self._digests[encoder, family]

    def _with_features(self, name: str, known: FeatureSet, encoder: str, needs: frozenset[str]) -> FeatureSet:
        found = known
        if f"{name}.images" in needs:
            families = [family for family in (*self.plan.generated, *self.plan.real) if family.set_name == name]
            images, pixels = self.source.images(encoder, families)
            if name == "heldout":
                row_of = {s.id: i for i, s in enumerate(self.plan.roles.heldout)}
                rows = [row_of[self.plan.heldout_of[s.id].id] for s in self.plan.prompts]
                images, pixels = images[rows], tuple(pixels[row] for row in rows)
            found = replace(found, images=images, pixel_digests=pixels)
        if f"{name}.texts" in needs:
            found = replace(found, texts=self.source.texts(encoder, known.prompts))
        return found
