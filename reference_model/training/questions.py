"""Questions about the attributes of a tile, with the classes as options."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from reference_model.training.captions import spoken
from reference_model.training.randomness import generator_at

WORDINGS = (
    "What is the {name}?",
    "Which {name} does the image show?",
    "Choose the {name} of the tissue.",
    "How would you report the {name}?",
)
HELD_OUT = "How is the {name} best described?"
"""A wording that no training question has."""


def question(name: str, wording: int) -> str:
    """A question for the attribute ``name``; ``wording`` counts modulo the number of wordings."""
    return WORDINGS[wording % len(WORDINGS)].replace("{name}", spoken(name))


def drawn_question(attributes: Sequence[str], *path: str | int) -> tuple[str, int]:
    """An attribute and a wording, drawn at ``path``."""
    draws = torch.randint(2**31, (2,), generator=generator_at(*path)).tolist()
    return attributes[draws[0] % len(attributes)], draws[1] % len(WORDINGS)


def held_out_question(name: str) -> str:
    """The question that answers are judged by."""
    return HELD_OUT.replace("{name}", spoken(name))


def words() -> list[str]:
    """All wordings, for a vocabulary."""
    return [text.replace("{name}", " ") for text in (*WORDINGS, HELD_OUT)]
