"""Run records of earlier versions, brought to the present one.

A step takes the parsed JSON of one version to the next. It knows that JSON alone and no model, since models go on
changing, and it leaves what has another form than its version had for validation to refuse.

**Forward rule.** Documents take no unknown keys, so every change of what a record may hold raises :data:`VERSION` and
adds a step to :data:`STEPS` and a line to :data:`LACKING`. Steps that were released stay as they are. A record of a
later version than this one is refused: nothing here knows what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from unipath_bench.core.errors import UsageError

Json = dict[str, Any]

VERSION = 2

LACKING: Mapping[int, str] = {
    1: "it does not name the kind of the tables behind its scores, which is told by their fields",
}
"""What a record of a version lacks beside the next one."""

_KINDS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "set distance": (
        frozenset({"reference_images", "generated_images"}),
        frozenset({"basis", "subset_size", "subsets"}),
    ),
    "manifold": (frozenset({"k"}), frozenset()),
    "prompt cosines": (frozenset({"quantiles", "lowest", "highest"}), frozenset()),
    "retrieval": (
        frozenset({"queries", "gallery", "relevant_per_query", "chance", "attainable"}),
        frozenset({"replicates"}),
    ),
    "rewording": (frozenset({"wordings", "canonical"}), frozenset()),
    "attribute control": (frozenset({"attributes", "not_computed"}), frozenset()),
    "synthetic training": (
        frozenset(
            {"attribute", "classes", "classifier", "folds", "draws", "synthetic_only", "real_only_same_size"}
            | {"chance", "same_size", "budgets", "budgets_left_out"}
        ),
        frozenset({"regularisation"}),
    ),
    "memorisation": (
        frozenset(
            {"threshold", "quantile", "flagged", "copied_fraction_lower_bound", "flag_share", "exact_copies"}
            | {"copied_groups", "train_groups", "pairs", "distances"}
        ),
        frozenset(),
    ),
}
"""Kind to the fields that version 1 always had, and to those that it could have."""


def migrate_record(document: Any, source: str) -> Any:
    """The parsed JSON of a record as the present version has it, ``migrated_from`` saying which version it had.

    Raises :class:`UsageError`, naming ``source``, for a record of a later version.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        return document
    if version > VERSION:
        raise UsageError(
            f"{source} is a run record of version {version}; this unipath-bench reads versions up to {VERSION}.",
            "Upgrade unipath-bench.",
        )
    if version not in STEPS:
        return document
    found = {**document, "migrated_from": version}
    for step in range(version, VERSION):
        found = STEPS[step](found)
    return {**found, "schema_version": VERSION}


def _name_kinds(record: Json) -> Json:
    """From version 1: the kind of each score's details; details without content become null."""
    scores = record.get("scores")
    if not isinstance(scores, list):
        return record
    return {**record, "scores": [_with_kind(score) if isinstance(score, dict) else score for score in scores]}


def _with_kind(score: Json) -> Json:
    details = score.get("details")
    if not isinstance(details, dict):
        return score
    if not details:
        return {**score, "details": None}
    names = details.keys() - {"not_reported"}
    for kind, (always, perhaps) in _KINDS.items():
        if always <= names <= always | perhaps:
            return {**score, "details": {"kind": kind, **details}}
    reasons = details.get("not_reported")
    if not isinstance(reasons, dict) or not all(isinstance(reason, str) for reason in reasons.values()):
        return {**score, "details": {"kind": "other", "content": details}}
    rest = {name: details[name] for name in details if name != "not_reported"}
    return {**score, "details": {"kind": "other", "not_reported": reasons, "content": rest}}


STEPS: Mapping[int, Callable[[Json], Json]] = {1: _name_kinds}
"""Version to what takes its JSON to the next."""
