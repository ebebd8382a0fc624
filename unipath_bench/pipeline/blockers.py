"""What keeps a task from being computed, as far as it can be known before anything is generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unipath_bench.contracts import Context, Generator, Sample, TextEncoder
from unipath_bench.options import Encoder
from unipath_bench.pipeline.requests import wordings
from unipath_bench.suites.roles import Roles


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why a task cannot be computed, and what would make it computable."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}"


def no_encoder_for(role: str) -> Blocker:
    """Nobody plays the role that the task asks for."""
    return Blocker(
        f"No encoder was chosen for the role {role!r}.",
        f"Choose one with --encoder {role}=NAME; `unipath-bench list encoders` names them.",
    )


def find_blocker(
    needs: frozenset[str],
    encoder: str | None,
    encoders: Mapping[str, Encoder],
    context: Context,
    roles: Roles,
    prompts: Sequence[Sample],
    generator: Generator,
) -> Blocker | None:
    """The first thing that stands in a task's way; None where nothing does.

    ``needs`` is what the task's metric and its anchors read, e.g. ``train.images``.
    """
    return (
        _in_suite(needs, roles, prompts)
        or _in_generator(needs, generator)
        or (_in_encoder(needs, encoder, encoders[encoder], context) if encoder is not None else None)
    )


def _in_suite(needs: frozenset[str], roles: Roles, prompts: Sequence[Sample]) -> Blocker | None:
    if "train.images" in needs and not roles.train:
        return Blocker("The suite has no training split.", "Add a split named 'train'.")
    if "heldout.images" in needs and not roles.heldout:
        return Blocker(
            "The suite has no held-out images.",
            "Add groups to the test split, or a split named 'heldout'.",
        )
    if "labels" in needs and not prompts[0].labels:
        return Blocker("The suite's samples have no labels.", "Add label columns to the suite's metadata.")
    if "prompts" in needs and not all(s.prompt for s in prompts):
        return Blocker("Not every sample of the suite has a prompt.", "Add a text column to the suite's metadata.")
    if _of_other_wordings(needs) and wordings(prompts) < 1:
        return Blocker("The suite's prompts have no paraphrases.", "Add a paraphrases column to the suite's metadata.")
    return None


def _in_generator(needs: frozenset[str], generator: Generator) -> Blocker | None:
    name = generator.card.name
    if _of_other_wordings(needs) and not generator.answers_paraphrases:
        return Blocker(
            f"The generator {name!r} cannot be asked the same in other words.",
            "Paraphrases need a generator that runs here.",
        )
    if needs & {"labels", "prompts", "variants.images"} and not generator.card.conditions_on:
        return Blocker(
            f"The generator {name!r} is unconditional: its images answer no prompt.",
            "Tiers 2 to 4 need a conditional generator; with --images, name the files by sample and seed.",
        )
    return None


def _in_encoder(needs: frozenset[str], name: str, encoder: Encoder, context: Context) -> Blocker | None:
    if any(need.endswith(".texts") for need in needs) and not isinstance(encoder, TextEncoder):
        return Blocker(
            f"The encoder {name!r} reads no text.",
            "Choose a joint image-text encoder with --encoder alignment=NAME.",
        )
    remedy = encoder.missing(context)
    return Blocker(f"The encoder {name!r} is not available.", remedy) if remedy is not None else None


def _of_other_wordings(needs: frozenset[str]) -> bool:
    return any(need.startswith("variants.") for need in needs)
