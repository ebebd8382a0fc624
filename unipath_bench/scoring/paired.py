"""What scorers declare for paired differences: the contributions of blocks of whole patients to a value.

Two runs on the same prompts are cut into the same blocks, since the cut depends on the patients alone. Its digest
goes with the numbers, so that contributions of other prompts are never subtracted.
"""

from __future__ import annotations

import base64
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import FeatureSet
from unipath_bench.core.digest import digest_strings
from unipath_bench.metrics import paired
from unipath_bench.metrics.unit_uncertainty import LeaveOneOut, mean_without_units
from unipath_bench.metrics.units import assign_blocks, units_of
from unipath_bench.schema.record import Contributions
from unipath_bench.scoring.uncertainty import UNIT_METHOD, Codes, too_few_units, unit_codes

MOST_BLOCKS = 100
"""Blocks that contributions of single units are summed over: t has 99 degrees then, and the record stays small."""

RECOMPUTED_BLOCKS = 20
"""Blocks for figures that are computed anew without each."""

BLOCK_METHOD = "jackknife over blocks"
NOT_MATCHED = "No paired difference: the generated images do not answer the prompts of the reference images' patients."


class Cut(NamedTuple):
    """Units of a set and the block of each; ``digest`` names both."""

    units: Codes
    block_of_unit: Codes
    digest: str

    @property
    def block_of_row(self) -> Codes:
        """Block of each row, from 0."""
        return self.block_of_unit[self.units]


def cut(feature_set: FeatureSet, most: int = MOST_BLOCKS) -> Cut:
    """Whole units of a set in at most ``most`` blocks of nearly equal size; the same for the same prompts."""
    units = unit_codes(feature_set)
    sizes = units_of(units, len(units)).sizes
    return cut_of(feature_set, assign_blocks(sizes, min(most, len(sizes)), 0))


def cut_of(feature_set: FeatureSet, block_of_unit: Codes) -> Cut:
    """A cut in which unit u (in the order of first appearance) lies in block ``block_of_unit[u]``."""
    units = unit_codes(feature_set)
    names = feature_set.groups or feature_set.ids
    rows = block_of_unit[units].tolist()
    return Cut(
        units,
        block_of_unit,
        digest_strings(f"{b}:{n}:{i}" for b, n, i in zip(rows, names, feature_set.ids, strict=True)),
    )


def of_units(figures: LeaveOneOut, of: Cut) -> Contributions:
    """From a value without each unit."""
    return document(paired.contributions_of_units(figures, of.block_of_unit), of, UNIT_METHOD)


def of_blocks(figures: LeaveOneOut, of: Cut) -> Contributions:
    """From a value without each block."""
    each = np.arange(len(figures.without))
    return document(paired.contributions_of_units(figures, each), of, BLOCK_METHOD)


def document(found: paired.Contributions, of: Cut, method: str) -> Contributions:
    """Contributions as they stand in a record."""
    return Contributions(
        estimate=float(found.estimate),
        residual_bias=float(found.residual_bias),
        parts=base64.b64encode(np.asarray(found.parts, "<f4").tobytes()).decode("ascii"),
        blocks=of.digest,
        units=len(of.block_of_unit),
        method=method,
    )


def numbers(found: Contributions) -> paired.Contributions:
    """Contributions of a record as numbers; ``ValueError`` where ``parts`` is not base64 of finite float32."""
    parts = np.frombuffer(base64.b64decode(found.parts, validate=True), dtype="<f4").astype(np.float64)
    if not np.isfinite(parts).all():
        raise ValueError("parts hold NaN or infinity")
    return paired.Contributions(found.estimate, parts, found.residual_bias)


def too_few_for_pairs(units: Codes) -> str:
    """Why a paired difference cannot be had of these units; empty where it can."""
    lack = too_few_units(units)
    return lack.replace("No interval", "No paired difference") if lack else ""


def mean_contributions(values: npt.NDArray[np.float64], feature_set: FeatureSet) -> Contributions | str:
    """Of the mean of ``values`` (n,), one a row of the set."""
    of = cut(feature_set)
    return too_few_for_pairs(of.units) or of_units(mean_without_units(values, of.units), of)
