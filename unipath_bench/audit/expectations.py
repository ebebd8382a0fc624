"""What each value should make of each defect, with the reason: the only place where it is said.

A value is *for* a defect where the defect must make it worse. It must stay *still* where it has no business to move:
exactly, or within a stated part of its range up to a stated level. All else is *open*: it may move, for a reason that
is given, and nothing is concluded from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from unipath_bench.contracts import Metric, Purpose

Kind = Literal["worse", "still", "open"]

MILD_STAIN = 0.1
"""The stain shift that alignment and control must bear: haematoxylin times 1.1 and eosin divided by it.

It lies between the light (5%) and the strong (20%) jitter of both stains with which Tellez et al. (Medical Image
Analysis 2019;58:101544) cover the variation between laboratories."""

STAIN_BOUND = 0.15
"""Part of a value's range, from the honest generator to its bad end, that a mild stain shift may cost."""

COPY_BOUND = 0.05
"""Part of the range of the copied fraction that a defect other than copying may take: the share at which the audit of
memorisation raises its flag."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is declared of one value and one defect."""

    kind: Kind
    reason: str
    bound: float = 0.0
    """``still``: largest change, as a part of the range; 0 means not at all."""
    up_to: float | None = None
    """``still``: largest level that the bound is for; None: all of them."""


_DAMAGE = ("blur", "noise", "jpeg", "stain-shift", "scale-error", "nuclei-removed", "mitoses-added")

_SAME_IMAGES = Expectation("still", "the images are the same: only what they are asked for changes")
_OWN_WORDING = Expectation("still", "the prompts as they stand are answered as before")
_PIXELS = Expectation("worse", "every image looks less like real tissue")
_FEWER = Expectation("worse", "part of the real variety is never drawn")
_WRONG = Expectation("worse", "images show what was not asked for")
_UNREADABLE = Expectation("open", "what is damaged enough shows its attributes no more")
_STAIN = Expectation("still", "a change of laboratory does not change what an image shows", STAIN_BOUND, MILD_STAIN)
_OTHER_PREVALENCE = Expectation("open", "flipping changes how common each class is")
_COPIES_ARE_REAL = Expectation("open", "copied training images are real tissue, if of fewer patients")
_OTHER_PATIENT = Expectation(
    "open", "the image is of the class asked for, but may differ in all else that the prompt says"
)
_NO_COPY = Expectation("still", "no image is a training image", COPY_BOUND)
_COPIED = Expectation("worse", "images are handed out that the generator was trained on")
_AWAY = Expectation("open", "damage carries an image away from, or towards, its nearest training image")
_ONE_ANSWER = Expectation("still", "every wording is answered by the same image")
_DOMAIN = Expectation("open", "a classifier trained on damaged images may or may not carry over to real ones")

_SET_OF_IMAGES = {"captions-shuffled": _SAME_IMAGES, "wordings-misread": _OWN_WORDING}
_ANSWERS = {
    **dict.fromkeys(_DAMAGE, _UNREADABLE),
    "stain-shift": _STAIN,
    "modes-dropped": _OTHER_PATIENT,
    "patients-copied": _OTHER_PATIENT,
    "attribute-flipped": _WRONG,
    "captions-shuffled": _WRONG,
    "wordings-misread": _OWN_WORDING,
}

_DECLARED: Mapping[Purpose, Mapping[str, Expectation]] = {
    "distance": {
        **dict.fromkeys(_DAMAGE, _PIXELS),
        "modes-dropped": _FEWER,
        "patients-copied": _COPIES_ARE_REAL,
        "attribute-flipped": _OTHER_PREVALENCE,
        **_SET_OF_IMAGES,
    },
    "realism": {
        **dict.fromkeys(_DAMAGE, _PIXELS),
        "modes-dropped": Expectation("open", "the few images that are drawn may all be realistic"),
        "patients-copied": _COPIES_ARE_REAL,
        "attribute-flipped": _OTHER_PREVALENCE,
        **_SET_OF_IMAGES,
    },
    "diversity": {
        **dict.fromkeys(_DAMAGE, Expectation("open", "damaged images may be as varied as real ones, or more")),
        "modes-dropped": _FEWER,
        "patients-copied": _COPIES_ARE_REAL,
        "attribute-flipped": _OTHER_PREVALENCE,
        **_SET_OF_IMAGES,
    },
    "coverage": {
        **dict.fromkeys(_DAMAGE, _PIXELS),
        "modes-dropped": _FEWER,
        "patients-copied": _COPIES_ARE_REAL,
        "attribute-flipped": _OTHER_PREVALENCE,
        **_SET_OF_IMAGES,
    },
    "alignment": _ANSWERS,
    "rewording": {**_ANSWERS, "wordings-misread": _WRONG},
    "rewording spread": {
        **dict.fromkeys(
            (*_DAMAGE, "modes-dropped", "patients-copied", "attribute-flipped", "captions-shuffled"), _ONE_ANSWER
        ),
        "wordings-misread": Expectation("worse", "the answer depends on the wording"),
    },
    "control": _ANSWERS,
    "utility": {
        **dict.fromkeys(_DAMAGE, _DOMAIN),
        "modes-dropped": Expectation("open", "fewer patients teach less, but every class is still there"),
        "patients-copied": _COPIES_ARE_REAL,
        "attribute-flipped": Expectation("worse", "the images teach wrong labels"),
        "captions-shuffled": Expectation("worse", "the images teach wrong labels"),
        "wordings-misread": _OWN_WORDING,
    },
    "copying": {
        **dict.fromkeys((*_DAMAGE, "modes-dropped", "attribute-flipped"), _NO_COPY),
        "patients-copied": _COPIED,
        **_SET_OF_IMAGES,
    },
    "authenticity": {
        **dict.fromkeys((*_DAMAGE, "modes-dropped", "attribute-flipped"), _AWAY),
        "patients-copied": _COPIED,
        **_SET_OF_IMAGES,
    },
}

_UNDECLARED = Expectation("open", "nothing is declared of this value")


def expected(metric: Metric, value: str, defect: str) -> Expectation:
    """What is declared of a metric's value and a defect."""
    purpose = metric.purposes.get(value)
    return _DECLARED[purpose].get(defect, _UNDECLARED) if purpose else _UNDECLARED
