"""The attributes of a phantom tile: names, classes, and how often which go together.

The list is fixed by name: the encoders, the tasks and the captions are all built on it. Weights are integers, so that
a draw is exact. Dependence follows pathology (spindle cells lie in fascicles, mitoses and necrosis rise with the
nuclear grade), but every pair of classes of two attributes occurs, so that no class can be told from another
attribute alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args

from unipath_bench.core.errors import UsageError
from unipath_bench.phantom.streams import Stream

CytologyType = Literal["epithelioid", "spindle", "small_round", "clear"]
Architecture = Literal["glandular", "papillary", "fascicular", "solid", "single_cell"]
Cellularity = Literal["low", "moderate", "high"]
Pleomorphism = Literal["mild", "marked"]
MitoticActivity = Literal["low", "high"]
Necrosis = Literal["absent", "present"]
Hemorrhage = Literal["absent", "present"]
LymphocyticInfiltrate = Literal["sparse", "brisk"]
Stroma = Literal["fibrous", "myxoid", "adipose"]
Deposit = Literal["none", "melanin", "calcification"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What is in a tile, one class an attribute. The order of the fields is the order of every table."""

    cytology_type: CytologyType
    """Kind of tumour cell."""
    hemorrhage: Hemorrhage
    """Erythrocytes outside vessels."""
    architecture: Architecture
    """How the tumour cells are arranged."""
    cellularity: Cellularity
    """Packing of the tumour cells, and with it their share of the area."""
    pleomorphism: Pleomorphism
    """Variation of size, shape and staining of the tumour nuclei."""
    mitotic_activity: MitoticActivity
    """``low``: no mitotic figure in the field; ``high``: at least three in 64 x 64 micrometres."""
    necrosis: Necrosis
    lymphocytic_infiltrate: LymphocyticInfiltrate
    stroma: Stroma
    """Tissue between the tumour cells."""
    deposit: Deposit
    """Pigment or mineral; the two rarer classes are the suite's uncommon findings."""

    def labels(self) -> dict[str, str]:
        """Attribute name to class name."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Attributes:
        """The inverse of :meth:`labels`. Raises :class:`UsageError` naming what is missing, unknown or not a class."""
        if unknown := sorted(set(labels) - set(CLASSES)):
            raise UsageError(f"unknown attributes: {', '.join(unknown)}", f"The attributes are {', '.join(CLASSES)}.")
        if missing := [name for name in CLASSES if name not in labels]:
            raise UsageError(f"attributes without a class: {', '.join(missing)}", "Every attribute needs a class.")
        for name, value in labels.items():
            if value not in CLASSES[name]:
                raise UsageError(f"{name} has no class {value!r}", f"Its classes are {', '.join(CLASSES[name])}.")
        return cls(**labels)  # type: ignore[arg-type]  # each value was just checked against its Literal

    def replaced(self, name: str, value: str) -> Attributes:
        """A copy in which one attribute is another class; raises :class:`UsageError` as :meth:`from_labels`."""
        return Attributes.from_labels({**self.labels(), name: value})


CLASSES: dict[str, tuple[str, ...]] = {
    "cytology_type": get_args(CytologyType),
    "hemorrhage": get_args(Hemorrhage),
    "architecture": get_args(Architecture),
    "cellularity": get_args(Cellularity),
    "pleomorphism": get_args(Pleomorphism),
    "mitotic_activity": get_args(MitoticActivity),
    "necrosis": get_args(Necrosis),
    "lymphocytic_infiltrate": get_args(LymphocyticInfiltrate),
    "stroma": get_args(Stroma),
    "deposit": get_args(Deposit),
}
"""Attribute name to its classes, in the order of :class:`Attributes`."""

_ARCHITECTURE = (20, 20, 20, 20, 20)
_CYTOLOGY = {
    "glandular": (40, 8, 22, 30),
    "papillary": (42, 8, 18, 32),
    "fascicular": (14, 56, 18, 12),
    "solid": (26, 20, 28, 26),
    "single_cell": (26, 20, 30, 24),
}
_STROMA = {"epithelioid": (44, 30, 26), "spindle": (38, 42, 20), "small_round": (44, 30, 26), "clear": (36, 28, 36)}
_CELLULARITY = {
    "epithelioid": (33, 34, 33),
    "spindle": (33, 34, 33),
    "small_round": (22, 33, 45),
    "clear": (36, 36, 28),
}
_DEPOSIT = {"epithelioid": (72, 16, 12), "spindle": (74, 17, 9), "small_round": (76, 11, 13), "clear": (76, 10, 14)}
# Per mille of the second class where pleomorphism is mild and where it is marked.
_BY_GRADE = {"mitotic_activity": (340, 560), "necrosis": (240, 420), "hemorrhage": (300, 420)}
_BRISK = {"absent": 350, "present": 480}


def sample_attributes(stream: Stream, case: Attributes | None = None, keep_per_mille: int = 600) -> Attributes:
    """Draw what is in a tile.

    With ``case``, each attribute is the case's with the probability given: tiles of one tumour agree.

    Args:
        stream: source of random numbers; a fixed number of draws is taken from it.
        case: the attributes of the patient's tumour.
        keep_per_mille: chance, in thousandths and for each attribute by itself, to keep the case's class.
    """

    def draw(name: str, weights: tuple[int, ...]) -> str:
        fresh = CLASSES[name][stream.choice(weights)]
        kept = stream.chance(keep_per_mille)
        return str(getattr(case, name)) if case is not None and kept else fresh

    def draw_two(name: str, per_mille: int) -> str:
        return draw(name, (1000 - per_mille, per_mille))

    architecture = draw("architecture", _ARCHITECTURE)
    cytology = draw("cytology_type", _CYTOLOGY[architecture])
    cellularity = draw("cellularity", _CELLULARITY[cytology])
    pleomorphism = draw_two("pleomorphism", 500)
    graded = {name: draw_two(name, rate[pleomorphism == "marked"]) for name, rate in _BY_GRADE.items()}
    return Attributes.from_labels(
        {
            "cytology_type": cytology,
            "architecture": architecture,
            "cellularity": cellularity,
            "pleomorphism": pleomorphism,
            **graded,
            "lymphocytic_infiltrate": draw_two("lymphocytic_infiltrate", _BRISK[graded["necrosis"]]),
            "stroma": draw("stroma", _STROMA[cytology]),
            "deposit": draw("deposit", _DEPOSIT[cytology]),
        }
    )
