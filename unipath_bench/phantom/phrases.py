"""The wordings of every class: noun phrases that any caption can be built from.

``seen`` wordings are for training and prompting; ``heldout`` wordings say the same and are kept for the
terminology-robustness task, so no caption of the ``seen`` kind contains one of them. No phrase is used for two
classes, so a caption can be read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Wording = Literal["seen", "heldout"]


@dataclass(frozen=True, slots=True)
class Phrases:
    """How one class of one attribute may be said."""

    seen: tuple[str, ...]
    heldout: tuple[str, ...]
    terse: str = ""
    """The keyword in a terse prompt; empty for a finding whose absence goes without saying."""

    def of(self, wording: Wording) -> tuple[str, ...]:
        """The ``seen`` phrases, for training and prompting, or the ``heldout`` ones, which are kept for paraphrases."""
        return self.seen if wording == "seen" else self.heldout


PHRASES: dict[str, dict[str, Phrases]] = {
    "cytology_type": {
        "epithelioid": Phrases(
            (
                "epithelioid tumour cells",
                "polygonal epithelioid cells",
                "large polygonal cells with eosinophilic cytoplasm",
            ),
            (
                "plump cells with abundant pink cytoplasm",
                "polyhedral cells like those of an epithelium",
                "eosinophilic epithelium-like cells",
            ),
            "epithelioid",
        ),
        "spindle": Phrases(
            ("spindle cells", "elongated spindle-shaped cells", "spindled tumour cells"),
            ("fusiform cells", "slender cells with tapering nuclei", "cells with cigar-shaped nuclei"),
            "spindle cell",
        ),
        "small_round": Phrases(
            ("small round cells", "small round blue cells", "small cells with scant cytoplasm"),
            (
                "little blue cells with hardly any cytoplasm",
                "primitive cells with a high nuclear-to-cytoplasmic ratio",
                "SRBCT-type cells",
            ),
            "small round cell",
        ),
        "clear": Phrases(
            ("clear cells", "cells with clear cytoplasm", "clear tumour cells with distinct membranes"),
            (
                "cells with optically empty cytoplasm",
                "water-clear polygons with sharp borders",
                "cells with pale vacuolated cytoplasm",
            ),
            "clear cell",
        ),
    },
    "hemorrhage": {
        "absent": Phrases(
            ("no hemorrhage", "absence of hemorrhage", "no extravasated red cells"),
            ("no bleeding", "no blood outside vessels", "haemorrhage not identified"),
        ),
        "present": Phrases(
            ("recent hemorrhage", "extravasated red blood cells", "a hemorrhagic focus"),
            ("bleeding into the tissue", "pooled erythrocytes", "fresh blood outside vessels"),
            "hemorrhage",
        ),
    },
    "architecture": {
        "glandular": Phrases(
            ("a glandular pattern", "gland formation with open lumens", "well-formed glands"),
            ("acinar growth", "tubules around lumina", "an adenomatous arrangement"),
            "glandular",
        ),
        "papillary": Phrases(
            ("a papillary pattern", "papillae with fibrovascular cores", "papillary fronds"),
            ("finger-like projections on vascular stalks", "villiform growth", "branching fronds lined by tumour"),
            "papillary",
        ),
        "fascicular": Phrases(
            ("a fascicular pattern", "parallel fascicles", "long fascicles"),
            ("bundles streaming in one direction", "cells aligned in sweeping bands", "a streaming arrangement"),
            "fascicular",
        ),
        "solid": Phrases(
            ("a solid pattern", "solid sheets", "diffuse solid growth"),
            ("confluent sheet-like growth", "cohesive masses without lumina", "an unbroken expanse of tumour"),
            "solid",
        ),
        "single_cell": Phrases(
            ("a single-cell pattern", "single infiltrating cells", "discohesive single cells"),
            (
                "scattered individual cells",
                "loss of cohesion between cells",
                "isolated cells strewn through the matrix",
            ),
            "single-cell",
        ),
    },
    "cellularity": {
        "low": Phrases(
            ("low cellularity", "sparse tumour cells", "a paucicellular field"),
            ("few neoplastic cells", "a hypocellular area", "widely spaced cells"),
            "paucicellular",
        ),
        "moderate": Phrases(
            ("moderate cellularity", "a moderately cellular field", "intermediate cell density"),
            ("average cell density", "medium cellularity", "neither crowded nor scanty cells"),
            "moderately cellular",
        ),
        "high": Phrases(
            ("high cellularity", "a highly cellular field", "densely packed cells"),
            ("crowded cells", "a hypercellular area", "close packing of cells"),
            "highly cellular",
        ),
    },
    "pleomorphism": {
        "mild": Phrases(
            ("mild nuclear pleomorphism", "uniform nuclei", "low nuclear grade"),
            ("monomorphic nuclei", "little variation in nuclear size", "minimal anisonucleosis"),
            "low-grade",
        ),
        "marked": Phrases(
            ("marked nuclear pleomorphism", "enlarged, highly variable nuclei", "high nuclear grade"),
            ("bizarre nuclei", "pronounced anisonucleosis", "striking nuclear atypia"),
            "high-grade",
        ),
    },
    "mitotic_activity": {
        "low": Phrases(
            ("no mitotic figures", "low mitotic activity", "absence of mitoses"),
            ("a negligible mitotic count", "no dividing cells", "MF 0"),
        ),
        "high": Phrases(
            ("frequent mitotic figures", "high mitotic activity", "numerous mitoses"),
            ("an elevated mitotic count", "many cells in division", "MF +++"),
            "mitoses",
        ),
    },
    "necrosis": {
        "absent": Phrases(
            ("no necrosis", "absence of necrosis", "viable tissue throughout"),
            ("no devitalised areas", "entirely living tumour", "necrosis not identified"),
        ),
        "present": Phrases(
            ("tumour necrosis", "foci of necrosis", "necrotic debris"),
            ("geographic cell death", "non-viable areas with karyorrhexis", "a devitalised zone"),
            "necrosis",
        ),
    },
    "lymphocytic_infiltrate": {
        "sparse": Phrases(
            ("few lymphocytes", "no significant lymphocytic infiltrate", "sparse lymphocytes"),
            ("scant inflammation", "hardly any inflammatory cells", "TILs absent"),
        ),
        "brisk": Phrases(
            (
                "a brisk lymphocytic infiltrate",
                "dense lymphocytic inflammation",
                "numerous tumour-infiltrating lymphocytes",
            ),
            ("abundant lymphoid cells", "heavy chronic inflammation", "TILs prominent"),
            "lymphocytes",
        ),
    },
    "stroma": {
        "fibrous": Phrases(
            ("fibrous stroma", "collagenous stroma", "dense collagen"),
            ("desmoplastic connective tissue", "sclerotic supporting tissue", "scar-like tissue"),
            "fibrous stroma",
        ),
        "myxoid": Phrases(
            ("myxoid stroma", "loose myxoid tissue", "a mucoid background"),
            ("gelatinous ground substance", "pale bluish watery matrix", "mucopolysaccharide-rich matrix"),
            "myxoid stroma",
        ),
        "adipose": Phrases(
            ("adipose stroma", "fatty stroma", "infiltrated adipose tissue"),
            ("fat lobules between the tumour", "mature adipocytes around the tumour", "lipomatous tissue"),
            "adipose stroma",
        ),
    },
    "deposit": {
        "none": Phrases(
            ("no pigment or calcification", "no deposits", "absence of pigment and calcium"),
            ("neither melanin nor mineral", "no extraneous material", "no foreign or mineral matter"),
        ),
        "melanin": Phrases(
            ("melanin pigment", "brown melanin granules", "melanin deposition"),
            ("coarse melanotic granules", "dusky brown pigment clumps", "heavy melanosis"),
            "melanin",
        ),
        "calcification": Phrases(
            ("psammomatous calcification", "psammoma bodies", "calcified spherules"),
            ("laminated calcospherites", "concentric mineral concretions", "rounded calcific bodies"),
            "psammoma bodies",
        ),
    },
}
"""Attribute name to class name to wordings."""
