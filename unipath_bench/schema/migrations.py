"""Run records and baselines of earlier versions, brought to the present one. Both hold scores, and share a version.

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
    1: "it does not name the kind of the tables behind its scores, which is recognised by their fields",
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


def migrate(document: Any, source: str, kind: str) -> Any:
    """The parsed JSON of a document as the present version has it, ``migrated_from`` saying which version it had.

    ``kind`` is what it is called in errors. Raises :class:`UsageError`, naming ``source``, for one of a later version.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        return document
    if version > VERSION:
        raise UsageError(
            f"{source} is a {kind} of version {version}; this unipath-bench reads versions up to {VERSION}.",
            "Upgrade unipath-bench.",
        )
    if version not in STEPS:
        return document
    found = {**document, "migrated_from": version}
    for step in range(version, VERSION):
        found = STEPS[step](found)
    return {**found, "schema_version": VERSION}


def _from_1(record: Json) -> Json:
    """The kind of each score's details (none for details without content), and the present names of its fields."""
    scores = record.get("scores")
    if not isinstance(scores, list):
        return record
    return {**record, "scores": [_score_from_1(s) if isinstance(s, dict) else s for s in scores]}


def _score_from_1(score: Json) -> Json:
    found = _renamed(_with_kind(score), {"n": "n_images"})
    values = found.get("values")
    if not isinstance(values, dict):
        return found
    return {**found, "values": {k: _value_from_1(v) if isinstance(v, dict) else v for k, v in values.items()}}


def _value_from_1(value: Json) -> Json:
    """A scale had a floor below a ceiling, of which one was the good end."""
    low, high = ("good_end", "bad_end") if value.get("direction") == "lower" else ("bad_end", "good_end")
    names = {"floor": low, "ceiling": high, "percent_of_range": "position"}
    found = _renamed(value, {**names, "floor_source": f"{low}_source", "ceiling_source": f"{high}_source"})
    interval, contributions = found.get("interval"), found.get("contributions")
    if isinstance(interval, dict) and interval.get("kind") == "at the floor":
        found["interval"] = {**interval, "kind": "at zero"}
    if isinstance(contributions, dict):
        found["contributions"] = _renamed(contributions, {"left_over": "residual_bias"})
    return found


def _renamed(document: Json, names: Mapping[str, str]) -> Json:
    return {names.get(name, name): content for name, content in document.items()}


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


STEPS: Mapping[int, Callable[[Json], Json]] = {1: _from_1}
"""Version to what takes its JSON to the next."""
