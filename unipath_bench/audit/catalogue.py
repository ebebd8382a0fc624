"""The defects of the audit, from none to severe, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from unipath_bench.audit.editions import Cohort, Edition, changed
from unipath_bench.audit.rearranging import (
    copy_patients,
    drop_modes,
    flip_attribute,
    misread_wordings,
    shuffle_captions,
)
from unipath_bench.audit.tissue import add_mitoses, enlarge, remove_nuclei
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import UsageError, listed
from unipath_bench.core.registry import suggest
from unipath_bench.generators._defects import degrade

Kind = Literal["image", "tissue", "set", "prompt"]


@dataclass(frozen=True)
class Defect:
    """A family of defects over one amount; level 0 is the honest generator."""

    name: str
    title: str
    kind: Kind
    """``image``: optics, storage, stain. ``tissue``: what is in the image. ``set``: which images there are.
    ``prompt``: which prompt an image answers."""
    unit: str
    levels: tuple[float, ...]
    """Increasing, without 0."""
    maximum: float
    build: Callable[[Cohort, float], Edition]
    lacks: Callable[[Cohort], str | None] = lambda cohort: None
    """Why a suite cannot have this defect, or None."""


def _image(name: str, change: Callable[[RGBImage, float, int, float], RGBImage]) -> Callable[[Cohort, float], Edition]:
    """A change of every image, ``change(image, level, seed, microns per pixel)``."""

    def build(cohort: Cohort, level: float) -> Edition:
        microns = cohort.microns_per_pixel
        return changed(cohort.honest, f"{name}={level:g}", lambda image, seed: change(image, level, seed, microns))

    return build


def _stored(name: str) -> Callable[[Cohort, float], Edition]:
    """A defect that the ``degraded`` generator has too."""
    return _image(name, lambda image, level, seed, microns: degrade(image, name, level, seed))


def _no_labels(cohort: Cohort) -> str | None:
    classes = {cohort.class_of(s) for s in cohort.heldout} if cohort.attribute else set()
    return None if len(classes) > 1 else "the suite has no labels of several classes"


def _no_training(cohort: Cohort) -> str | None:
    return None if cohort.train else "the suite has no training split"


def _no_paraphrases(cohort: Cohort) -> str | None:
    return None if cohort.wordings else "the suite's prompts have no paraphrases"


_SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)

_ALL = (
    Defect("blur", "Blur", "image", "Gaussian sigma in pixels", (0.35, 0.5, 1.0, 2.0, 4.0), 100.0, _stored("blur")),
    Defect(
        "noise",
        "Noise",
        "image",
        "Gaussian sigma in grey levels of 255",
        (2.0, 5.0, 12.0, 30.0),
        255.0,
        _stored("noise"),
    ),
    Defect("jpeg", "JPEG", "image", "100 minus the JPEG quality", (10.0, 30.0, 60.0, 90.0), 99.0, _stored("jpeg")),
    Defect(
        "stain-shift",
        "Stain shift",
        "image",
        "haematoxylin times (1 + level), eosin divided by it",
        (0.1, 0.25, 0.5, 1.0),
        10.0,
        _stored("stain-shift"),
    ),
    Defect(
        "scale-error",
        "Scale error",
        "image",
        "per cent too large: the middle enlarged to the size of the tile",
        (10.0, 25.0, 50.0, 100.0),
        900.0,
        _image("scale-error", lambda image, level, seed, microns: enlarge(image, 1 + level / 100)),
    ),
    Defect(
        "nuclei-removed",
        "Nuclei removed",
        "tissue",
        "share of the nuclei painted over",
        (0.15, 0.3, 0.6, 1.0),
        1.0,
        _image("nuclei-removed", remove_nuclei),
    ),
    Defect(
        "mitoses-added",
        "Mitoses added",
        "tissue",
        "metaphase plates a field of 64 x 64 micrometres",
        (1.0, 2.0, 4.0, 8.0),
        1000.0,
        _image("mitoses-added", add_mitoses),
    ),
    Defect(
        "modes-dropped",
        "Modes dropped",
        "set",
        "share of the patients of each class that are never drawn",
        (0.25, 0.5, 0.75, 0.9, 0.97),
        1.0,
        drop_modes,
    ),
    Defect(
        "patients-copied",
        "Patients copied",
        "set",
        "share of the images that are training images, whole patients",
        _SHARES,
        1.0,
        copy_patients,
        _no_training,
    ),
    Defect(
        "attribute-flipped",
        "Attribute flipped",
        "prompt",
        "share of the images that show another class than asked for",
        _SHARES,
        1.0,
        flip_attribute,
        _no_labels,
    ),
    Defect(
        "captions-shuffled",
        "Captions shuffled",
        "prompt",
        "share of the images whose prompts are dealt out anew",
        _SHARES,
        1.0,
        shuffle_captions,
    ),
    Defect(
        "wordings-misread",
        "Wordings misread",
        "prompt",
        "share of the paraphrased prompts with the wrong image",
        _SHARES,
        1.0,
        misread_wordings,
        _no_paraphrases,
    ),
)

DEFECTS: Mapping[str, Defect] = {defect.name: defect for defect in _ALL}


def choose_defects(names: tuple[str, ...], levels: Mapping[str, tuple[float, ...]]) -> list[Defect]:
    """The defects asked for (all where ``names`` is empty), with other levels where given.

    Raises :class:`UsageError` for an unknown name (with near ones), levels of a defect that is not chosen, and levels
    that are not increasing, above 0 and within the defect's maximum.
    """
    for name in (*names, *levels):
        if name not in DEFECTS:
            raise UsageError(f"There is no defect {name!r}.", suggest(name, list(DEFECTS), "defect"))
    chosen = [d for d in _ALL if not names or d.name in names]
    idle = [name for name in levels if name not in {d.name for d in chosen}]
    if idle:
        raise UsageError(f"--levels name defects that are not audited:\n{listed(idle)}", "Add them to --defects.")
    return [_with_levels(d, levels.get(d.name)) for d in chosen]


def _with_levels(defect: Defect, levels: tuple[float, ...] | None) -> Defect:
    if levels is None:
        return defect
    wanted = tuple(level for level in levels if level != 0)
    if len(wanted) < 2 or list(wanted) != sorted(set(wanted)) or wanted[0] < 0 or wanted[-1] > defect.maximum:
        raise UsageError(
            f"The levels of {defect.name!r} are {', '.join(f'{x:g}' for x in levels)}.",
            f"Give two or more that increase, above 0 and at most {defect.maximum:g} ({defect.unit}); 0 is added.",
        )
    return Defect(**{**vars(defect), "levels": wanted})
