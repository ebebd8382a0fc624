"""What a generator with a known defect would answer: pictures, and the prompts that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from unipath_bench.contracts import Sample, Suite
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import seed_from

ASSUMED_MICRONS = 0.5
"""Micrometres a pixel (20x) where neither a sample nor the suite states a scale."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One image that is not decoded yet."""

    key: str
    """Identity: pictures of one key have the same pixels."""
    load: Callable[[], RGBImage] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Edition:
    """The answers to the prompts at one level of a defect."""

    pictures: tuple[Picture, ...]
    """One a prompt."""
    prompts: tuple[int, ...]
    """Which prompt each picture answers, by position: a permutation."""
    wordings: tuple[tuple[Picture, ...], ...] = ()
    """For each paraphrase of the prompts its pictures, in the order of the prompts."""

    def answers(self) -> tuple[Picture, ...]:
        """The pictures in the order of the prompts."""
        by_prompt = dict(zip(self.prompts, self.pictures, strict=True))
        return tuple(by_prompt[i] for i in range(len(self.prompts)))


@dataclass(frozen=True)
class Cohort:
    """The real images that the audit works with."""

    suite: Suite
    prompts: tuple[Sample, ...]
    """The test samples whose prompts are asked; they are the reference set."""
    answers: tuple[Sample, ...]
    """For each prompt the held-out real image of its labels: the honest generator."""
    train: tuple[Sample, ...]
    heldout: tuple[Sample, ...]
    wordings: int = 0
    """Paraphrases that every prompt has."""

    @cached_property
    def attribute(self) -> str | None:
        """The primary attribute, where the suite has labels."""
        return self.suite.card.attributes[0] if self.suite.card.attributes else None

    def class_of(self, sample: Sample) -> str:
        """Class of the primary attribute; the prompt where there are no labels."""
        return sample.labels[self.attribute] if self.attribute else sample.prompt

    @cached_property
    def microns_per_pixel(self) -> float:
        """The suite's scale, or that of its first sample, or :data:`ASSUMED_MICRONS`."""
        return self.suite.card.microns_per_pixel or self.prompts[0].microns_per_pixel or ASSUMED_MICRONS

    @property
    def scale_is_assumed(self) -> bool:
        """Whether no scale is stated."""
        return not (self.suite.card.microns_per_pixel or self.prompts[0].microns_per_pixel)

    def picture(self, sample: Sample) -> Picture:
        """A stored image of the suite."""
        return Picture(f"sample:{sample.id}", lambda: self.suite.load(sample))

    @cached_property
    def honest(self) -> Edition:
        """Level 0 of every defect: held-out real images, the same for every wording of a prompt."""
        pictures = tuple(self.picture(sample) for sample in self.answers)
        return Edition(pictures, tuple(range(len(pictures))), (pictures,) * self.wordings)

    def order(self, purpose: str) -> list[int]:
        """The prompts in a seeded order; the first x% of it are the x% that a defect strikes."""
        return sorted(range(len(self.prompts)), key=lambda i: seed_from("audit", purpose, self.prompts[i].id))

    def struck(self, purpose: str, share: float) -> list[int]:
        """Positions of the first ``share`` of the prompts in the order of ``purpose``."""
        return self.order(purpose)[: round(share * len(self.prompts))]


def replaced(edition: Edition, pictures: Mapping[int, Picture]) -> Edition:
    """Other pictures for some prompts, in every wording."""

    def put(row: Sequence[Picture]) -> tuple[Picture, ...]:
        return tuple(pictures.get(i, picture) for i, picture in enumerate(row))

    return replace(edition, pictures=put(edition.pictures), wordings=tuple(put(row) for row in edition.wordings))


def changed(edition: Edition, name: str, change: Callable[[RGBImage, int], RGBImage]) -> Edition:
    """Every picture changed by ``change(image, seed)``, the seed a function of the picture alone."""
    made: dict[str, Picture] = {}

    def put(picture: Picture) -> Picture:
        key = f"{name}:{picture.key}"
        if key not in made:
            made[key] = Picture(key, lambda: change(picture.load(), seed_from("audit", picture.key)))
        return made[key]

    return replace(
        edition,
        pictures=tuple(put(p) for p in edition.pictures),
        wordings=tuple(tuple(put(p) for p in row) for row in edition.wordings),
    )
