"""A small bank worked out by hand, and joint encoders without weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from reference_model.bank.card import BankCard, Counts, EncoderReference, RetrievalRule, SuiteReference
from reference_model.bank.store import Content, write_bank
from unipath_bench import Context, EncoderCard, ImageEncoder, TextEncoder
from unipath_bench.core.images import encode_png

Array = np.ndarray


class Compass(ImageEncoder, TextEncoder):
    """Joint encoder in the plane: a text's vector is the sum of its words' directions, an image's its mean colour."""

    card = EncoderCard(name="compass", revision="1", dimension=2, modalities=("image", "text"), micro_batch=4)
    directions: ClassVar = {"east": (1.0, 0.0), "north": (0.0, 1.0), "west": (-1.0, 0.0), "south": (0.0, -1.0)}

    def embed_texts(self, texts: Sequence[str]) -> Array:
        rows = [sum((np.array(self.directions.get(w, (0, 0))) for w in t.split()), np.zeros(2)) for t in texts]
        return np.asarray(rows, np.float32)

    def embed_images(self, images: Array) -> Array:
        return np.asarray(images.mean(axis=(1, 2))[:, :2] / 255, np.float32)


class OtherCompass(Compass):
    """The same card but for its revision."""

    card = Compass.card.model_copy(update={"revision": "2"})


class Bookkeeper(ImageEncoder, TextEncoder):
    """Joint encoder of tiles and captions with many nuclei or few; 3 dimensions, none ever zero."""

    card = EncoderCard(name="bookkeeper", revision="1", dimension=3, modalities=("image", "text"), micro_batch=4)

    def embed_texts(self, texts: Sequence[str]) -> Array:
        return np.asarray([(t.count("few"), t.count("many"), 0.1 + len(t) / 1000) for t in texts], np.float32)

    def embed_images(self, images: Array) -> Array:
        dark = (images.max(axis=3) < 160).mean(axis=(1, 2))
        rest = images.mean(axis=(1, 2))[:, 0] / 2550
        return np.stack([np.clip(0.15 - dark, 0, None), dark, rest], axis=1).astype(np.float32)


class Absent(Bookkeeper):
    """Its weights are never there."""

    card = Bookkeeper.card.model_copy(update={"name": "absent"})

    def missing(self, context: Context) -> str | None:
        return "Accept the licence and set the token."


IDS = tuple("abcdefgh")
CAPTIONS = ("east", "east north", "north", "west", "south", "east gland", "gland", "signet ring cell gland")
TEXT = ((1, 0), (1, 1), (0, 1), (-1, 0), (0, -1), (1, 0.1), (-1, -1), (-1, 1))
IMAGE = ((0, 1), (1, 0), (1, 0.2), (-1, 0), (0, -1), (-1, 1), (-1, -1), (1, -0.5))
KEYWORDS = {"gland": (5, 6, 7), "signet ring cell": (7,), "ring": (7,), "cell": (7,), "north": (1, 2)}


def made_up_bank(folder: Path, *, order: Sequence[int] = range(8), rule: RetrievalRule | None = None) -> Path:
    """Eight prototypes in the plane, written to ``folder``, in the row order ``order``."""
    place = {old: new for new, old in enumerate(order)}
    content = Content(
        ids=tuple(IDS[i] for i in order),
        captions=tuple(CAPTIONS[i] for i in order),
        groups=tuple(f"patient-{i // 2}" for i in order),
        thumbnails=tuple(encode_png(np.full((4, 4, 3), 10 * i, np.uint8)) for i in order),
        payload=np.asarray([(i, i * i, 1) for i in order], np.float32),
        text=np.asarray([TEXT[i] for i in order], np.float32),
        image=np.asarray([IMAGE[i] for i in order], np.float32),
        keywords={k: np.asarray(sorted(place[i] for i in rows), np.int64) for k, rows in KEYWORDS.items()},
    )
    reference = EncoderReference.of("tests.reference_model.test_bank_made_up:Compass", Compass.card)
    card = BankCard(
        source=SuiteReference(name="made-up", revision="", kind="phantom", licence="CC0-1.0"),
        payload=EncoderReference(name="elsewhere", dimension=3),
        retrieval=reference,
        routes=("keyword", "text-image", "text-text"),
        rule=rule or RetrievalRule(text_text=2, text_image=2),
        selection="by hand",
        seed=None,
        counts=Counts(prototypes=8, candidates=8, groups=4, per_group=2, keywords=len(KEYWORDS), phrases=9),
        thumbnail=4,
        licence="CC0-1.0",
    )
    write_bank(folder, card, content)
    return folder


def test_the_captions_point_where_they_say() -> None:
    np.testing.assert_array_equal(Compass().embed_texts(CAPTIONS[:5]), TEXT[:5])
