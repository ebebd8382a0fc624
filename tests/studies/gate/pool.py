"""A pool of phantom images that runs can be drawn from over and over: rendered and embedded once.

The honest generator is the renderer itself: for each prompt it has several images of the labels asked for, each from
its own seed and under its own stain and scanner. Two runs that take different images of it differ by chance alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from unipath_bench.audit.tissue import remove_nuclei
from unipath_bench.contracts import Context, FeatureSet, ImageEncoder, Sample, TextEncoder
from unipath_bench.core.arrays import Features, RGBImage
from unipath_bench.core.digest import digest, seed_from
from unipath_bench.core.registries import ENCODERS
from unipath_bench.encoders.embedding import embed_images, embed_texts
from unipath_bench.generators._defects import degrade
from unipath_bench.phantom import PhantomSuite, render, slide_appearance

ENCODER_NAMES = ("texture", "phantom-image", "phantom-judge", "phantom-clip")
TEXT_ENCODER = "phantom-clip"
RENDERINGS = 6
"""Images of each prompt: a run takes one for the prompt and one for each of two other wordings."""
WORDINGS = 2
DAMAGED = 3
"""Renderings that there is a damaged copy of."""
_CHUNK = 256

Change = Callable[[RGBImage, int], RGBImage]
DAMAGES: dict[str, Change] = {
    "blur, 1 pixel": lambda image, seed: degrade(image, "blur", 1.0, seed),
    "noise, 12 grey levels": lambda image, seed: degrade(image, "noise", 12.0, seed),
    "nuclei removed, 30%": lambda image, seed: remove_nuclei(image, 0.3, seed, 1.0),
}


@dataclass(frozen=True)
class Pool:
    """Features of everything, float32, and what is known of each row; ``cases`` are the prompts."""

    cases: FeatureSet
    """Ids, prompts, labels and groups of the reference images; no features."""
    train: FeatureSet
    heldout: FeatureSet
    arrays: dict[str, Features]
    """By ``ENCODER/SET``, SET being reference, heldout, train, texts, honest-R or DAMAGE-R."""

    def features(self, encoder: str, name: str) -> Features:
        """Features of one set in one encoder, (N, D)."""
        return self.arrays[f"{encoder}/{name}"]


def phantom_suite(cases: int) -> PhantomSuite:
    """The suite whose prompts a pool of ``cases`` prompts (a multiple of 4) answers."""
    return PhantomSuite(test=cases, paraphrases=0, seed=7)


def load_pool(cases: int, cache: Path | None, tell: Callable[[str], None]) -> Pool:
    """The pool of ``cases`` prompts, from the file ``cache`` where that holds it, else made and kept there."""
    suite = phantom_suite(cases)
    encoders = {name: ENCODERS.get(name)() for name in ENCODER_NAMES}
    identity = digest(
        [
            suite.revision,
            {n: e.card.digest() for n, e in encoders.items()},
            RENDERINGS,
            DAMAGED,
            sorted(DAMAGES),
        ]
    )
    arrays = _read(cache, identity) if cache is not None and cache.exists() else None
    samples = {split: [s for s in suite.samples() if s.split == split] for split in ("test", "train", "heldout")}
    if arrays is None:
        arrays = _make(suite, samples, encoders, tell)
        if cache is not None:
            cache.parent.mkdir(parents=True, exist_ok=True)
            save_file(arrays, cache, {"identity": json.dumps(identity)})
    return Pool(_known(samples["test"]), _known(samples["train"]), _known(samples["heldout"]), arrays)


def _read(path: Path, identity: str) -> dict[str, Features] | None:
    with safe_open(path, framework="numpy") as file:
        if json.loads((file.metadata() or {}).get("identity", "null")) != identity:
            return None
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)


def _known(samples: Sequence[Sample]) -> FeatureSet:
    return FeatureSet(
        ids=tuple(s.id for s in samples),
        prompts=tuple(s.prompt for s in samples),
        labels={name: tuple(s.labels[name] for s in samples) for name in samples[0].labels},
        groups=tuple(s.group or s.id for s in samples),
        replicates=(0,) * len(samples),
    )


def _make(
    suite: PhantomSuite,
    samples: dict[str, list[Sample]],
    encoders: dict[str, ImageEncoder | TextEncoder],
    tell: Callable[[str], None],
) -> dict[str, Features]:
    for encoder in encoders.values():
        encoder.setup(Context())
    arrays: dict[str, Features] = {}

    def embed(name: str, images: Sequence[Callable[[], RGBImage]]) -> None:
        tell(f"{name}: {len(images)} images")
        found: dict[str, list[Features]] = {encoder: [] for encoder in encoders}
        for start in range(0, len(images), _CHUNK):
            drawn = [load() for load in images[start : start + _CHUNK]]
            names = [f"{name} {start + i}" for i in range(len(drawn))]
            for encoder, of in encoders.items():
                if isinstance(of, ImageEncoder):
                    found[encoder].append(embed_images(of, drawn, names))
        arrays.update({f"{encoder}/{name}": np.concatenate(parts) for encoder, parts in found.items()})

    for split, name in (("test", "reference"), ("heldout", "heldout"), ("train", "train")):
        embed(name, [partial(suite.load, sample) for sample in samples[split]])
    for number in range(RENDERINGS):
        honest = [partial(_rendered, suite, sample, number) for sample in samples["test"]]
        embed(f"honest-{number}", honest)
        for damage, change in DAMAGES.items() if number < DAMAGED else ():
            embed(
                f"{damage}-{number}",
                [partial(_damaged, load, change, seed_from("damage", i)) for i, load in enumerate(honest)],
            )
    reader = encoders[TEXT_ENCODER]
    if isinstance(reader, TextEncoder):
        arrays[f"{TEXT_ENCODER}/texts"] = embed_texts(reader, [s.prompt for s in samples["test"]])
    return arrays


def _damaged(load: Callable[[], RGBImage], change: Change, seed: int) -> RGBImage:
    return change(load(), seed)


def _rendered(suite: PhantomSuite, sample: Sample, number: int) -> RGBImage:
    """The labels of ``sample`` rendered from another seed, under a stain and scanner of its own."""
    size, scale = suite.card.height, suite.card.microns_per_pixel
    if size is None or scale is None:
        raise ValueError("the phantom's card states its size and scale")
    seed, slide = (seed_from("gate pool", purpose, sample.id, number) for purpose in ("tile", "slide"))
    return render(seed, suite.recipe(sample).attributes, size, scale, slide_appearance(slide))
