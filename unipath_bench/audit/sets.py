"""Editions as the feature sets that metrics read; every picture is decoded once and embedded once an encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from unipath_bench.audit.editions import Cohort, Edition, Picture
from unipath_bench.audit.halves import Rows
from unipath_bench.contracts import Context, FeatureSet, ImageEncoder, Sample, ScoreInputs, TextEncoder
from unipath_bench.core.arrays import Features
from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.errors import UsageError
from unipath_bench.core.progress import Progress
from unipath_bench.encoders.embedding import embed_images, embed_texts
from unipath_bench.options import Encoder

_CHUNK = 64
"""Pictures that are held decoded at a time."""


class Gallery:
    """Features of pictures in every encoder, each computed once."""

    def __init__(self, encoders: Mapping[str, Encoder], context: Context) -> None:
        self._encoders = encoders
        self._vectors: dict[str, dict[str, np.ndarray[Any, Any]]] = {name: {} for name in encoders}
        self._pixels: dict[str, str] = {}
        self._texts: dict[str, dict[str, np.ndarray[Any, Any]]] = {name: {} for name in encoders}
        for encoder in encoders.values():
            encoder.setup(context)

    def add(self, pictures: Iterable[Picture], progress: Progress, stage: str) -> None:
        """Embed those that are not known yet, in every encoder."""
        lacking = list({p.key: p for p in pictures if p.key not in self._pixels}.values())
        if not lacking:
            return
        progress.start(stage, len(lacking))
        for start in range(0, len(lacking), _CHUNK):
            chunk = lacking[start : start + _CHUNK]
            images = [picture.load() for picture in chunk]
            keys = [picture.key for picture in chunk]
            for name, encoder in self._encoders.items():
                if not isinstance(encoder, ImageEncoder):
                    raise UsageError(f"The encoder {name!r} reads no images.", "Choose an image encoder.")
                self._vectors[name].update(zip(keys, embed_images(encoder, images, keys), strict=True))
            self._pixels.update(zip(keys, map(pixel_digest, images), strict=True))
            progress.advance(len(chunk))
        progress.finish()

    def images(self, encoder: str, pictures: Sequence[Picture]) -> Features:
        """float32 (N, D); every picture was added before."""
        return np.stack([self._vectors[encoder][picture.key] for picture in pictures])

    def pixels(self, pictures: Sequence[Picture]) -> tuple[str, ...]:
        """Pixel digests."""
        return tuple(self._pixels[picture.key] for picture in pictures)

    def texts(self, encoder: str, texts: Sequence[str]) -> Features | None:
        """float32 (N, D), or None where the encoder reads no text."""
        reader = self._encoders[encoder]
        if not isinstance(reader, TextEncoder):
            return None
        known = self._texts[encoder]
        lacking = sorted(set(texts) - known.keys())
        if lacking:
            known.update(zip(lacking, embed_texts(reader, lacking), strict=True))
        return np.stack([known[text] for text in texts])


class Sets:
    """The score inputs of an edition in one encoder.

    All pictures have been added to the gallery; ``train`` are the training images, none where no task reads them.
    """

    def __init__(self, cohort: Cohort, gallery: Gallery, encoder: str, train: Sequence[Sample]) -> None:
        self.cohort = cohort
        self.gallery = gallery
        self.encoder = encoder
        answers = tuple(cohort.picture(s) for s in cohort.answers)
        self.real = {
            "reference": self._of(cohort.prompts, tuple(cohort.picture(s) for s in cohort.prompts), cohort.prompts),
            "heldout": self._of(cohort.prompts, answers, cohort.answers),
        }
        if train:
            self.real["train"] = self._of(train, tuple(cohort.picture(s) for s in train), train)

    def inputs(self, edition: Edition) -> ScoreInputs:
        """All sets, with the edition in the generator's place."""
        asked = [self.cohort.prompts[i] for i in edition.prompts]
        texts = self.gallery.texts(self.encoder, [s.prompt for s in asked])
        sets = {**self.real, "generated": self._of(asked, edition.pictures, asked, texts)}
        if edition.wordings:
            sets["variants"] = self._variants(edition)
        return ScoreInputs(sets)

    def _variants(self, edition: Edition) -> FeatureSet:
        prompts = self.cohort.prompts
        rows = [(w, i) for w in range(len(edition.wordings)) for i in range(len(prompts))]
        words = [prompts[i].paraphrases[w] for w, i in rows]
        pictures = [edition.wordings[w][i] for w, i in rows]
        found = self._of([prompts[i] for _, i in rows], pictures, [prompts[i] for _, i in rows])
        return FeatureSet(
            ids=found.ids,
            images=found.images,
            texts=self.gallery.texts(self.encoder, words),
            prompts=tuple(words),
            labels=found.labels,
            groups=found.groups,
            replicates=tuple(w for w, _ in rows),
            pixel_digests=found.pixel_digests,
        )

    def _of(
        self,
        asked: Sequence[Sample],
        pictures: Sequence[Picture],
        owners: Sequence[Sample],
        texts: Features | None = None,
    ) -> FeatureSet:
        """``pictures`` under the ids, prompts and labels of ``asked`` and the groups of ``owners``."""
        names = self.cohort.suite.card.attributes
        return FeatureSet(
            ids=tuple(s.id for s in asked),
            images=self.gallery.images(self.encoder, pictures),
            texts=texts,
            prompts=tuple(s.prompt for s in asked),
            labels={name: tuple(s.labels[name] for s in asked) for name in names},
            groups=tuple(s.group or s.id for s in owners),
            replicates=(0,) * len(asked),
            pixel_digests=self.gallery.pixels(pictures),
        )


def part(inputs: ScoreInputs, prompts: Rows) -> ScoreInputs:
    """The rows of some prompts, positions in the reference set, in every set but ``train``."""
    kept = {inputs["reference"].ids[i] for i in prompts.tolist()}
    sets = {
        name: s if name == "train" else s.take([i for i, sample in enumerate(s.ids) if sample in kept])
        for name, s in inputs.sets.items()
    }
    return ScoreInputs(sets, inputs.seed)
