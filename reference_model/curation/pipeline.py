"""The stages of curation, one after the other, each stored as it is finished."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reference_model.bank.directions import unit_rows
from reference_model.bank.encoders import open_encoder
from reference_model.curation.captioners import ExistingCaptions
from reference_model.curation.contracts import Captioner, CaptionError
from reference_model.curation.duplicates import Twin, cosine_twins, hash_twins, perceptual_hash
from reference_model.curation.quality import MEASURES, Measures, faults, measure
from reference_model.curation.records import Drop, Options, Result
from reference_model.curation.sampling import default_clusters, sample
from reference_model.curation.stages import Row, StageStore
from unipath_bench import Context, DataError, ImageEncoder, Suite, UsageError
from unipath_bench.core.digest import digest, pixel_digest
from unipath_bench.core.progress import Progress, Silent
from unipath_bench.encoders.embedding import embed_images

VERSION = 1
"""Raised where a stage computes something else than before."""
_SHARD, _CAPTION_SHARD = 64, 16
_ORDER = {"test": 0, "heldout": 1, "train": 2}
"""Splits in the order in which they keep an image that several hold: a training image gives way to a test image."""
_MEASURED = pa.schema(
    [("pixels", pa.string()), ("hash", pa.string()), ("problem", pa.string())] + [(m, pa.float64()) for m in MEASURES]
)
_EMBEDDED = pa.schema([("vector", pa.list_(pa.float32()))])
_DROPPED = pa.schema([("value", pa.float64()), ("like", pa.string())])
_CAPTIONED = pa.schema([("text", pa.string()), ("problem", pa.string())])


def curate(
    suite: Suite,
    folder: Path,
    options: Options,
    captioner: Captioner | None = None,
    *,
    context: Context | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run every stage over ``suite``, keeping results in ``folder``; called again, it goes on where it stopped.

    Raises :class:`~unipath_bench.UsageError` for options that do not fit and whatever the encoder and the captioner
    raise. An image that cannot be read is dropped with this reason.
    """
    return _Run(suite, folder, options, captioner or ExistingCaptions(), context, progress or Silent()).result()


