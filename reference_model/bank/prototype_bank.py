"""A prototype bank at work."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reference_model.bank.card import BankCard
from reference_model.bank.encoders import Encoder, check_encoder, reopen_encoder
from reference_model.bank.protocol import Retrieved, Route
from reference_model.bank.retrieval import Hit, Retriever
from reference_model.bank.store import Content, read_bank, write_bank
from unipath_bench import Context, DataError, ImageEncoder, MissingError, TextEncoder
from unipath_bench.core.arrays import Features
from unipath_bench.core.images import decode_png
from unipath_bench.encoders.embedding import embed_images, embed_texts


class PrototypeBank:
    """Features of real tissue that are found by a prompt.

    What is found is a function of the prompt and the bank alone: not of earlier prompts, of the rows' order, of the
    process or of its hash seed. The encoders are set up when first needed; ``retrieval`` and ``payload``, already set
    up, take the place of those that the card names, and must be the same ones.
    """

    def __init__(
        self,
        card: BankCard,
        content: Content,
        *,
        retrieval: Encoder | None = None,
        payload: Encoder | None = None,
        context: Context | None = None,
    ) -> None:
        self.card = card
        self.content = content
        self._context = context or Context()
        self._retriever = Retriever(content, card.rule)
        self._given = {"retrieval": retrieval, "payload": payload}
        for reference, encoder in ((card.retrieval, retrieval), (card.payload, payload)):
            if reference is not None and encoder is not None:
                check_encoder(reference, encoder)

    def __len__(self) -> int:
        return len(self.content.ids)

    @property
    def feature_size(self) -> int:
        """Width of the payload."""
        return self.card.payload.dimension

    def retrieve(self, prompt: str, *, limit: int | None = None, with_images: bool = False) -> Retrieved:
        """At most ``limit`` prototypes for ``prompt`` (by default the rule's limit), the most relevant first.

        There are none for a blank prompt, or where nothing is found. Raises :class:`~unipath_bench.MissingError` where
        the retrieval encoder is not available, and :class:`~unipath_bench.DataError` where it is not the bank's.
        """
        return self.retrieve_all([prompt], limit=limit, with_images=with_images)[0]

    def retrieve_all(
        self, prompts: Sequence[str], *, limit: int | None = None, with_images: bool = False
    ) -> list[Retrieved]:
        """As :meth:`retrieve` for each prompt; the prompts are embedded together."""
        asked = [prompt for prompt in prompts if prompt.strip()]
        queries = self._queries(asked) if asked else {}
        count = self.card.rule.limit if limit is None else max(0, limit)
        return [
            self._retrieved(prompt, queries.get(prompt), count, with_images) if prompt.strip() else self._nothing
            for prompt in prompts
        ]

    def keywords(self, prompt: str) -> list[str]:
        """The keywords that the prompt is searched by, the rarest first."""
        return self._retriever.keywords(prompt)

    def image(self, row: int) -> npt.NDArray[np.uint8]:
        """The thumbnail of a row, uint8 (H, W, 3). Raises :class:`~unipath_bench.DataError` where there is none."""
        png = self.content.thumbnails[row]
        if png is None:
            raise DataError(
                f"The prototype bank has no image of {self.content.ids[row]}.", "Import or build it with its images."
            )
        return decode_png(png, f"the thumbnail of {self.content.ids[row]}")

    def embed_image(self, image: npt.NDArray[np.uint8]) -> Features:
        """As :meth:`embed_images` of one image, uint8 (H, W, 3), to (feature width,)."""
        features: Features = self.embed_images([image])[0]
        return features

    def embed_images(self, images: Sequence[npt.NDArray[np.uint8]]) -> Features:
        """The payload features of N images, each uint8 (H, W, 3), to (N, feature width).

        Raises :class:`~unipath_bench.MissingError` where the payload encoder is not at hand.
        """
        return embed_images(self._payload_encoder, list(images), [f"image {number}" for number in range(len(images))])

    def save(self, folder: Path) -> None:
        """Write the bank so that :func:`load_bank` gives it back."""
        write_bank(Path(folder), self.card, self.content)

    def _queries(self, prompts: Sequence[str]) -> dict[str, Features]:
        if self.card.retrieval is None:
            return {}
        return dict(zip(prompts, embed_texts(self._text_encoder, prompts), strict=True))

    def _retrieved(self, prompt: str, query: Features | None, limit: int, with_images: bool) -> Retrieved:
        found = self._retriever.unite(prompt, self._retriever.hits(prompt, query), limit)
        rows = [row for row, _ in found]
        return Retrieved(
            ids=tuple(self.content.ids[row] for row in rows),
            features=self.content.payload[rows],
            routes=tuple(tuple(self._route(hit) for hit in hits) for _, hits in found),
            images=tuple(self.image(row) for row in rows) if with_images and self.card.thumbnail else (),
        )

    def _route(self, hit: Hit) -> Route:
        return Route(hit.route, hit.score, hit.keyword or self.content.captions[hit.row])

    @property
    def _nothing(self) -> Retrieved:
        return Retrieved((), np.zeros((0, self.feature_size), np.float32))

    @cached_property
    def _text_encoder(self) -> TextEncoder:
        assert self.card.retrieval is not None  # nosec B101  # tells the type checker what holds
        encoder = self._given["retrieval"] or reopen_encoder(self.card.retrieval, self._context)
        if not isinstance(encoder, TextEncoder):
            raise MissingError(
                f"The retrieval encoder {encoder.card.name!r} reads no text.", "Give the one that the card names."
            )
        return encoder

    @cached_property
    def _payload_encoder(self) -> ImageEncoder:
        given = self._given["payload"]
        if given is None and self.card.retrieval == self.card.payload and self._given["retrieval"] is not None:
            given = self._given["retrieval"]
        encoder = given or reopen_encoder(self.card.payload, self._context)
        if not isinstance(encoder, ImageEncoder):
            raise MissingError(
                f"The payload encoder {encoder.card.name!r} reads no images.", "Give the one that the card names."
            )
        return encoder


def load_bank(
    folder: Path,
    *,
    retrieval: Encoder | None = None,
    payload: Encoder | None = None,
    context: Context | None = None,
) -> PrototypeBank:
    """Read the bank in ``folder``, checking every file against its digest.

    ``retrieval`` and ``payload``: encoders, set up, to use instead of opening those that the card names; ``context``
    says how the latter are set up. Raises :class:`~unipath_bench.UsageError` where there is no such folder and
    :class:`~unipath_bench.DataError` that names the damaged file.
    """
    card, content = read_bank(Path(folder))
    return PrototypeBank(card, content, retrieval=retrieval, payload=payload, context=context)
