"""Images that are there twice, and what their being in two splits or two classes means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from unipath_bench.contracts import Progress, Sample
from unipath_bench.core.arrays import Features
from unipath_bench.suites.checking.hashing import BLOCK, Pair, is_plain, near_pairs
from unipath_bench.suites.checking.look import Look
from unipath_bench.suites.checking.report import Finding, Verdict


def exact_copies(seen: Look) -> list[Finding]:
    """Findings on images of equal pixels: across splits, under different labels, and within one split."""
    places: dict[str, list[Sample]] = defaultdict(list)
    for sample, digest in zip(seen.samples, seen.digests, strict=True):
        places[digest].append(sample)
    sets = [samples for samples in places.values() if len(samples) > 1]
    across = [_set(s) for s in sets if len({sample.split for sample in s}) > 1]
    within = [_set(s) for s in sets if len({sample.split for sample in s}) == 1]
    contrary = [_set(s, labels=True) for s in sets if len({tuple(sample.labels.items()) for sample in s}) > 1]
    return [
        _finding("exact duplicates across splits", across, "images are in more than one split pixel for pixel"),
        _finding("exact duplicates in a split", within, "images are in their split more than once, and count as often"),
        _finding("duplicates under different labels", contrary, "images are there under different labels"),
    ]


def near_copies(seen: Look, progress: Progress | None = None) -> list[Finding]:
    """Findings on images that look like copies (:mod:`.hashing`), exact ones left out."""
    pairs: list[Pair] = []
    count = len(seen.samples)
    for done, found in enumerate(near_pairs(seen.thumbnails), start=1):
        if progress is not None:
            progress(min(done * BLOCK, count), count)
        pairs += [pair for pair in found if seen.digests[pair.first] != seen.digests[pair.second]]
    named = [(seen.samples[pair.first], seen.samples[pair.second], pair.correlation) for pair in pairs]
    across = [_pair(a, b, c) for a, b, c in named if a.split != b.split]
    within = [_pair(a, b, c) for a, b, c in named if a.split == b.split]
    findings = [
        _finding("near duplicates across splits", across, "pairs look like copies and are in different splits"),
        _finding("near duplicates in a split", within, "pairs look like copies within one split", verdict="note"),
    ]
    plain = int(np.count_nonzero(is_plain(seen.thumbnails))) if len(seen.thumbnails) else 0
    if plain:
        summary = f"{plain} images are too plain (nearly one grey) to tell copies from each other"
        findings.append(Finding(check="near duplicates of plain images", verdict="not checked", summary=summary))
    return findings


def similar_across_splits(samples: Sequence[Sample], features: Features, least: float, encoder: str) -> Finding:
    """Images whose cosine in an encoder with an image of another split is at least ``least``: to be looked at by eye.

    ``features`` is float32 (N, D). A note, not a verdict: what a cosine means depends on the encoder.
    """
    rows = features.astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    splits = np.array([sample.split for sample in samples])
    items = []
    for start in range(0, len(rows), 512):
        cosines = rows[start : start + 512] @ rows.T
        cosines[splits[start : start + 512, None] == splits[None, :]] = -1.0
        for offset, other in zip(*np.nonzero(cosines >= least), strict=True):
            first, second = start + int(offset), int(other)
            if first < second:
                items.append(_pair(samples[first], samples[second], float(cosines[offset, other]), "cosine"))
    return _finding(
        f"similar across splits in {encoder}",
        items,
        f"pairs have a cosine of {least:g} or more: look at them",
        verdict="note",
    )


def _finding(check: str, items: Sequence[str], clause: str, *, verdict: Verdict = "wrong") -> Finding:
    if not items:
        return Finding(check=check, verdict="ok", summary="none")
    return Finding(check=check, verdict=verdict, summary=f"{len(items)} {clause}", items=tuple(items))


def _set(samples: Sequence[Sample], *, labels: bool = False) -> str:
    return " = ".join(_name(sample, labels=labels) for sample in samples)


def _pair(one: Sample, other: Sample, value: float, what: str = "correlation") -> str:
    return f"{_name(one)} ~ {_name(other)} ({what} {value:.2f})"


def _name(sample: Sample, *, labels: bool = False) -> str:
    said = f", {'/'.join(sample.labels.values())}" if labels else ""
    return f"{sample.id} [{sample.split}{said}]"
