"""What the repository keeps of an entry's images, to know them again under another name: about 60 bytes an image.

Pixel digests find equal images; a *sketch*, eight random projections of each image's features, finds nearly equal ones
(coded anew, resized, with a little noise), in whatever order they come.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.spatial.distance import cdist, pdist

from unipath_bench.core.digest import seed_from
from unipath_bench.leaderboard.submission.layout import Samples
from unipath_bench.schema.base import Document, parse_json

PIXEL_DIGITS = 12
SKETCH = 8
NEAR = 0.02
"""Two images are nearly equal where their sketches are nearer than this share of the median distance between images."""
MOST_ALIKE = 0.1
"""Share of a submission's images that may be nearly equal to another entry's."""
_SCALE_ROWS = 500


class Fingerprints(Document):
    """Of an entry's answers to the prompts, in their order."""

    pixels: tuple[str, ...] = Field(description="First 12 digits of each image's pixel digest.")
    encoder: str = Field(description="First 16 digits of the digest of the encoder that the sketches are of.")
    sketches: str = Field(description="Little-endian float32 (N, 8) in base64.")

    def matrix(self) -> npt.NDArray[np.float64]:
        """The sketches (N, 8); ``ValueError`` where they are not as many as the images, or not finite."""
        found = np.frombuffer(base64.b64decode(self.sketches, validate=True), "<f4").astype(np.float64)
        if found.size != SKETCH * len(self.pixels) or not np.isfinite(found).all():
            raise ValueError("sketches: not eight finite numbers an image")
        return found.reshape(-1, SKETCH)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Shares of one entry's images that are equal, or nearly equal, to some image of another's."""

    equal: float
    near: float


def take_fingerprints(
    samples: Samples, features: Mapping[tuple[str, str], npt.NDArray[np.float32]], encoder: str
) -> Fingerprints:
    """Of the answers to the prompts; ``encoder`` is the digest of the encoder whose features are sketched."""
    families = samples.answers()
    stacked = np.vstack([features[encoder[:16], family] for family in families]).astype(np.float64)
    sketches = stacked @ _projection(encoder, stacked.shape[1])
    return Fingerprints(
        pixels=tuple(pixels[:PIXEL_DIGITS] for family in families for pixels in samples.families[family].pixels),
        encoder=encoder[:16],
        sketches=base64.b64encode(sketches.astype("<f4").tobytes()).decode("ascii"),
    )


def compare_fingerprints(mine: Fingerprints, theirs: Fingerprints) -> Likeness:
    """How many of my images are theirs."""
    known = set(theirs.pixels)
    equal = sum(pixels in known for pixels in mine.pixels) / len(mine.pixels)
    if mine.encoder != theirs.encoder:
        return Likeness(equal, equal)
    ours, others = mine.matrix(), theirs.matrix()
    scale = float(np.median(pdist(others[:_SCALE_ROWS]))) if len(others) > 1 else 0.0
    near = float((cdist(ours, others).min(axis=1) <= NEAR * scale).mean())
    return Likeness(equal, max(equal, near))


def load_fingerprints(path: Path) -> Fingerprints | None:
    """From an entry's folder; None where it has none."""
    return parse_json(Fingerprints, path) if path.is_file() else None


def write_fingerprints(found: Fingerprints) -> str:
    """As JSON."""
    return found.model_dump_json(indent=0) + "\n"


def sketched_encoder(digests: Sequence[str], preferred: str) -> str:
    """The encoder to sketch: the board's headline's where the submission has it, else the first."""
    return preferred if preferred in digests else min(digests)


def _projection(encoder: str, dimension: int) -> npt.NDArray[np.float64]:
    rng = np.random.Generator(np.random.PCG64(seed_from("sketch", encoder[:16])))
    return np.asarray(rng.standard_normal((dimension, SKETCH)) / np.sqrt(dimension))