class _Run:
    def __init__(
        self,
        suite: Suite,
        folder: Path,
        options: Options,
        captioner: Captioner,
        context: Context | None,
        progress: Progress,
    ) -> None:
        if options.encoder is None and options.target is not None:
            raise UsageError("Sampling needs an embedding.", "Name an encoder with --encoder, or leave --target out.")
        samples = [s for s in suite.samples() if options.split in (None, s.split)]
        if not samples:
            raise UsageError(f"The suite has no images in split {options.split!r}.", "Check --split.")
        self.suite, self.options, self.captioner = suite, options, captioner
        self.context = context or Context()
        self.store = StageStore(folder, progress)
        self.samples = sorted(samples, key=lambda s: _ORDER[s.split])
        self.by_id = {s.id: s for s in self.samples}
        self.base = {"version": VERSION, "suite": suite.revision}
        self.drops: list[Drop] = []
        self._encoder: ImageEncoder | None = None

    def result(self) -> Result:
        left = self._quality([s.id for s in self.samples])
        if self.options.encoder is not None and (self.options.similarity, self.options.target) != (None, None):
            features = self._features(left)
            left = self._similar(left, features)
            left = self._sampled(left, features)
        captions = self._captions(left)
        kept = [s for s in self.suite.samples() if s.id in captions]
        settings = {**asdict(self.options), "bounds": self.options.bounds.model_dump(), "workers": 0}
        decided = {**self.base, "options": settings, "captioner": dict(self.captioner.fingerprint)}
        return Result(tuple(kept), tuple(captions[s.id] for s in kept), tuple(self.drops), digest(decided))

    def _quality(self, ids: list[str]) -> list[str]:
        rows = self.store.complete("measure", self.base, ids, ids, _MEASURED, self._measure, _SHARD)
        left = []
        for name in ids:
            row = rows[name]
            if row["problem"]:
                self.drops.append(Drop(self.by_id[name], "quality", "unreadable", like=row["problem"]))
                continue
            broken = faults(Measures(**{m: row[m] for m in MEASURES}), self.options.bounds)
            if broken:
                fault = broken[0]
                self.drops.append(Drop(self.by_id[name], "quality", fault.reason, fault.value, fault.bound))
            else:
                left.append(name)
        distance = self.options.hash_distance
        if distance is None:
            return left
        hashes = [int(rows[name]["hash"], 16) for name in left]
        settings = {**self.base, "ids": left, "hashes": digest(hashes), "distance": distance}
        return self._without_twins("duplicate", left, settings, lambda: hash_twins(hashes, distance), distance)

    def _measure(self, ids: Sequence[str]) -> list[Row]:
        rows: list[Row] = []
        for name in ids:
            row: dict[str, Any] = {"id": name, "pixels": "", "hash": "", "problem": ""}
            try:
                image = self.suite.load(self.by_id[name])
            except DataError as error:
                rows.append({**row, "problem": error.message})
                continue
            hashed = f"{perceptual_hash(image):016x}"
            rows.append({**row, "pixels": pixel_digest(image), "hash": hashed, **asdict(measure(image))})
        return rows

    def _without_twins(
        self, stage: Literal["duplicate", "similar"], ids: list[str], settings: dict[str, Any], find: Any, bound: float
    ) -> list[str]:
        def rows() -> list[Row]:
            twins: list[Twin] = find()
            return [{"id": ids[t.row], "value": t.value, "like": ids[t.kept]} for t in twins]

        dropped = self.store.whole(stage, settings, _DROPPED, rows)
        reason = {"duplicate": "same picture", "similar": "similar picture"}[stage]
        for name, row in dropped.items():
            self.drops.append(Drop(self.by_id[name], stage, reason, row["value"], bound, row["like"]))
        return [name for name in ids if name not in dropped]

    def _features(self, ids: list[str]) -> dict[str, npt.NDArray[np.float64]]:
        settings = {**self.base, "encoder": self._encoder_digest()}
        every = [s.id for s in self.samples]
        rows = self.store.complete("embed", settings, every, ids, _EMBEDDED, self._embed, _SHARD)
        vectors = np.asarray([rows[name]["vector"] for name in ids], dtype=np.float32).reshape(len(ids), -1)
        units = unit_rows(vectors, "the images") if ids else vectors
        return {name: np.asarray(unit, np.float64) for name, unit in zip(ids, units, strict=True)}

    def _embed(self, ids: Sequence[str]) -> list[Row]:
        encoder = self._encoder_at_hand()
        vectors = embed_images(encoder, [self.suite.load(self.by_id[name]) for name in ids], ids)
        return [{"id": name, "vector": vector.tolist()} for name, vector in zip(ids, vectors, strict=True)]

    def _encoder_at_hand(self) -> ImageEncoder:
        if self._encoder is None:
            assert self.options.encoder is not None  # nosec B101  # tells the type checker what holds
            encoder = open_encoder(self.options.encoder, self.context)
            if not isinstance(encoder, ImageEncoder):
                raise UsageError(f"--encoder {self.options.encoder} reads no images.", "Name an image encoder.")
            self._encoder = encoder
        return self._encoder

    def _encoder_digest(self) -> str:
        return self._encoder_at_hand().card.digest()

    def _similar(self, ids: list[str], features: dict[str, npt.NDArray[np.float64]]) -> list[str]:
        least = self.options.similarity
        if least is None or not ids:
            return ids
        directions = np.stack([features[name] for name in ids])
        settings = {**self.base, "ids": ids, "encoder": self._encoder_digest(), "similarity": least}
        return self._without_twins("similar", ids, settings, lambda: cosine_twins(directions, least), least)

    def _sampled(self, ids: list[str], features: dict[str, npt.NDArray[np.float64]]) -> list[str]:
        target, seed = self.options.target, self.options.seed
        if target is None or target >= len(ids):
            return ids
        clusters = self.options.clusters or default_clusters(len(ids))

        def rows() -> list[Row]:
            chosen, labels = sample(np.stack([features[name] for name in ids]), ids, target, clusters, seed)
            kept = set(chosen)
            return [
                {"id": name, "value": float(labels[i]), "like": "" if i in kept else "not drawn"}
                for i, name in enumerate(ids)
            ]

        settings = {**self.base, "ids": ids, "encoder": self._encoder_digest(), "target": target}
        drawn = self.store.whole("sampling", {**settings, "clusters": clusters, "seed": seed}, _DROPPED, rows)
        for name in ids:
            if drawn[name]["like"]:
                cluster = f"cluster {drawn[name]['value']:.0f}"
                self.drops.append(Drop(self.by_id[name], "sampling", "not drawn", like=cluster))
        return [name for name in ids if not drawn[name]["like"]]

    def _captions(self, ids: list[str]) -> dict[str, str]:
        settings = {**self.base, "captioner": dict(self.captioner.fingerprint)}
        every = [s.id for s in self.samples]
        rows = self.store.complete("caption", settings, every, ids, _CAPTIONED, self._caption, _CAPTION_SHARD)
        for name in ids:
            if rows[name]["problem"]:
                self.drops.append(Drop(self.by_id[name], "caption", "no caption", like=rows[name]["problem"]))
        return {name: rows[name]["text"] for name in ids if not rows[name]["problem"]}

    def _caption(self, ids: Sequence[str]) -> list[Row]:
        if self.options.workers == 1:
            return [self._captioned(name) for name in ids]
        with ThreadPoolExecutor(self.options.workers, thread_name_prefix="caption") as pool:
            return list(pool.map(self._captioned, ids))

    def _captioned(self, name: str) -> Row:
        try:
            text = self.captioner.caption(self.suite.load(self.by_id[name]), self.by_id[name])
        except CaptionError as error:
            return {"id": name, "text": "", "problem": error.message}
        if not text.strip():
            return {"id": name, "text": "", "problem": f"The caption of {name} is empty."}
        return {"id": name, "text": text.strip(), "problem": ""}
