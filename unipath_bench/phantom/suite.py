"""The phantom as a suite: patients with slides, tiles rendered when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

from unipath_bench.contracts import Sample, Suite
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest, seed_from
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.phantom.attributes import CLASSES, Attributes, sample_attributes
from unipath_bench.phantom.captions import CAPTIONS, MOST_PARAPHRASES, describe, paraphrases
from unipath_bench.phantom.optics import slide_appearance
from unipath_bench.phantom.phrases import Wording
from unipath_bench.phantom.rendering import RENDERER, render, validate_field
from unipath_bench.phantom.streams import Stream
from unipath_bench.schema.cards import SuiteCard


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a tile is rendered from."""

    seed: int
    slide_seed: int
    attributes: Attributes


class PhantomSuite(Suite):
    """Synthetic H&E with known attributes: a test object, no tissue.

    Each patient has one tumour (the attributes that its tiles mostly share), two slides of their own stain and
    scanner, and ``tiles_per_patient`` tiles. Splits have different patients and different seeds. ``heldout`` has as
    many tiles as ``test``, of other patients, and tile by tile the same attributes: the real image that another hand
    would have made for the same prompt.

    Args:
        train: tiles in the training split.
        test: tiles in the test split, and in the held-out split.
        tiles_per_patient: tiles of one patient; ``train`` and ``test`` are multiples of it.
        size: pixels a side.
        microns_per_pixel: scale.
        paraphrases: held-out wordings of each prompt.
        seed: another seed is another set of patients.
        wording: of the prompts. ``heldout``: the first held-out wording in the prompt's place; the images are the same.

    Raises:
        UsageError: an argument is out of range.
    """

    computed = True

    def __init__(
        self,
        train: int = 2048,
        test: int = 512,
        tiles_per_patient: int = 4,
        size: int = 64,
        microns_per_pixel: float = 1.0,
        paraphrases: int = 4,
        seed: int = 0,
        wording: Wording = "seen",
    ) -> None:
        validate_field(size, microns_per_pixel)
        for name, count in (("train", train), ("test", test)):
            if tiles_per_patient < 1 or count % tiles_per_patient or count < (1 if name == "test" else 0):
                raise UsageError(
                    f"{name}={count} cannot be dealt out to patients of {tiles_per_patient} tiles.",
                    f"Give a multiple of tiles_per_patient for {name}.",
                )
        most = MOST_PARAPHRASES - (wording == "heldout")
        if not 0 <= paraphrases <= most:
            raise UsageError(f"paraphrases={paraphrases} is out of range.", f"Ask for 0 to {most}.")
        self._parameters: dict[str, Any] = {
            "train": train,
            "test": test,
            "tiles_per_patient": tiles_per_patient,
            "size": size,
            "microns_per_pixel": microns_per_pixel,
            "paraphrases": paraphrases,
            "seed": seed,
        }
        if wording not in get_args(Wording):
            raise UsageError(f"wording={wording!r} is unknown.", f"Choose {' or '.join(get_args(Wording))}.")
        if wording != "seen":
            self._parameters["wording"] = wording
        self._prompts = wording
        self._size, self._scale, self._wordings, self._seed = size, microns_per_pixel, paraphrases, seed
        self._tiles = tiles_per_patient
        self._counts = {"train": train, "test": test, "heldout": test}
        self.card = SuiteCard(
            name="phantom",
            title="Procedural H&E phantom",
            kind="phantom",
            licence="Apache-2.0",
            height=size,
            width=size,
            microns_per_pixel=microns_per_pixel,
            attributes=tuple(CLASSES),
            default_encoders={"image": "phantom-image", "judge": "phantom-judge", "alignment": "phantom-clip"},
            notes="Rendered, not tissue: its attributes are known because it is drawn from them. Results on it say how "
            "the benchmark or a generator behaves, nothing about patients.",
        )

    @property
    def revision(self) -> str:
        """Digest of the versions of renderer and captions and of the constructor's arguments, without rendering."""
        return digest({"renderer": RENDERER, "captions": CAPTIONS, **self._parameters})

    @cached_property
    def _table(self) -> tuple[tuple[Sample, ...], dict[str, Recipe]]:
        samples: list[Sample] = []
        recipes: dict[str, Recipe] = {}
        for split, count in self._counts.items():
            for patient in range(count // self._tiles):
                for sample, recipe in self._patient(split, patient):
                    samples.append(sample)
                    recipes[sample.id] = recipe
        return tuple(samples), recipes

    def _patient(self, split: str, patient: int) -> list[tuple[Sample, Recipe]]:
        # The held-out patients have the attributes of the test patients of the same number, and nothing else of theirs.
        source = "test" if split == "heldout" else split
        case = sample_attributes(Stream(self._seed, "case", source, patient))
        group = f"{split}-patient-{patient:04d}"
        made = []
        for tile in range(self._tiles):
            attributes = sample_attributes(Stream(self._seed, "tile", source, patient, tile), case)
            slide = 2 * tile // self._tiles
            seed = seed_from("phantom tile", self._seed, split, patient, tile)
            recipe = Recipe(seed, seed_from("phantom slide", self._seed, split, patient, slide), attributes)
            prompt, *rewordings = self._texts(attributes, seed)
            sample = Sample(
                id=f"{group}/slide-{slide}/tile-{tile:03d}",
                split=split,
                prompt=prompt,
                labels=attributes.labels(),
                group=group,
                paraphrases=tuple(rewordings),
                microns_per_pixel=self._scale,
            )
            made.append((sample, recipe))
        return made

    def _texts(self, attributes: Attributes, seed: int) -> tuple[str, ...]:
        """The prompt and its paraphrases."""
        if self._prompts == "heldout":
            return paraphrases(attributes, seed, self._wordings + 1)
        return (describe(attributes, seed), *paraphrases(attributes, seed, self._wordings))

    def samples(self) -> Sequence[Sample]:
        """All samples in the order of split, patient and tile, composed at the first call and kept."""
        return self._table[0]

    def recipe(self, sample: Sample) -> Recipe:
        """What ``sample`` is rendered from; raises :class:`DataError` for a sample of another suite."""
        found = self._table[1].get(sample.id)
        if found is None:
            raise DataError(f"phantom has no sample {sample.id!r}.", "Use the samples of this suite.")
        return found

    def load(self, sample: Sample) -> RGBImage:
        """Render the tile of ``sample``: uint8 (size, size, 3). Raises as :meth:`recipe`."""
        recipe = self.recipe(sample)
        return render(recipe.seed, recipe.attributes, self._size, self._scale, slide_appearance(recipe.slide_seed))
