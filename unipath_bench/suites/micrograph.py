"""The ``micrograph`` suite: tiles of one real immunohistochemistry field that scikit-image ships. Needs no download.

Labels are measured from the pixels. Optical density (base 10) per RGB channel is unmixed into haematoxylin, eosin and
DAB with the stain vectors of Ruifrok and Johnston, "Quantification of histochemical staining by color deconvolution"
(Anal Quant Cytol Histol 23, 2001), as :data:`skimage.color.hed_from_rgb`. The thresholds are this project's choice,
such that each of the four combinations has at least 30 tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import Sample, Suite
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest, pixel_digest
from unipath_bench.core.errors import DataError
from unipath_bench.schema.cards import SuiteCard

TILE = 32
"""Pixels a side; tiles do not overlap."""
BLOCK = 2
"""Tiles a side of a group."""

TISSUE_OD = 0.04
"""Mean optical density of the three channels above which a pixel is tissue."""
TISSUE_SHARE = 0.5
"""Tiles with less tissue than this are lumen or torn background and left out."""
DAB_OD = 0.2
"""Mean DAB density of a tile from which on it is DAB-positive."""
NUCLEAR_OD = 0.12
"""Haematoxylin density above which a pixel counts as nuclear."""
NUCLEAR_SHARE = 0.35
"""Share of nuclear pixels from which on a tile is nuclei-rich."""

_STAINING = {
    "DAB-positive": (
        "strong brown DAB staining",
        "DAB-positive cells",
        "marked FHL2 expression",
        "diffuse DAB positivity",
    ),
    "DAB-negative": ("no brown DAB staining", "DAB-negative cells", "no FHL2 expression", "absent DAB staining"),
}
_CELLULARITY = {
    "nuclei-rich": ("many nuclei", "high cellularity", "crowded nuclei", "abundant haematoxylin-stained nuclei"),
    "nuclei-poor": ("few nuclei", "low cellularity", "sparse nuclei", "scant haematoxylin-stained nuclei"),
}
_FORMS = (
    "Colonic mucosa, FHL2 immunohistochemistry with haematoxylin counterstain: {staining}, {cellularity}",
    "FHL2 immunostain of colon, {staining} with {cellularity}",
    "Immunohistochemistry of colonic tissue showing {staining} and {cellularity}",
    "IHC tile of the colon, {cellularity} and {staining}",
)


class MicrographSuite(Suite):
    """250 tiles of 32 x 32 pixels from one 512 x 512 field of colonic glands, immunohistochemistry for FHL2.

    Attributes ``staining`` and ``cellularity`` are thresholds on the pixels; the prompts are sentences made from them,
    with three paraphrases each. Groups are blocks of 2 x 2 tiles; every third diagonal of blocks is ``test``, the
    others ``train``.
    """

    card = SuiteCard(
        name="micrograph",
        title="FHL2 immunohistochemistry of the colon, one field",
        kind="tissue",
        licence="No known copyright restrictions",
        height=TILE,
        width=TILE,
        attributes=("staining", "cellularity"),
        citation="Center for Microscopy and Molecular Imaging (CMMI); skimage.data.immunohistochemistry, scikit-image",
        notes="A smoke test on real tissue: one field of one specimen, immunohistochemistry and not H&E, labels from "
        "pixel thresholds, neighbouring tiles on both sides of the split. Its numbers support no claim about a model.",
    )

    def samples(self) -> Sequence[Sample]:
        """The tiles with at least ``TISSUE_SHARE`` of tissue, row by row from the top left."""
        return self._samples

    def load(self, sample: Sample) -> RGBImage:
        """Cut the tile out of the field: uint8 (32, 32, 3). Raises :class:`DataError` for an unknown id."""
        place = self._places.get(sample.id)
        if place is None:
            raise DataError(f"micrograph has no sample {sample.id!r}.", "Use the samples of this suite.")
        row, column = place
        return np.ascontiguousarray(self._field[row : row + TILE, column : column + TILE])

    @cached_property
    def revision(self) -> str:
        """Digest of the field's pixels and of every sample's id, split, prompt, labels, group and paraphrases."""
        rows = [[s.id, s.split, s.prompt, dict(s.labels), s.group, s.paraphrases] for s in self._samples]
        return digest([pixel_digest(self._field), *rows])

    @cached_property
    def _field(self) -> RGBImage:
        from skimage.data import immunohistochemistry

        load: Callable[[], RGBImage] = immunohistochemistry
        return load()

    @cached_property
    def _samples(self) -> tuple[Sample, ...]:
        measured = measure(self._field)
        return tuple(
            _sample(row, column, measured[row, column, 1], measured[row, column, 2])
            for row in range(measured.shape[0])
            for column in range(measured.shape[1])
            if measured[row, column, 0] >= TISSUE_SHARE
        )

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        rows, columns = (side // TILE for side in self._field.shape[:2])
        return {_id(r, c): (r * TILE, c * TILE) for r in range(rows) for c in range(columns)}


def measure(field: RGBImage) -> npt.NDArray[np.float64]:
    """Tissue share, mean DAB density and nuclear share of each tile: float64, (rows, columns, 3).

    ``field`` is uint8 (H, W, 3); what is left over at the right and the bottom is not used.
    """
    from skimage.color import hed_from_rgb

    rows, columns = field.shape[0] // TILE, field.shape[1] // TILE
    pixels = np.maximum(field[: rows * TILE, : columns * TILE].astype(np.float64), 1) / 255
    density = -np.log10(pixels)
    stains = density @ np.asarray(hed_from_rgb, np.float64)
    planes = np.stack([density.mean(axis=2) > TISSUE_OD, stains[:, :, 2], stains[:, :, 0] > NUCLEAR_OD], axis=2)
    tiles: npt.NDArray[np.float64] = planes.reshape(rows, TILE, columns, TILE, 3).mean(axis=(1, 3))
    return tiles


def _id(row: int, column: int) -> str:
    return f"r{row:02d}c{column:02d}"


def _sample(row: int, column: int, dab: float, nuclear: float) -> Sample:
    staining = "DAB-positive" if dab >= DAB_OD else "DAB-negative"
    cellularity = "nuclei-rich" if nuclear >= NUCLEAR_SHARE else "nuclei-poor"
    wordings = [
        form.format(staining=_STAINING[staining][i], cellularity=_CELLULARITY[cellularity][i])
        for i, form in enumerate(_FORMS)
    ]
    block = row // BLOCK, column // BLOCK
    return Sample(
        id=_id(row, column),
        split="test" if sum(block) % 3 == 0 else "train",
        prompt=wordings[0],
        labels={"staining": staining, "cellularity": cellularity},
        group=f"block-{block[0]}-{block[1]}",
        paraphrases=tuple(wordings[1:]),
    )
