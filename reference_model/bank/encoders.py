"""Opening the encoders of a bank: never another one, never none."""

from __future__ import annotations

from typing import TypeAlias

from reference_model.bank.card import EncoderReference
from unipath_bench import Context, DataError, ImageEncoder, MissingError, TextEncoder, UsageError
from unipath_bench.core.registries import ENCODERS

Encoder: TypeAlias = ImageEncoder | TextEncoder


def open_encoder(name: str, context: Context) -> Encoder:
    """Set up the encoder of that registered name or ``module:attribute``.

    Raises :class:`~unipath_bench.UsageError` for an unknown name and :class:`~unipath_bench.MissingError`, with the
    remedy, where its weights, licence or package are not at hand.
    """
    found: object = ENCODERS.get(name)
    encoder = found() if callable(found) else found
    if not isinstance(encoder, (ImageEncoder, TextEncoder)):
        raise UsageError(f"{name} is not an encoder.", "Name one; `unipath-bench list encoders` shows those at hand.")
    remedy = encoder.missing(context)
    if remedy is not None:
        raise MissingError(f"The encoder {name!r} cannot be loaded.", remedy)
    encoder.setup(context)
    return encoder


def reopen_encoder(reference: EncoderReference, context: Context) -> Encoder:
    """Set up the encoder that a bank's card names.

    A ``module:attribute`` in a card is not imported: a bank is data, never code. Raises
    :class:`~unipath_bench.MissingError` where the encoder is not available, :class:`~unipath_bench.DataError` where it
    is not the one that made the bank.
    """
    if ":" in reference.name or reference.name not in ENCODERS:
        raise MissingError(
            f"The prototype bank needs the encoder {reference.name!r}, which is not registered here.",
            "Install the package that registers it (`unipath-bench list encoders` shows those at hand), or hand the "
            "encoder over yourself: load_bank(folder, retrieval=..., payload=...); prototypes show --encoder NAME.",
        )
    encoder = open_encoder(reference.name, context)
    check_encoder(reference, encoder)
    return encoder


def check_encoder(reference: EncoderReference, encoder: Encoder) -> None:
    """Raise :class:`~unipath_bench.DataError` where ``encoder`` is not the one that the card refers to.

    Encoders are compared by digest or, where the card records none, by dimension.
    """
    card = encoder.card
    same = card.digest() == reference.digest if reference.digest else card.dimension == reference.dimension
    if not same:
        raise DataError(
            f"The prototype bank was made with {reference.name!r} of {reference.dimension} dimensions "
            f"(digest {reference.digest[:12] or 'not recorded'}); at hand is {card.name!r} of {card.dimension} "
            f"dimensions (digest {card.digest()[:12]}).",
            "Use the revision of the encoder that the bank was made with, or build the bank anew.",
        )
