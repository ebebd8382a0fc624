"""Which scores are coupled: they are in an encoder that the generator uses inside."""

from __future__ import annotations

from collections.abc import Mapping

from unipath_bench.core.registries import ENCODERS
from unipath_bench.schema.cards import EncoderCard, GeneratorCard


def coupled_encoders(generator: GeneratorCard, encoders: Mapping[str, EncoderCard]) -> frozenset[str]:
    """The names of the encoders that the generator uses inside.

    They are those that its card names and, of ``encoders`` (by the names that scores call them), those from the same
    repository on the hub as one that it names.
    """
    internal = generator.internal_encoders
    repositories = {ENCODERS.get(name)().card.hub_id for name in internal if name in ENCODERS} - {""}
    return frozenset(internal) | {name for name, card in encoders.items() if card.hub_id in repositories}
