"""What keeps a task from being computed, as far as it can be known before anything is generated.

This is the one judge: ``plan``, ``run`` and ``data check`` ask it, and a score is computed after the same questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unipath_bench.contracts import Context, Generator, Metric, Sample, ScoreInputs, TextEncoder
from unipath_bench.core.errors import NotComputable
from unipath_bench.options import Encoder
from unipath_bench.pipeline.known_sets import known_sets
from unipath_bench.pipeline.requests import wordings
from unipath_bench.schema.cards import SuiteCard
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.anchors import required
from unipath_bench.scoring.evaluate import check_parameters
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


@dataclass(frozen=True, slots=True)
class Judge:
    """Finds what stands in a task's way in one run; without a generator, on one suite."""

    card: SuiteCard
    roles: Roles
    prompts: Sequence[Sample]
    seeds: int
    encoders: Mapping[str, Encoder]
    context: Context
    generator: Generator | None = None

    def find_blocker(self, spec: TaskSpec, metric: Metric, encoder: str | None) -> Blocker | None:
        """The first thing that stands in the task's way; None where nothing does.

        Raises :class:`~unipath_bench.UsageError` where the task gives its metric parameters that it does not take.
        """
        check_parameters(spec, metric)
        needs = required(spec, metric)
        return (
            _in_suite(needs, self.roles, self.prompts)
            or (_in_generator(needs, self.generator) if self.generator is not None else None)
            or self._in_what_is_known(spec, metric)
            or (_in_encoder(needs, encoder, self.encoders[encoder], self.context) if encoder is not None else None)
        )

    def _in_what_is_known(self, spec: TaskSpec, metric: Metric) -> Blocker | None:
        """What the metric itself says to ids, prompts, labels and groups."""
        sets = known_sets(metric.needs, self.card.attributes, self.prompts, self.roles, self.seeds)
        try:
            metric.require(ScoreInputs(sets), **spec.parameters)
        except NotComputable as error:
            return Blocker(error.message, error.remedy)
        return None


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
