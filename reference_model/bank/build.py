"""Building a bank from a suite: embed, cluster, choose, name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from reference_model.bank.card import BankCard, Counts, EncoderReference, RetrievalRule, RouteName, SuiteReference
from reference_model.bank.encoders import Encoder, open_encoder
from reference_model.bank.selection import choose
from reference_model.bank.store import Content, write_bank
from reference_model.bank.vocabulary import (
    CountFilter,
    ListFilter,
    PhraseFilter,
    StopWordFilter,
    choose_vocabulary,
    count_phrases,
    invert,
    read_phrases,
)
from unipath_bench import Context, DataError, ImageEncoder, Sample, Suite, TextEncoder, UsageError
from unipath_bench.core.arrays import Features, RGBImage
from unipath_bench.core.errors import listed
from unipath_bench.core.images import encode_png
from unipath_bench.core.progress import Progress, Silent
from unipath_bench.encoders.embedding import embed_images, embed_texts

SELECTION = "K-means on unit payload features; the real tiles nearest to the centroids, bounded by group"
_CHUNK = 256


@dataclass(frozen=True)
class BuildOptions:
    """How to build a bank."""

    encoder: str
    """Payload encoder: a registered name or ``module:attribute``."""
    retrieval: str | None = None
    """Retrieval encoder; None: the payload encoder, which must read text; ``none``: keywords only."""
    size: int = 8000
    seed: int = 0
    per_group: int | None = None
    """Most prototypes of one group; None: see :func:`~reference_model.bank.selection.choose`."""
    least_count: int = 3
    """Captions that a keyword must be in."""
    most_share: float = 0.6
    """Share of the captions above which a phrase tells nothing."""
    vocabulary: Path | None = None
    """File of phrases; others are dropped."""
    thumbnail: int = 96
    """Longest side of the thumbnails, in pixels."""
    rule: RetrievalRule = field(default_factory=RetrievalRule)


def build_bank(
    suite: Suite, out: Path, options: BuildOptions, *, context: Context | None = None, progress: Progress | None = None
) -> BankCard:
    """Build a bank from the train split of ``suite`` and write it to ``out``.

    The same suite, options and encoders give the same bytes. Raises :class:`~unipath_bench.UsageError` for options
    that do not fit, :class:`~unipath_bench.MissingError` where an encoder is not at hand and
    :class:`~unipath_bench.DataError` for images or captions that cannot be used.
    """
    context, progress = context or Context(), progress or Silent()
    phrases = None if options.vocabulary is None else read_phrases(options.vocabulary)
    samples = _train(suite)
    payload, retrieval = _encoders(options, context)
    features = _embed(suite, samples, payload, progress, "Embed")
    selection = choose(features, [s.group for s in samples], options.size, options.seed, options.per_group)
    chosen = [samples[row] for row in selection.rows]
    captions = [s.prompt for s in chosen]
    filters: list[PhraseFilter] = [CountFilter(options.least_count, options.most_share), StopWordFilter()]
    if options.vocabulary is not None and phrases is not None:
        filters.append(ListFilter(phrases, options.vocabulary.name))
    counted = count_phrases([s.prompt for s in samples], options.least_count)
    keywords = invert(captions, choose_vocabulary(counted, len(samples), filters))
    routes: list[RouteName] = ["keyword"]
    text = image = None
    if isinstance(retrieval, TextEncoder):
        text = embed_texts(retrieval, captions)
        routes.append("text-text")
    if retrieval is not None and isinstance(retrieval, ImageEncoder):
        same = retrieval is payload
        image = features[list(selection.rows)] if same else _embed(suite, chosen, retrieval, progress, "Embed chosen")
        routes.append("text-image")
    content = Content(
        ids=tuple(s.id for s in chosen),
        captions=tuple(captions),
        groups=tuple(s.group for s in chosen),
        thumbnails=tuple(_thumbnail(suite.load(s), options.thumbnail) for s in chosen),
        payload=features[list(selection.rows)],
        text=text,
        image=image,
        keywords={phrase: np.asarray(rows, dtype=np.int64) for phrase, rows in keywords.items()},
    )
    card = BankCard(
        source=SuiteReference(
            name=suite.card.name, revision=suite.revision, kind=suite.card.kind, licence=suite.card.licence
        ),
        payload=EncoderReference.of(options.encoder, payload.card),
        retrieval=None if retrieval is None else EncoderReference.of(_retrieval_name(options), retrieval.card),
        routes=tuple(sorted(routes)),
        rule=options.rule,
        selection=SELECTION,
        filters=tuple(f.name for f in filters),
        seed=options.seed,
        counts=Counts(
            prototypes=len(chosen),
            candidates=len(samples),
            groups=len({s.group for s in chosen} - {None}),
            per_group=selection.per_group,
            keywords=len(keywords),
            phrases=len(counted),
        ),
        thumbnail=options.thumbnail,
        licence=suite.card.licence,
    )
    return write_bank(out, card, content)


def _train(suite: Suite) -> list[Sample]:
    samples = [s for s in suite.samples() if s.split == "train"]
    if not samples:
        raise UsageError(
            f"The suite {suite.card.name!r} has no train split, and a bank must know no test image.",
            "Put the images for the bank into a folder called train.",
        )
    bare = [s.id for s in samples if not s.prompt.strip()]
    if bare:
        raise DataError(
            f"{len(bare)} of {len(samples)} training images of {suite.card.name!r} have no caption:\n{listed(bare)}",
            "Add a text column, or caption them: unipath-bench curate run --captioner ...",
        )
    return samples


def _retrieval_name(options: BuildOptions) -> str:
    return options.encoder if options.retrieval is None else options.retrieval


def _encoders(options: BuildOptions, context: Context) -> tuple[ImageEncoder, Encoder | None]:
    payload = open_encoder(options.encoder, context)
    if not isinstance(payload, ImageEncoder):
        raise UsageError(f"--encoder {options.encoder} reads no images.", "Name an image encoder.")
    if options.retrieval == "none":
        return payload, None
    same = options.retrieval in (None, options.encoder)
    retrieval: Encoder = payload if same else open_encoder(_retrieval_name(options), context)
    if not isinstance(retrieval, TextEncoder):
        raise UsageError(
            f"The encoder {retrieval.card.name!r} reads no text, so prompts cannot be compared in it.",
            "Name one that does with --retrieval NAME, or say --retrieval none to search the bank by keywords alone.",
        )
    return payload, retrieval


def _embed(suite: Suite, samples: Sequence[Sample], encoder: ImageEncoder, progress: Progress, stage: str) -> Features:
    result = np.empty((len(samples), encoder.card.dimension), np.float32)
    step = -(-_CHUNK // encoder.card.micro_batch) * encoder.card.micro_batch
    progress.start(stage, len(samples))
    for start in range(0, len(samples), step):
        part = samples[start : start + step]
        result[start : start + len(part)] = embed_images(encoder, [suite.load(s) for s in part], [s.id for s in part])
        progress.advance(len(part))
    progress.finish()
    return result


def _thumbnail(image: RGBImage, side: int) -> bytes | None:
    return thumbnail_png(image, side) if side else None


def thumbnail_png(image: RGBImage, side: int) -> bytes:
    """PNG of ``image`` with its longest side at most ``side`` pixels (Pillow's antialiased Lanczos)."""
    height, width, _ = image.shape
    scale = min(1.0, side / max(height, width))
    if scale == 1.0:
        return encode_png(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return encode_png(np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)))
