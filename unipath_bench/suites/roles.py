"""Which real images play which part, decided by the suite alone: never by the run, its n or its order.

``test`` samples give prompts and the reference set, in a seeded order of which a run takes the first n. ``train`` is
for classifiers and the memorisation audit. ``heldout`` is real tissue in neither: the real-against-real figures and
the ``real`` baseline draw on it. Where a suite names no ``heldout`` split, whole groups are set aside from ``train``
(at most half of it, as many images as ``test`` has), or from ``test`` where there is no ``train``.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from unipath_bench.contracts import Sample, Suite
from unipath_bench.core.errors import DataError, listed

Stratum = tuple[str, ...]


@dataclass(frozen=True)
class Roles:
    """The three disjoint parts of a suite, each in its seeded order."""

    test: tuple[Sample, ...]
    train: tuple[Sample, ...]
    heldout: tuple[Sample, ...]
    attributes: tuple[str, ...]
    """Attributes that held-out images are matched to prompts by: the longest prefix of the card's list for which every
    combination in ``test`` also occurs in ``heldout``."""

    def stratum(self, sample: Sample) -> Stratum:
        """The classes of the matching attributes."""
        return tuple(sample.labels[a] for a in self.attributes)


def seeded_order(samples: Iterable[Sample]) -> list[Sample]:
    """Samples by the SHA-256 of their id: a fixed random order in which every prefix is a random subset."""
    return sorted(samples, key=lambda s: (hashlib.sha256(s.id.encode()).digest(), s.id))


def assign_roles(suite: Suite) -> Roles:
    """Split a suite into its roles; :class:`DataError` where groups straddle splits or there is no test split."""
    samples = suite.samples()
    check_groups(samples)
    splits: dict[str, list[Sample]] = defaultdict(list)
    for sample in seeded_order(samples):
        splits[sample.split].append(sample)
    unknown = sorted(set(splits) - {"train", "test", "heldout"})
    if unknown:
        raise DataError(
            f"The suite {suite.card.name!r} has splits with unknown names: {', '.join(unknown)}.",
            "Call them train, test and (optional) heldout.",
        )
    test, train, heldout = splits["test"], splits["train"], splits["heldout"]
    if not test:
        raise DataError(f"The suite {suite.card.name!r} has no test split.", "Name one of its splits 'test'.")
    if not heldout:
        source, wanted = (train, min(len(test), len(train) // 2)) if train else (test, len(test) // 2)
        heldout, rest = _set_aside(source, wanted, suite.card.attributes[:1])
        if train:
            train = rest
        elif rest:
            test = rest
        else:
            heldout = []  # One group a class, and no prompt would be left.
    return Roles(tuple(test), tuple(train), tuple(heldout), _matching_attributes(test, heldout, suite.card.attributes))


def check_groups(samples: Sequence[Sample]) -> None:
    """A group (patient, slide, block) in two splits leaks; raises :class:`DataError` that names every such group."""
    splits: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        if sample.group is not None:
            splits[sample.group].add(sample.split)
    straddling = [f"{group}: {', '.join(sorted(s))}" for group, s in sorted(splits.items()) if len(s) > 1]
    if straddling:
        raise DataError(
            f"{len(straddling)} groups are in more than one split, so test images have relatives in training:\n"
            + listed(straddling),
            "Move each group into one split.",
        )


def match_heldout(roles: Roles, replicate: int = 0) -> dict[str, Sample]:
    """For every test sample a held-out real image of its stratum, by test sample id.

    Without repeats until a stratum of ``heldout`` is used up, then round again. A function of the suite and the
    replicate alone.
    """
    return _match(roles.test, roles.heldout, roles.stratum, replicate)


def match_train(roles: Roles, replicate: int = 0) -> dict[str, Sample]:
    """As :func:`match_heldout`, with training images.

    A stratum that ``train`` lacks takes that of ``train`` that agrees with it in most attributes (of equals in the
    first ones, then by name); strata that agree with none in anything are an error naming them.
    """
    return _match(roles.test, roles.train, roles.stratum, replicate, _most_alike)


def mismatch_heldout(roles: Roles, replicate: int = 0) -> dict[str, Sample]:
    """The images of :func:`match_heldout` dealt out to the wrong prompts: a derangement of classes.

    Prompts sorted by class (:func:`shuffling_classes`) take the image of the prompt that is one largest class further
    on, so no image keeps its class as long as none holds more than half of the prompts, and all further attributes
    agree by chance alone. Where there is one class only, every image still changes its prompt.
    """
    matched = match_heldout(roles, replicate)
    class_of = dict(
        zip((s.id for s in roles.test), shuffling_classes([roles.stratum(s) for s in roles.test]), strict=True)
    )
    ranked = sorted(roles.test, key=lambda s: class_of[s.id])
    largest = max(Counter(class_of.values()).values())
    shift = largest if largest < len(ranked) else len(ranked) // 2
    return {s.id: matched[ranked[(i + shift) % len(ranked)].id] for i, s in enumerate(ranked)}


def shuffling_classes(strata: Sequence[Stratum]) -> list[Stratum]:
    """Return, for each row, the class that must change when images are dealt out to the wrong prompts.

    It consists of the first attributes, as few as part the rows into classes none of which holds more than half; the
    whole strata where no number of attributes does.
    """
    for length in range(1, len(strata[0]) if strata else 0):
        classes = [stratum[:length] for stratum in strata]
        if max(Counter(classes).values()) * 2 <= len(classes):
            return classes
    return list(strata)


def _most_alike(stratum: Stratum, pools: Iterable[Stratum]) -> Stratum | None:
    agreement, found = max(
        (([a == b for a, b in zip(stratum, other, strict=True)], other) for other in sorted(pools, reverse=True)),
        key=lambda pair: (sum(pair[0]), pair[0]),
        default=([], None),
    )
    return found if any(agreement) else None


def _match(
    prompts: Sequence[Sample],
    pool: Sequence[Sample],
    stratum: Callable[[Sample], Stratum],
    replicate: int,
    substitute: Callable[[Stratum, Iterable[Stratum]], Stratum | None] = lambda *_: None,
) -> dict[str, Sample]:
    pools: dict[Stratum, list[Sample]] = defaultdict(list)
    for sample in pool:
        pools[stratum(sample)].append(sample)
    members: dict[Stratum, list[Sample]] = defaultdict(list)
    for sample in prompts:
        members[stratum(sample)].append(sample)
    source_of: dict[Stratum, Stratum] = {}
    for key in members:
        source = key if key in pools else substitute(key, pools)
        if source is not None:
            source_of[key] = source
    absent = sorted(" / ".join(key) or "(all)" for key in members if key not in source_of)
    if absent:
        raise DataError(
            f"No real images to draw on for:\n{listed(absent)}",
            "Add training or held-out images of these classes, or drop their test samples.",
        )
    chosen: dict[str, Sample] = {}
    for key, wanted in members.items():
        have = pools[source_of[key]]
        for rank, sample in enumerate(wanted):
            chosen[sample.id] = have[(rank + replicate * len(wanted)) % len(have)]
    return chosen


def _set_aside(
    samples: Sequence[Sample], wanted: int, attributes: tuple[str, ...]
) -> tuple[list[Sample], list[Sample]]:
    """Whole groups, stratum by stratum in proportion, until ``wanted`` images are set aside; (set aside, rest)."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group if sample.group is not None else f"\0{sample.id}"].append(sample)
    by_stratum: dict[str, list[str]] = defaultdict(list)
    for name in sorted(groups, key=lambda g: hashlib.sha256(g.encode()).digest()):
        by_stratum[_commonest(groups[name], attributes)].append(name)
    aside: set[str] = set()
    share = wanted / len(samples) if samples else 0.0
    for names in by_stratum.values():
        quota = share * sum(len(groups[n]) for n in names)
        taken = 0
        for name in names:
            if taken + len(groups[name]) / 2 > quota:
                break
            aside.add(name)
            taken += len(groups[name])
    chosen = {s.id for name in aside for s in groups[name]}
    return [s for s in samples if s.id in chosen], [s for s in samples if s.id not in chosen]


def _commonest(samples: Sequence[Sample], attributes: tuple[str, ...]) -> str:
    counts: Mapping[str, int] = Counter("/".join(s.labels[a] for a in attributes) for s in samples)
    return max(sorted(counts), key=lambda name: counts[name])


def _matching_attributes(
    test: Sequence[Sample], heldout: Sequence[Sample], attributes: tuple[str, ...]
) -> tuple[str, ...]:
    for length in range(len(attributes), 0, -1):
        prefix = attributes[:length]
        have = {tuple(s.labels[a] for a in prefix) for s in heldout}
        if all(tuple(s.labels[a] for a in prefix) in have for s in test):
            return prefix
    return ()
