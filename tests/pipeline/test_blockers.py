"""What a plan says of a task that cannot be computed, before anything is generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.adapters import Painter, Unconditional
from unipath_bench.contracts import Context, ImageEncoder, Sample, Suite
from unipath_bench.core.arrays import Features, RGBBatch, RGBImage
from unipath_bench.options import Options
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.schema.cards import EncoderCard, SuiteCard

WHOLE = [
    Sample(
        f"{split}/{i}",
        split,
        f"Tissue {i % 2}",
        labels={"grade": "high" if i % 2 else "low"},
        group=f"{split}-{i // 2}",
        paraphrases=(f"Histology {i % 2}",),
    )
    for split in ("train", "test", "heldout")
    for i in range(8)
]


TASKS = (
    *("frechet-distance", "image-to-image-recall", "clip-score", "terminology-robustness"),
    *("attribute-control", "memorisation"),
)
"""In the encoders that a suite names by default, whatever weights this machine has."""


class Shelf(Suite):
    """Samples as they are given, all of one plain image."""

    card = SuiteCard(
        name="shelf", title="Shelf", kind="tissue", licence="CC0-1.0", height=32, width=32, attributes=("grade",)
    )
    revision = "1"

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = list(samples)
        self.card = type(self).card.model_copy(update={"attributes": tuple(samples[0].labels)})

    def samples(self) -> list[Sample]:
        return self._samples

    def load(self, sample: Sample) -> RGBImage:
        return np.full((32, 32, 3), 200, np.uint8)


class Beforehand(Painter):
    """Cannot be asked again in other words."""

    answers_paraphrases = False


class Locked(ImageEncoder):
    """Wants a licence that nobody has."""

    card = EncoderCard(name="locked", revision="1", dimension=2)

    def missing(self, context: Context) -> str:
        return "Accept the licence first."

    def embed_images(self, images: RGBBatch) -> Features:
        raise AssertionError("it is not to be called")


def blockers(options: Options) -> dict[str, str]:
    """The reason and remedy of each task that is blocked, by the task's name."""
    return {task.spec.name: str(task.blocker) for task in make_plan(options).tasks if task.blocker is not None}


def options(samples: Sequence[Sample] = WHOLE, **changes: object) -> Options:
    return replace(Options(model=Painter(), suite=Shelf(samples), tasks=TASKS), **changes)  # type: ignore[arg-type]


def test_a_whole_suite_lacks_nothing_but_a_joint_encoder() -> None:
    found = blockers(options())
    assert set(found) == {"clip-score"}
    assert (
        "No encoder was chosen for the role 'alignment'. Choose one with --encoder alignment=NAME"
        in found["clip-score"]
    )


@pytest.mark.parametrize(
    ("samples", "task", "reason"),
    [
        ([s for s in WHOLE if s.split != "train"], "memorisation", "no training split. Add a split named 'train'."),
        ([replace(s, group="one") for s in WHOLE if s.split == "test"], "frechet-distance", "no held-out images."),
        ([replace(s, labels={}) for s in WHOLE], "attribute-control", "no labels. Add label columns"),
        (
            [replace(s, prompt="") for s in WHOLE],
            "image-to-image-recall",
            "Not every sample of the suite has a prompt.",
        ),
        ([replace(s, paraphrases=()) for s in WHOLE], "terminology-robustness", "no paraphrases. Add a paraphrases"),
    ],
)
def test_what_the_suite_lacks_is_said_with_what_to_add(samples: list[Sample], task: str, reason: str) -> None:
    assert reason in blockers(options(samples))[task]


def test_a_generator_that_ignores_prompts_is_scored_by_fidelity_alone() -> None:
    found = blockers(options(model=Unconditional()))
    assert "is unconditional" in found["attribute-control"]
    assert "is unconditional" in found["image-to-image-recall"]
    assert "frechet-distance" not in found


def test_images_made_beforehand_cannot_be_asked_in_other_words() -> None:
    found = blockers(options(model=Beforehand()))
    assert "cannot be asked the same in other words" in found["terminology-robustness"]
    assert "image-to-image-recall" not in found


def test_an_encoder_without_words_cannot_compare_images_with_prompts() -> None:
    found = blockers(options(encoders=("alignment=texture",)))
    assert found["clip-score"].startswith("The encoder 'texture' reads no text. Choose a joint image-text encoder")


def test_an_encoder_that_is_not_at_hand_blocks_the_tasks_that_use_it() -> None:
    found = blockers(options(encoders=(Locked(),), tasks=("frechet-distance", "attribute-control")))
    assert found == {"frechet-distance": "The encoder 'locked' is not available. Accept the licence first."}
