"""Defects of the set rather than of the image: which picture answers which prompt.

Shares are nested: what is struck at 10% is struck at 25% too. Level 0 is never asked of these functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from unipath_bench.audit.editions import Cohort, Edition, Picture, replaced
from unipath_bench.contracts import FeatureSet, Sample
from unipath_bench.core.digest import seed_from
from unipath_bench.core.errors import DataError
from unipath_bench.phantom import PhantomSuite, render, slide_appearance
from unipath_bench.scoring.anchors import derangement


def drop_modes(cohort: Cohort, share: float) -> Edition:
    """A share of the patients of each class is never drawn: their prompts get pictures of the class's other patients.

    A mode is a patient (group) of the held-out images within a class of the primary attribute; at least one a class is
    kept, so every prompt still gets an image of its class.
    """
    members: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, sample in enumerate(cohort.answers):
        members[cohort.class_of(cohort.prompts[i])][sample.group or sample.id].append(i)
    pictures: dict[int, Picture] = {}
    for modes in members.values():
        ranked = sorted(modes, key=lambda name: seed_from("audit", "modes", name))
        kept = max(1, round((1 - share) * len(ranked)))
        pool = [i for name in ranked[:kept] for i in modes[name]]
        lost = [i for name in ranked[kept:] for i in modes[name]]
        pictures |= {i: cohort.honest.pictures[pool[rank % len(pool)]] for rank, i in enumerate(lost)}
    return replaced(cohort.honest, pictures)


def flip_attribute(cohort: Cohort, share: float) -> Edition:
    """A share of the prompts get the image of another class of the primary attribute.

    On the phantom the same tile is rendered again from the same seed with the attribute's other class, so that nothing
    else changes. Real tissue cannot be: there the image is another held-out one, of another class.
    """
    attribute = cohort.attribute
    if attribute is None:
        raise DataError("The suite has no labels, so no attribute can be flipped.", "Leave this defect out.")
    struck = cohort.struck("flip", share)
    if isinstance(cohort.suite, PhantomSuite):
        return replaced(cohort.honest, {i: _rendered(cohort, cohort.suite, i, attribute) for i in struck})
    others: dict[str, list[Sample]] = defaultdict(list)
    for name in sorted({cohort.class_of(s) for s in cohort.heldout}):
        others[name] = _seeded((s for s in cohort.heldout if cohort.class_of(s) != name), "flip")
    if not all(others[cohort.class_of(cohort.prompts[i])] for i in struck):
        raise DataError("The held-out images are of one class only, so no class can be flipped.", "Leave it out.")

    def other(i: int) -> Sample:
        pool = others[cohort.class_of(cohort.prompts[i])]
        return pool[seed_from("audit", "flipped", cohort.prompts[i].id) % len(pool)]

    return replaced(cohort.honest, {i: cohort.picture(other(i)) for i in struck})


def shuffle_captions(cohort: Cohort, share: float) -> Edition:
    """The prompts of a share of the pictures are dealt out anew among them, each to a picture of another class.

    The pictures and their order stay as they are, so a score of the images alone cannot change at all. Where one class
    holds more than half of those struck, some of its prompts stay within the class.
    """
    struck = sorted(cohort.struck("shuffle", share))
    if len(struck) < 2:
        return cohort.honest
    order = list(range(len(cohort.prompts)))
    for row, partner in zip(struck, _deranged(cohort, struck), strict=True):
        order[row] = partner
    answered = [0] * len(order)
    for row, prompt in enumerate(order):
        answered[prompt] = row
    wordings = tuple(tuple(row[answered[i]] for i in range(len(order))) for row in cohort.honest.wordings)
    return replace(cohort.honest, prompts=tuple(order), wordings=wordings)


def copy_patients(cohort: Cohort, share: float) -> Edition:
    """A share of the prompts get a training image of their class, patient by patient: all tiles of one, then the next.

    Prompts of a class that training lacks are left as they are; a class that is used up begins again.
    """
    pools: dict[str, list[Sample]] = defaultdict(list)
    ranked = sorted(cohort.train, key=lambda s: (seed_from("audit", "copied patient", s.group or s.id), s.id))
    for sample in ranked:
        pools[cohort.class_of(sample)].append(sample)
    taken: dict[str, int] = defaultdict(int)
    pictures: dict[int, Picture] = {}
    for i in cohort.struck("copy", share):
        name = cohort.class_of(cohort.prompts[i])
        if pool := pools.get(name):
            pictures[i] = cohort.picture(pool[taken[name] % len(pool)])
            taken[name] += 1
    return replaced(cohort.honest, pictures)


def misread_wordings(cohort: Cohort, share: float) -> Edition:
    """A share of the prompts, asked for in other words, get the picture of a prompt of another class.

    The answers to the prompts as they stand do not change.
    """
    struck = sorted(cohort.struck("wording", share))
    if len(struck) < 2:
        return cohort.honest
    given = dict(zip(struck, _deranged(cohort, struck), strict=True))
    pictures = cohort.honest.pictures
    row = tuple(pictures[given.get(i, i)] for i in range(len(pictures)))
    return replace(cohort.honest, wordings=(row,) * cohort.wordings)


def _deranged(cohort: Cohort, rows: list[int]) -> list[int]:
    """For each row another one of ``rows``, of another class where that can be."""
    samples = [cohort.prompts[i] for i in rows]
    strata = FeatureSet(
        ids=tuple(s.id for s in samples),
        prompts=tuple(s.prompt for s in samples),
        labels={"class": tuple(cohort.class_of(s) for s in samples)},
    )
    return [rows[k] for k in derangement(strata, 0)]


def _rendered(cohort: Cohort, suite: PhantomSuite, i: int, attribute: str) -> Picture:
    """The phantom tile that answers prompt ``i``, with another class of ``attribute``."""
    from unipath_bench.phantom import CLASSES

    recipe = suite.recipe(cohort.answers[i])
    own = getattr(recipe.attributes, attribute)
    others = [name for name in CLASSES[attribute] if name != own]
    name = others[seed_from("audit", "flipped", cohort.prompts[i].id) % len(others)]
    size, scale = suite.card.height, suite.card.microns_per_pixel
    if size is None or scale is None:
        raise ValueError("the phantom's card states its size and scale")
    return Picture(
        f"rendered:{cohort.answers[i].id}:{attribute}={name}",
        lambda: render(
            recipe.seed, recipe.attributes.replaced(attribute, name), size, scale, slide_appearance(recipe.slide_seed)
        ),
    )


def _seeded(samples: Iterable[Sample], purpose: str) -> list[Sample]:
    return sorted(samples, key=lambda s: seed_from("audit", purpose, s.id))
