"""All checks of a suite's data, in one report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from unipath_bench.contracts import Progress, Sample, Suite
from unipath_bench.suites.checking.copies import exact_copies, near_copies
from unipath_bench.suites.checking.look import Look, look
from unipath_bench.suites.checking.report import DataReport, Finding
from unipath_bench.suites.checking.scale import FACTOR, ScaleEstimate, estimate_scale
from unipath_bench.suites.public.spec import PublicSuite
from unipath_bench.suites.roles import seeded_order

Stage = Callable[[str, int], Progress]
"""Called as ``stage(name, total)`` when one begins; gives what is told of its progress."""


def check_data(suite: Suite, n: int | None = None, stage: Stage = lambda *_: _silent) -> tuple[DataReport, Look]:
    """Check a suite; the first ``n`` images in the seeded order of ids are decoded, all where it is None.

    Counts, groups and labels are checked for all samples whatever ``n`` is. The second result is what was seen of the
    images.
    """
    samples = suite.samples()
    chosen = seeded_order(samples)[:n]
    seen = look(suite, chosen, stage("Look", len(chosen)))
    findings = [
        *_counts(suite, samples),
        _classes(suite, samples),
        _groups(samples),
        _readable(seen, len(chosen)),
        _sizes(suite, seen),
        _magnification(suite, samples, estimate_scale(seen.for_scale)),
        *exact_copies(seen),
        *near_copies(seen, stage("Compare", len(seen.samples))),
    ]
    return DataReport(
        suite=suite.card.name,
        samples=len(samples),
        looked_at=len(chosen),
        splits=dict(sorted(Counter(s.split for s in samples).items())),
        classes=_table(suite, samples),
        groups={split: len(names) for split, names in sorted(_group_names(samples).items())},
        sizes={f"{h} x {w}": count for (h, w), count in Counter(seen.sizes).most_common()},
        findings=tuple(findings),
    ), seen


def _silent(done: int, total: int) -> None:
    """Draws nothing."""


def _counts(suite: Suite, samples: Sequence[Sample]) -> list[Finding]:
    found = Counter(s.split for s in samples)
    findings = []
    if not found["test"]:
        findings.append(Finding(check="splits", verdict="wrong", summary="there is no test split"))
    published = suite.data_set.published if isinstance(suite, PublicSuite) else {}
    if published:
        have = {split: len(samples) if split == "all" else found[split] for split in published}
        off = [
            f"{split}: {have[split]} here, {count} published"
            for split, count in published.items()
            if have[split] != count
        ]
        summary = "not the published numbers" if off else "the published numbers"
        findings.append(Finding(check="counts", verdict="note" if off else "ok", summary=summary, items=tuple(off)))
    return findings


def _classes(suite: Suite, samples: Sequence[Sample]) -> Finding:
    splits = sorted({s.split for s in samples})
    lacking = [
        f"{name}={label} is not in {', '.join(split for split in splits if not counts.get(split))}"
        for name, labels in _table(suite, samples).items()
        for label, counts in labels.items()
        if any(not counts.get(split) for split in splits)
    ]
    if not suite.card.attributes:
        return Finding(check="classes", verdict="note", summary="the suite has no labels")
    summary = f"{len(lacking)} classes are not in every split" if lacking else "every class is in every split"
    return Finding(check="classes", verdict="note" if lacking else "ok", summary=summary, items=tuple(lacking))


def _groups(samples: Sequence[Sample]) -> Finding:
    splits: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        if sample.group is not None:
            splits[sample.group].add(sample.split)
    if not splits:
        summary = "none are known (patients, slides): intervals are by image, and leakage is looked for by image alone"
        return Finding(check="groups across splits", verdict="not checked", summary=summary)
    straddling = [f"{group}: {', '.join(sorted(s))}" for group, s in sorted(splits.items()) if len(s) > 1]
    if not straddling:
        return Finding(check="groups across splits", verdict="ok", summary=f"none of {len(splits)}")
    summary = f"{len(straddling)} of {len(splits)} groups are in more than one split"
    return Finding(check="groups across splits", verdict="wrong", summary=summary, items=tuple(straddling))


def _readable(seen: Look, asked: int) -> Finding:
    if not seen.unreadable:
        return Finding(check="images decode", verdict="ok", summary=f"all {asked} that were looked at")
    summary = f"{len(seen.unreadable)} of {asked} cannot be used"
    return Finding(check="images decode", verdict="wrong", summary=summary, items=seen.unreadable)


def _sizes(suite: Suite, seen: Look) -> Finding:
    card = suite.card
    odd = [
        f"{sample.id}: {height} x {width}"
        for sample, (height, width) in zip(seen.samples, seen.sizes, strict=True)
        if card.height not in (None, height) or card.width not in (None, width)
    ]
    if odd:
        summary = f"{len(odd)} images are not {card.height} x {card.width}"
        return Finding(check="sizes", verdict="wrong", summary=summary, items=tuple(odd))
    count = len(set(seen.sizes))
    if count > 1:
        return Finding(check="sizes", verdict="note", summary=f"{count} different sizes")
    return Finding(check="sizes", verdict="ok", summary="all the same")


def _magnification(suite: Suite, samples: Sequence[Sample], estimate: ScaleEstimate) -> Finding:
    declared = {s.microns_per_pixel for s in samples} - {None} or {suite.card.microns_per_pixel} - {None}
    check = "magnification"
    if estimate.microns_per_pixel is None:
        stated = f"; {_listed(declared)} declared" if declared else ""
        return Finding(check=check, verdict="not checked", summary=f"could not check: {estimate.reason}{stated}")
    found = (
        f"the size of nuclei in {estimate.images} images suggests about {estimate.microns_per_pixel:.2f} microns per "
        f"pixel (quartiles {estimate.low:.2f} to {estimate.high:.2f}; tissues differ by a factor of {FACTOR:g})"
    )
    if not declared:
        return Finding(check=check, verdict="not checked", summary=f"none is declared; {found}")
    if len(declared) > 1:
        summary = f"could not check: several are declared ({_listed(declared)}); {found}"
        return Finding(check=check, verdict="not checked", summary=summary)
    stated_scale = next(value for value in declared if value is not None)
    ratio = stated_scale / estimate.microns_per_pixel
    sound = 1 / FACTOR <= ratio <= FACTOR
    return Finding(
        check=check,
        verdict="ok" if sound else "wrong",
        summary=f"{stated_scale:g} microns per pixel declared; {found}",
    )


def _listed(values: set[float | None]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(v for v in values if v is not None))


def _table(suite: Suite, samples: Sequence[Sample]) -> dict[str, dict[str, dict[str, int]]]:
    tables: dict[str, dict[str, dict[str, int]]] = {}
    for name in suite.card.attributes:
        counts = Counter((s.labels[name], s.split) for s in samples)
        table: dict[str, dict[str, int]] = {}
        for (label, split), count in sorted(counts.items()):
            table.setdefault(label, {})[split] = count
        tables[name] = table
    return tables


def _group_names(samples: Sequence[Sample]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        if sample.group is not None:
            names[sample.split].add(sample.group)
    return names
