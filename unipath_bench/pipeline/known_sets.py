"""The sets that metrics see, as far as they are known before any image is made or read."""

from __future__ import annotations

from collections.abc import Sequence

from unipath_bench.contracts import FeatureSet, Sample
from unipath_bench.core.errors import DataError, listed
from unipath_bench.pipeline.requests import wordings
from unipath_bench.suites.roles import Roles, match_heldout


def known_sets(
    needs: frozenset[str], attributes: Sequence[str], prompts: Sequence[Sample], roles: Roles, seeds: int
) -> dict[str, FeatureSet]:
    """Ids, prompts, labels, groups and replicates of the sets that ``needs`` names; no features.

    ``attributes``: names of the labels, the primary one first; where some samples lack one, it is a
    :class:`~unipath_bench.DataError`. ``generated`` has one image of each prompt a seed,
    ``variants`` one a paraphrase, ``heldout`` the real image that is matched to each prompt, under that prompt.
    """
    sets: dict[str, FeatureSet] = {
        "generated": _joined([_of(prompts, attributes, replicate=seed) for seed in range(seeds)]),
        "reference": _of(prompts, attributes),
    }
    if needs & {"variants.images", "variants.texts"}:
        asked = [_of(prompts, attributes, replicate=w, wording=w) for w in range(wordings(prompts))]
        sets["variants"] = _joined(asked) if asked else FeatureSet(())
    if "train.images" in needs:
        sets["train"] = _of(roles.train, attributes)
    if "heldout.images" in needs:
        matched = match_heldout(roles)
        own = _of([matched[s.id] for s in prompts], attributes)
        asked_for = sets["reference"]
        sets["heldout"] = FeatureSet(
            asked_for.ids,
            prompts=asked_for.prompts,
            labels=asked_for.labels,
            groups=own.groups,
            replicates=own.replicates,
        )
    return sets


def _of(
    samples: Sequence[Sample], attributes: Sequence[str], *, replicate: int = 0, wording: int | None = None
) -> FeatureSet:
    return FeatureSet(
        ids=tuple(s.id for s in samples),
        prompts=tuple(s.prompt if wording is None else s.paraphrases[wording] for s in samples),
        labels=_columns(samples, attributes),
        groups=tuple(s.group or s.id for s in samples),
        replicates=(replicate,) * len(samples),
    )


def _columns(samples: Sequence[Sample], attributes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Labels by attribute, without attributes that no sample has."""
    without = {name: [s.id for s in samples if name not in s.labels] for name in attributes}
    for name, lacking in without.items():
        if 0 < len(lacking) < len(samples):
            raise DataError(
                f"{len(lacking)} of {len(samples)} samples have no label {name!r}, which the suite's card names:\n"
                + listed(lacking),
                "Give every sample a class of each attribute, or leave the attribute off the card.",
            )
    return {name: tuple(s.labels[name] for s in samples) for name in attributes if not without[name]}


def _joined(sets: Sequence[FeatureSet]) -> FeatureSet:
    """One set after the other."""
    return FeatureSet(
        ids=tuple(i for s in sets for i in s.ids),
        prompts=tuple(p for s in sets for p in s.prompts),
        labels={name: tuple(label for s in sets for label in s.labels[name]) for name in sets[0].labels},
        groups=tuple(g for s in sets for g in s.groups),
        replicates=tuple(r for s in sets for r in s.replicates),
    )
